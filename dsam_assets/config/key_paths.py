"""Key paths: how a place in a config is written down and found in the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from dsam_assets.config.schema import Config
from dsam_assets.config.schema_base import Section

KeyPath = tuple[str | int, ...]


def dotted(path: KeyPath) -> str:
    """`("allocation", "channels", 0, "term")` → `allocation.channels[0].term`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def general(path: KeyPath) -> str:
    """The path as the schema writes it: `allocation.channels[].term`, `data.dictionary.<term>.unit`."""
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else ".<term>" if text == ".data.dictionary" else f".{part}"
    return text.removeprefix(".")


def _item_section(annotation: Any) -> type[Section] | None:
    """The section class inside `tuple[Row, ...]`, if any."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (_item_section(argument) for argument in get_args(annotation))
    return next((section for section in found if section), None)


def _suffix(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is tuple:
        return "[]"
    return ".<term>" if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)) else ""


def _walk(section: type[Section], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        path = f"{prefix}.{field.alias or name}".removeprefix(".")
        yield path, field
        if (inner := _item_section(field.annotation)) is not None:
            yield from _walk(inner, path + _suffix(field.annotation))


@cache
def schema_keys() -> Mapping[str, FieldInfo]:
    """Every key of the schema in schema order: general dotted path → pydantic field (default, description).

    List rows are written `allocation.channels[].term`, mapping entries `data.dictionary.<term>.unit`.
    """
    return dict(_walk(Config, ""))


def keys_of(section: str) -> tuple[str, ...]:
    """The key names directly inside a section (`""` for the top level), in schema order."""
    prefix = f"{section}." if section else ""
    names = (path.removeprefix(prefix) for path in schema_keys() if path.startswith(prefix))
    return tuple(name for name in names if "." not in name and "[" not in name)


def leaves(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every leaf of a nest of sections, mappings and lists, with its path; empty containers are leaves."""
    children: list[tuple[str | int, object]] = []
    if isinstance(value, Section):
        fields = type(value).model_fields.items()
        children = [(field.alias or name, getattr(value, name)) for name, field in fields]
    elif isinstance(value, Mapping):
        children = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        children = list(enumerate(value))
    if not children:
        yield path, value
    for part, child in children:
        yield from leaves(child, (*path, part))
