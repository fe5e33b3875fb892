"""Generated terms: how holiday features and group means enter the frame and the formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.data.cre import cre_means, cre_terms, refuse_varying_means, require_varying_means, resolve_cre_group
from dsam_assets.data.findings import Finding
from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.design.syntax import names_in, quote_name


class CreLike(Protocol):
    """The config's section `cre`."""

    @property
    def enabled(self) -> bool: ...
    @property
    def vars(self) -> Sequence[str]: ...
    @property
    def group(self) -> str | None: ...
    @property
    def prefix(self) -> str: ...


class SecurityLike(Protocol):
    """The config's section `security`."""

    @property
    def allow_unsafe_formula(self) -> bool: ...


class FormulaLike(Protocol):
    """What is read of a config: `model.formula`, `cre` and `security`."""

    @property
    def formula(self) -> str: ...
    @property
    def cre(self) -> CreLike: ...
    @property
    def security(self) -> SecurityLike: ...


@dataclass(frozen=True)
class ModelInputs:
    """What is fitted: formula and frame with the generated columns.

    Attributes:
        formula: generated terms included.
        frame: the data with the generated columns.
        group_means: terms that are group means of other columns.
        findings: what weakens the model's identification.
    """

    formula: Formula
    frame: pd.DataFrame
    group_means: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def model_inputs(
    section: FormulaLike, frame: pd.DataFrame, holidays: HolidayFeatures | None = None, *, date_var: str | None = None
) -> ModelInputs:
    """Formula and frame with the generated terms.

    Group means are taken over the rows that will be modelled, anew in each call, so they are never stale.

    Args:
        section: the config's formula and `cre`.
        frame: the data.
        holidays: generated features; `None` when there are none.
        date_var: column that orders the rows, needed by `lag` and `lead` only.

    Raises:
        FormulaError: the formula, with or without the generated terms, is refused.
        ConfigError, DesignError: `cre` does not fit the formula.
        DataError: the features were made for other rows, or a column that `cre` needs is missing or not numeric.
    """
    columns, formula = frame if holidays is None else holidays.on(frame), model_formula(section, holidays)
    if not section.cre.enabled:
        return ModelInputs(formula, columns)
    cre, means = section.cre, cre_terms(section.cre.vars, section.cre.prefix)
    group = resolve_cre_group(cre.group, [bar.group for bar in formula.bar_terms])
    refuse_varying_means(means, _varying_columns(formula))
    rows = _modelled_rows(formula, columns, means, date_var)
    made = cre_means(columns, cre.vars, group, cre.prefix, rows)
    require_varying_means(made, rows)
    return ModelInputs(formula, made.frame, made.terms, made.findings)


def model_formula(section: FormulaLike, holidays: HolidayFeatures | None = None) -> Formula:
    """The formula that is fitted, generated terms included; raises `FormulaError` as `parse_formula` does."""
    text, unsafe = section.formula, section.security.allow_unsafe_formula
    if holidays is not None:
        text = formula_with(text, holidays.formula_names, unsafe=unsafe)
    if section.cre.enabled:
        text = formula_with(text, cre_terms(section.cre.vars, section.cre.prefix), unsafe=unsafe)
    return parse_formula(text, unsafe=unsafe)


def own_formula(section: FormulaLike) -> Formula:
    """The formula as the config has it, without generated terms; raises `FormulaError` as `parse_formula` does."""
    return parse_formula(section.formula, unsafe=section.security.allow_unsafe_formula)


def formula_with(formula_text: str, names: Iterable[str], *, unsafe: bool = False) -> str:
    """The formula with columns added as terms, quoted where they need it; terms that it has already are not repeated.

    `~` binds weakest, so that ` + name` at the end always adds a term of the right-hand side.

    Raises:
        FormulaError: the formula is refused.
    """
    present = set(parse_formula(formula_text, unsafe=unsafe).labels)
    added = [quoted for quoted in map(quote_name, dict.fromkeys(names)) if quoted not in present]
    return " + ".join([formula_text, *added])


def _varying_columns(formula: Formula) -> list[str]:
    nodes = [factor for bar in formula.bar_terms for term in bar.terms for factor in term.factors]
    return [name.name for node in nodes for name in names_in(node)]


def _modelled_rows(
    formula: Formula, frame: pd.DataFrame, means: Sequence[str], date_var: str | None
) -> NDArray[np.intp]:
    """Rows that survive missing values; the means themselves, not yet there, are missing nowhere."""
    known = frame.assign(**dict.fromkeys(means, 0.0))
    return build_model_matrix(formula, known, date_var=date_var, groups=shift_groups(formula)).rows


def shift_groups(formula: Formula) -> tuple[str, ...]:
    """Columns within which `lag` and `lead` shift: all grouping columns."""
    return tuple(dict.fromkeys(name for bar in formula.bar_terms for name in bar.group))


def generated_terms(holidays: HolidayFeatures | None) -> tuple[str, ...]:
    """Generated terms by R's name: baseline terms for the identifiability check without further configuration."""
    return () if holidays is None else tuple(map(quote_name, holidays.names))
