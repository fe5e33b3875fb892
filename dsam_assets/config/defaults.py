"""Defaults that depend on other keys: the model type, and what it switches on.

They work on plain mappings before validation, never change their input, and leave alone whatever they do not
understand, so that validation can complain about it in the user's own terms.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

_EXTENSIONS = {".csv": "csv", ".rds": "rds", ".parquet": "parquet", ".pq": "parquet"}


def infer_format(path: object) -> str | None:
    """`csv`, `rds` or `parquet` from a file name's extension, else None."""
    return _EXTENSIONS.get(PurePath(path.strip()).suffix.lower()) if isinstance(path, str) else None


def split_formula(formula: str) -> tuple[str, str] | None:
    """Left and right side of the first `~` outside back-quotes, stripped; None without one."""
    quoted = False
    for position, character in enumerate(formula):
        if character == "`":
            quoted = not quoted
        elif character == "~" and not quoted:
            return formula[:position].strip(), formula[position + 1 :].strip()
    return None


def has_bar_terms(formula: str) -> bool:
    """Whether the right-hand side has a `|` outside back-quotes, as in `(1 | market)`."""
    sides = split_formula(formula)
    # every second piece between back-quotes is a quoted name
    return sides is not None and any("|" in piece for piece in sides[1].split("`")[::2])


def with_default(raw: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """`raw` with `key` set to `value` where it is absent or null; unchanged when there is no value to give."""
    return raw if raw.get(key) is not None or value is None else {**raw, key: value}


def resolve_model_type(written: object, formula: object, *, cre: object, pooling: object) -> object:
    """The model type that a config means.

    `auto` follows the specification: pooled, then cre, then re (bar terms), then blm. A switched-on `cre` or `pooling`
    section also lifts `re` to `cre` and `blm` to `pooled`: both spellings name the same model.
    """
    lifted = {("re", True): "cre", ("blm", True): "pooled"}
    if written not in (None, "auto"):
        switch = cre if written == "re" else pooling
        return lifted.get((str(written), switch is True), written)
    if not isinstance(formula, str):
        return "auto"
    if pooling is True:
        return "pooled"
    if cre is True:
        return "cre"
    return "re" if has_bar_terms(formula) else "blm"


def fill_dependent_defaults(raw: dict[str, Any]) -> dict[str, Any]:
    """Fill `model.name`, `model.type`, `cre.enabled` and `pooling.enabled` of a raw config."""
    filled = {**raw, **{key: {} for key in ("cre", "pooling", "diagnostics") if raw.get(key) is None}}
    model, cre, pooling = filled.get("model"), filled["cre"], filled["pooling"]
    if not isinstance(model, dict):
        return filled
    if isinstance(cre, dict):
        filled["cre"] = cre = with_default(cre, "enabled", model.get("type") == "cre")
    if isinstance(pooling, dict):
        filled["pooling"] = pooling = with_default(pooling, "enabled", model.get("type") == "pooled")
    kind = resolve_model_type(
        model.get("type"),
        model.get("formula"),
        cre=cre.get("enabled") if isinstance(cre, dict) else None,
        pooling=pooling.get("enabled") if isinstance(pooling, dict) else None,
    )
    filled["model"] = with_default({**model, "type": kind}, "name", "model")
    return filled
