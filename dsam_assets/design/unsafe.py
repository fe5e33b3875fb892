"""What a config that lets formulas run Python must have said of it, wherever its results are."""

from __future__ import annotations

from dsam_assets.config.slices import FormulaSlice
from dsam_assets.design.formula import parse_formula

NOTHING, RUNS = "no", "RUNS PYTHON: "
CAVEAT = (
    "A formula of this run holds Python that ran as it was written, because security.allow_unsafe_formula is true: {}."
    " Nobody has checked what it does. What it reads besides the columns of the data is in no fingerprint, so that such"
    " a change makes nothing stale."
)


def formula_python(section: FormulaSlice) -> tuple[str, ...]:
    """The pieces of Python in the config's formulas, those of transform scenarios included, if they may have any."""
    if not section.security.allow_unsafe_formula:
        return ()
    sensitivity = section.transforms.sensitivity
    scenarios = sensitivity.scenarios if sensitivity.enabled else ()
    texts = [section.formula, *(scenario.formula for scenario in scenarios)]
    return tuple(dict.fromkeys(piece for text in texts for piece in parse_formula(text, unsafe=True).python))


def unsafe_formula(section: FormulaSlice) -> str:
    """`no`, or that Python is allowed and which Python runs."""
    if not section.security.allow_unsafe_formula:
        return NOTHING
    python = formula_python(section)
    return f"{RUNS}{'; '.join(python)}" if python else "allowed, but no formula holds Python"
