"""From a YAML file to a resolved, frozen config.

The order is the specification's: parse; infinity tokens; defaults; paths; values and rules between keys; formula
safety. Infinity tokens, defaults and single values are one pass of the schema; everything that a step finds is
reported together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dsam_assets.config.key_paths import KeyPath, dotted
from dsam_assets.config.loaded import LoadedConfig
from dsam_assets.config.messages import problems_from
from dsam_assets.config.paths import check_below_roots, check_file, resolve_path
from dsam_assets.config.problems import Problem, as_error, line_of
from dsam_assets.config.resolved import resolved_yaml, section_digest
from dsam_assets.config.rules import violations
from dsam_assets.config.schema import Config
from dsam_assets.config.schema_base import Section
from dsam_assets.config.schema_outputs import OUTPUT_ALIASES
from dsam_assets.config.yaml_loader import MAX_BYTES, parse_yaml
from dsam_assets.errors import ConfigError, DsamError

__all__ = [
    "LoadedConfig",
    "config_from_resolved",
    "load_config",
    "market_key",
    "resolve",
    "resolved_yaml",
    "section_digest",
]

FormulaCheck = Callable[[str, bool], object]

_MARKET = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

# Input files; the section that uses one decides whether it has to exist.
_INPUTS: tuple[tuple[KeyPath, Callable[[Config], bool]], ...] = (
    (("data", "path"), lambda config: True),
    (("data", "dictionary_path"), lambda config: True),
    (("pooling", "map_path"), lambda config: config.pooling.enabled),
    (
        ("time_components", "holidays", "calendar_path"),
        lambda config: config.time_components.enabled and config.time_components.holidays.enabled,
    ),
    (("forecast", "data_path"), lambda config: config.forecast.enabled),
)
_ROOT_DIR: KeyPath = ("outputs", "root_dir")
_RUN_DIR: KeyPath = ("outputs", "run_dir")


def market_key(path: Path | str) -> str:
    """The partition key of a config file: its name without extension.

    Raises:
        ConfigError: unless it is 1 to 64 lower-case letters, digits, `_` and `-`, starting with a letter or digit.
    """
    stem = Path(path).stem
    if not _MARKET.fullmatch(stem):
        better = re.sub(r"[^a-z0-9_-]+", "_", stem.lower()).strip("_-")[:64] or "market"
        raise ConfigError(
            "the config's file name cannot serve as a market name",
            where=str(path),
            got=stem,
            wanted="1 to 64 lower-case letters, digits, _ and -, starting with a letter or digit",
            fix=f"rename the file, for example to {better}.yaml",
        )
    return stem


def mentioned_files(config: bytes) -> list[str]:
    """The input files that a config names, as it writes them; none of one that is no YAML mapping.

    Neither are they looked at, nor is the config checked.
    """
    try:
        raw = parse_yaml(config, "the config").value
    except DsamError:
        return []
    found = []
    for path, _ in _INPUTS:
        value: Any = raw
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value.strip():
            found.append(value)
    return found


def _get(config: Config, path: KeyPath) -> Any:
    value: Any = config
    for name in path:
        value = getattr(value, str(name))
    return value


def _with(section: Section, path: KeyPath, value: object) -> Any:
    name, *rest = path
    inner = _with(getattr(section, str(name)), tuple(rest), value) if rest else value
    return section.model_copy(update={str(name): inner})


def _as_problem(path: KeyPath, error: DsamError) -> Problem:
    rule = f"– {error.what}" + (f" (wanted: {error.wanted})" if error.wanted else "")
    return Problem(path, rule, error.got, error.fix)


def _resolve_paths(config: Config, base: Path, problems: list[Problem]) -> Config:
    for path in (*(path for path, _ in _INPUTS), _ROOT_DIR, _RUN_DIR):
        text = _get(config, path)
        if text is None:
            continue
        try:
            folder = Path(_get(config, _ROOT_DIR)) if path == _RUN_DIR else base
            config = _with(config, path, str(resolve_path(text, folder)))
        except ConfigError as error:
            problems.append(_as_problem(path, error))
    return config


def _check_paths(config: Config, roots: Sequence[Path] | None, problems: list[Problem]) -> None:
    wanted = [(path, used(config)) for path, used in _INPUTS] + [(_ROOT_DIR, False), (_RUN_DIR, False)]
    for path, must_exist in wanted:
        if (text := _get(config, path)) is None:
            continue
        try:
            # outside the roots, whether a file exists is nobody's business
            if roots is not None:
                check_below_roots(Path(text), roots)
            if must_exist:
                check_file(Path(text))
        except ConfigError as error:
            problems.append(_as_problem(path, error))


def _check_formulas(config: Config, check: FormulaCheck | None, file: str, lines: Mapping[KeyPath, int]) -> None:
    if check is None:
        return
    scenarios = config.transforms.sensitivity.scenarios
    formulas: dict[KeyPath, str] = {("model", "formula"): config.model.formula}
    for position, scenario in enumerate(scenarios):
        formulas[("transforms", "sensitivity", "scenarios", position, "formula")] = scenario.formula
    for path, formula in formulas.items():
        try:
            check(formula, config.security.allow_unsafe_formula)
        except DsamError as error:
            line = line_of(path, lines)
            place = f"{file}, line {line}: {dotted(path)}" if line else f"{file}: {dotted(path)}"
            where = f"{place}, {error.where}" if error.where else place
            raise type(error)(error.what, where=where, got=error.got, wanted=error.wanted, fix=error.fix) from error


def resolve(
    raw: Mapping[str, Any],
    *,
    name: str,
    base: Path,
    file: str = "the config",
    lines: Mapping[KeyPath, int] | None = None,
    data_roots: Sequence[Path] | None = None,
    check_formula: FormulaCheck | None = None,
) -> Config:
    """Turn a parsed mapping into a resolved config. The same input gives the same config.

    Args:
        raw: the mapping as written.
        name: default of `model.name`.
        base: folder that relative paths start from.
        file: how messages call the config.
        lines: path of each key → line, for messages.
        data_roots: when given, every path must lie below one of these folders.
        check_formula: called with each formula, and whether it may be unsafe; raises a `DsamError` to refuse it.

    Raises:
        ConfigError: all violations of one step together.
    """
    known = lines or {}
    model = raw.get("model")
    named = (
        {**raw, "model": {**model, "name": name}} if isinstance(model, dict) and model.get("name") is None else {**raw}
    )
    try:
        config = Config.model_validate(named)
    except ValidationError as error:
        raise as_error(problems_from(error), file, known) from None
    problems: list[Problem] = []
    config = _resolve_paths(config, base, problems)
    if not problems:
        _check_paths(config, data_roots, problems)
    if problems := [*problems, *violations(config)]:
        raise as_error(problems, file, known)
    _check_formulas(config, check_formula, file, known)
    return config


def _read(path: Path) -> bytes:
    try:
        check_file(path)
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except ConfigError as error:
        raise ConfigError(f"the config cannot be read: {error.what}", where=str(path), fix=error.fix) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError(f"the config cannot be read: {reason}", where=str(path)) from error


def _proper(path: KeyPath) -> KeyPath:
    if len(path) == 2 and path[0] == "outputs":
        return ("outputs", OUTPUT_ALIASES.get(str(path[1]), path[1]))
    return path


def load_config(
    path: Path | str, *, data_roots: Sequence[Path] | None = None, check_formula: FormulaCheck | None = None
) -> LoadedConfig:
    """Read, resolve and validate one config file.

    Args:
        path: the YAML file; relative paths inside start from its folder.
        data_roots: when given, every path in it must lie below one of these folders, links followed.
        check_formula: called with each formula, and whether it may be unsafe; raises a `DsamError` to refuse it.

    Raises:
        ConfigError: with every violation that one step found, each with key, line, rule and suggestion.
    """
    file = Path(path)
    document = parse_yaml(_read(file), str(file))
    lines = {_proper(key): line for key, line in document.lines.items()}
    config = resolve(
        document.value,
        name=file.stem,
        base=file.parent.resolve(),
        file=str(file),
        lines=lines,
        data_roots=data_roots,
        check_formula=check_formula,
    )
    return LoadedConfig(config, document.text, file, frozenset(map(dotted, lines)), lines)


def config_from_resolved(text: str) -> Config:
    """The config that `resolved_yaml` wrote. Values are validated again; files are not looked at.

    Raises:
        ConfigError: if the text has been changed into something that is not a valid config.
    """
    document = parse_yaml(text.encode(), "config.resolved.yaml")
    try:
        return Config.model_validate(document.value)
    except ValidationError as error:
        raise as_error(problems_from(error), "config.resolved.yaml", document.lines) from None
