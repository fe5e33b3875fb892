"""Generated terms: how holiday features enter the frame and the formula."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.design.syntax import quote_name


@dataclass(frozen=True)
class ModelInputs:
    """The formula that is fitted and the frame that it is evaluated on, generated columns included."""

    formula: Formula
    frame: pd.DataFrame


def model_inputs(formula_text: str, frame: pd.DataFrame, holidays: HolidayFeatures | None = None) -> ModelInputs:
    """Formula and frame with the generated terms.

    Args:
        formula_text: the config's formula.
        frame: the data.
        holidays: generated features; `None` when there are none.

    Raises:
        FormulaError: the formula, with or without the generated terms, is refused.
        DataError: the features were made for other rows.
    """
    if holidays is None:
        return ModelInputs(parse_formula(formula_text), frame)
    return ModelInputs(model_formula(formula_text, holidays), holidays.on(frame))


def model_formula(formula_text: str, holidays: HolidayFeatures | None = None) -> Formula:
    """The formula that is fitted, generated terms included; raises `FormulaError` as `parse_formula` does."""
    names = () if holidays is None else holidays.formula_names
    return parse_formula(formula_with(formula_text, names))


def formula_with(formula_text: str, names: Iterable[str]) -> str:
    """The formula with columns added as terms, quoted where they need it; terms that it has already are not repeated.

    `~` binds weakest, so that ` + name` at the end always adds a term of the right-hand side.

    Raises:
        FormulaError: the formula is refused.
    """
    present = set(parse_formula(formula_text).labels)
    added = [quoted for quoted in map(quote_name, dict.fromkeys(names)) if quoted not in present]
    return " + ".join([formula_text, *added])


def generated_terms(holidays: HolidayFeatures | None) -> tuple[str, ...]:
    """Generated terms by R's name: baseline terms for the identifiability check without further configuration."""
    return () if holidays is None else tuple(map(quote_name, holidays.names))
