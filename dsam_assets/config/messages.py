"""Validation errors of the schema library, told in the words of the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from dsam_assets.config.key_paths import KeyPath, general, keys_of, schema_keys
from dsam_assets.config.problems import MOST_SHOWN, NOTHING, Problem
from dsam_assets.config.schema_base import infinity_token
from dsam_assets.config.suggestions import nearest, suggest_key

_RULES: Mapping[str, str] = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "finite_number": "must be finite",
    "tuple_type": "must be a list",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}
_TRUE_WORDS, _FALSE_WORDS = {"yes", "y", "on", "t", "1"}, {"no", "n", "off", "f", "0"}
_MISSING = {
    "data.path": "write the data file's path, relative to this config",
    "model.formula": "write it as formula: kpi ~ trend + m_tv",
    "data.format": "the file extension does not tell: write csv, long, parquet or rds",
}


def _number(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def _looks_like_number(text: str) -> bool:
    try:
        float(text.replace("_", "").replace(",", ""))
    except ValueError:
        return False
    return True


def _number_fix(value: object) -> str | None:
    if isinstance(value, str) and infinity_token(value) is not None:
        return "infinity is not possible here; write a finite number"
    if isinstance(value, str) and _looks_like_number(value):
        return f"write it without quotes, spaces or separators: {value.replace('_', '').replace(',', '').strip()}"
    if isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    if value is None:
        return "give a value, or delete the line to use the default"
    return None


def _bool_fix(value: object) -> str | None:
    word = str(value).lower()
    if word in _TRUE_WORDS | _FALSE_WORDS | {"true", "false"}:
        meant = "true" if word in _TRUE_WORDS | {"true"} else "false"
        return f"write {meant} (yes, no, on and off are text)"
    return _number_fix(value) if value is None else None


def _choices(path: KeyPath) -> tuple[str, ...]:
    field = schema_keys().get(general(path))
    found: list[str] = []
    pending: list[Any] = [] if field is None else [field.annotation]
    while pending:
        for argument in get_args(pending.pop()):
            found.append(argument) if isinstance(argument, str) else pending.append(argument)
    return tuple(found)


def _choice_fix(value: object, path: KeyPath) -> str | None:
    close = nearest(value, _choices(path)) if isinstance(value, str) else None
    return f"did you mean {close}?" if close else (_number_fix(value) if value is None else None)


def _text_fix(value: object) -> str | None:
    return "put quotes around it to make it text" if isinstance(value, int | float) else _number_fix(value)


def _fix(kind: str, value: object, path: KeyPath) -> str | None:
    if kind in ("int_type", "float_type"):
        return _number_fix(value)
    if kind == "bool_type":
        return _bool_fix(value)
    if kind == "string_type":
        return _text_fix(value)
    return _choice_fix(value, path) if kind == "literal_error" else None


def _unknown(path: KeyPath, _error: Mapping[str, Any]) -> Problem:
    return Problem(path, "is not a key of the config", fix=suggest_key(path))


def _missing(path: KeyPath, _error: Mapping[str, Any]) -> Problem:
    return Problem(path, "is required", fix=_MISSING.get(general(path)))


def _not_a_section(path: KeyPath, error: Mapping[str, Any]) -> Problem:
    keys = keys_of(general(path))
    wanted = f"must be a section with keys {', '.join(keys[:8])}{', …' if len(keys) > 8 else ''}"
    return Problem(path, wanted if keys else "must be a mapping", error["input"])


_SPECIAL: Mapping[str, Callable[[KeyPath, Mapping[str, Any]], Problem]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "model_type": _not_a_section,
    "model_attributes_type": _not_a_section,
    "mapping_type": _not_a_section,
    "dict_type": _not_a_section,
}


def _problem(error: Mapping[str, Any]) -> Problem:
    path: KeyPath = tuple(error["loc"])
    kind, value = error["type"], error["input"]
    if kind in _SPECIAL:
        return _SPECIAL[kind](path, error)
    if kind == "float_type" and isinstance(value, str) and infinity_token(value) is not None:
        kind = "finite_number"
    # our own rules arrive ready-made in `msg`
    rule = (
        _RULES[kind].format(**{name: _number(limit) for name, limit in error.get("ctx", {}).items()})
        if kind in _RULES
        else error["msg"]
    )
    rule = rule.replace("'", "").replace("True", "true")
    got = NOTHING if kind == "dsam_rule" and isinstance(value, dict) else value
    return Problem(path, rule, got, _fix(error["type"], value, path))


def problems_from(error: ValidationError) -> list[Problem]:
    """Every violation that the schema found, as problems with key path, rule, value and a suggestion."""
    found = error.errors(include_url=False)
    # nobody reads beyond these, and looking for suggestions takes time that a hostile file could multiply
    told = [_problem(dict(one)) for one in found[:MOST_SHOWN]]
    return told + [Problem(tuple(one["loc"]), str(one["msg"])) for one in found[MOST_SHOWN:]]
