"""A resolved config as text, and as digests that decide what is stale."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dsam_assets.config.key_paths import KeyPath, general, schema_keys
from dsam_assets.config.schema import Config
from dsam_assets.config.schema_base import Section
from dsam_assets.config.yaml_scalars import plain_scalar
from dsam_assets.errors import ConfigError

# Text that reads the same with and without quotes; the words are booleans to YAML 1.1 readers.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9 _/.,~()+*^|-]*(?<! )")
_OLD_BOOLEANS = {"y", "n", "yes", "no", "on", "off"}
_PATH_KEYS = {
    "data.path",
    "data.dictionary_path",
    "pooling.map_path",
    "time_components.holidays.calendar_path",
    "forecast.data_path",
    "outputs.root_dir",
    "outputs.run_dir",
}


def to_plain(value: object) -> Any:
    """Sections → dicts in schema order, tuples → lists, dates → ISO text."""
    if isinstance(value, Section):
        fields = type(value).model_fields.items()
        return {field.alias or name: to_plain(getattr(value, name)) for name, field in fields}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _text(value: str) -> str:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _OLD_BOOLEANS and isinstance(plain_scalar(value), str)
    return value if plain else json.dumps(value, ensure_ascii=False)


def _scalar(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        # older readers take 1e-05 for text
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
    return _text(value) if isinstance(value, str) else str(value)


def _lines(value: Any, indent: int) -> Iterator[str]:
    pad = " " * indent
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield f"{pad}{_text(key)}:"
            yield from _lines(item, indent + 2)
        elif isinstance(item, list) and item:
            yield f"{pad}{_text(key)}:"
            yield from _rows(item, indent + 2)
        else:
            yield f"{pad}{_text(key)}: {'{}' if item == {} else '[]' if item == [] else _scalar(item)}"


def _rows(items: list[Any], indent: int) -> Iterator[str]:
    pad = " " * indent
    for item in items:
        if isinstance(item, dict):
            first, *rest = _lines(item, indent + 2)
            yield f"{pad}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{pad}- {_scalar(item)}"


def resolved_yaml(config: Config) -> str:
    """The whole config as YAML in schema order; loading it gives an equal config."""
    return "\n".join(_lines(to_plain(config), 0)) + "\n"


def _relative(value: Any, path: KeyPath, base: Path) -> Any:
    if isinstance(value, dict):
        return {key: _relative(item, (*path, key), base) for key, item in value.items()}
    if isinstance(value, str) and general(path) in _PATH_KEYS:
        return Path(os.path.relpath(value, base)).as_posix()
    return value


def _part(config: Config, name: str) -> object:
    if name not in schema_keys():
        raise ConfigError(
            "there is no such config section", got=name, wanted=f"one of {', '.join(Config.model_fields)}"
        )
    value: object = config
    for key in name.split("."):
        value = getattr(value, key)
    return value


def section_digest(config: Config, section_names: Iterable[str], *, base: Path | None = None) -> str:
    """SHA-256 (hex) over canonical JSON of some sections: the data version of whatever depends on just these.

    Args:
        config: a resolved config.
        section_names: dotted keys, for example `data`, `fit.mcmc`; order and repetition do not matter.
        base: when given, file paths count relative to this folder, so that a moved project keeps its digests.

    Comments, key order, and writing a default or not make no difference.
    """
    plain = {name: to_plain(_part(config, name)) for name in section_names}
    if base is not None:
        plain = {name: _relative(value, tuple(name.split(".")), base) for name, value in plain.items()}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def config_from_resolved(text: str) -> Config:
    """The config that `resolved_yaml` wrote; values are validated again, files are not looked for."""
    from dsam_assets.config.yaml_loader import parse_yaml

    return Config.model_validate(parse_yaml(text.encode(), "config.resolved.yaml").value)
