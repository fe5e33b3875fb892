"""Bayesian updating of an ordinary least squares fit: its formula, and priors from its estimates.

Every coefficient's prior is normal with the OLS estimate as mean and its standard error as sd, independent of the
others, as the original's `default_prior.bayes_lm_updater` has it; `noise_sd` keeps its default prior. Correlations
between the estimates are not carried over. The results are read by their attributes (`params`, `bse`, `scale`,
`model`), so statsmodels need not be imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.design.patsy_terms import Part, column_parts, difference, translated
from dsam_assets.design.priors import Family
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.design.syntax import deparse, quote_name
from dsam_assets.errors import DesignError, DsamError, FormulaError

WHERE = "OLS results"
CONSTANT = "const"  # the column that statsmodels' add_constant makes
PATSY_INTERCEPT = "Intercept"
PERFECT = 1e-10  # residual sd relative to the response below which the residuals are rounding errors
_SHOWN = 6

Parts = tuple[Part, ...]


@dataclass(frozen=True)
class OlsPrior:
    """A row of `priors.overrides`: normal with the OLS estimate as mean and its standard error as sd, in data units."""

    parameter: str
    mean: float
    sd: float
    family: Family = "normal"


@dataclass(frozen=True)
class OlsModel:
    """A model that updates an OLS fit.

    Attributes:
        formula: in R's notation, offset included.
        priors: one row per coefficient, `(Intercept)` included, by the names that a model matrix of the formula gives
            its columns.
        columns: what a frame must have to be modelled, in the formula's order.
    """

    formula: str
    priors: tuple[OlsPrior, ...]
    columns: tuple[str, ...]


def ols_model(results: Any, *, response: str | None = None, offset: str | None = None) -> OlsModel:
    """Formula and priors from fitted OLS results.

    OLS has no offset. A model with one is fitted to the response minus the offset, on the scale of the model:

        ols = smf.ols("I(np.log(kpi) - log_base) ~ m_tv", data).fit()
        ols_model(ols, offset="offset(log_base)")            # log(kpi) ~ m_tv + offset(log_base)

        ols = sm.OLS(np.log(data.kpi) - data.log_base, sm.add_constant(data[["m_tv"]])).fit()
        ols_model(ols, response="log(kpi)", offset="offset(log_base)")

    Args:
        results: of `smf.ols(formula, data).fit()`, or of `sm.OLS(endog, exog).fit()` with a DataFrame `exog`, whose
            columns are then columns of the data and `const` the intercept. Standard errors are those of the results,
            robust ones too.
        response: the formula's left side, `kpi` or `log(kpi)`. Needed where `endog` is not a column of the data under
            its own name: `sm.OLS(np.log(data.kpi), …)` is named kpi all the same, and nothing in the results tells.
        offset: `offset(…)`, what was subtracted from the response before the OLS fit.

    Raises:
        DesignError: not OLS, a term that has no counterpart in R's notation, an offset that the OLS fit does not have,
            or estimates without a finite positive standard error (rank deficiency, no residual degree of freedom,
            perfect fit).
    """
    _require_ols(results)
    model, names = results.model, [str(name) for name in results.model.exog_names]
    by_formula = getattr(model, "formula", None) is not None
    parts = [_formula_parts(name) for name in names] if by_formula else _frame_parts(model, names)
    left = response if response is not None else _response(model, offset, by_formula)
    formula = _parsed(left, parts, offset)
    coded = _Levels(model) if by_formula else None
    parameters = [_parameter(formula, one, name, coded) for one, name in zip(parts, names, strict=True)]
    if by_formula:
        _require_same_columns(formula, model, parameters)
    estimates, errors = _estimates(results, names)
    rows = zip(parameters, estimates, errors, strict=True)
    return OlsModel(formula.text, tuple(OlsPrior(*row) for row in rows), formula.variables)


def _require_ols(results: Any) -> None:
    lacking = [name for name in ("params", "bse", "model", "scale") if not hasattr(results, name)]
    kind = type(getattr(results, "model", None)).__name__
    if lacking or kind != "OLS":
        raise DesignError(
            "These are not the results of an ordinary least squares fit.",
            where=WHERE,
            got=f"{type(results).__name__} without {', '.join(lacking)}" if lacking else f"results of {kind}",
            wanted="smf.ols(formula, data).fit() or sm.OLS(endog, exog).fit(), without weights and regularisation",
            fix="Fit the model by OLS, or give blm() a formula and priors.",
        )


def _formula_parts(name: str) -> Parts:
    return () if name == PATSY_INTERCEPT else column_parts(name)


def _frame_parts(model: Any, names: Sequence[str]) -> list[Parts]:
    """Columns of a frame, literally; the constant has no parts."""
    exog = getattr(model.data, "orig_exog", None)
    if not isinstance(exog, pd.DataFrame):
        raise DesignError(
            "The OLS fit does not know the names of its columns.",
            where=WHERE,
            got=f"exog is of type {type(exog).__name__}",
            wanted="a DataFrame whose columns are columns of the data",
            fix="Fit it again with a DataFrame, or by smf.ols(formula, data).",
        )
    coded = [name for name in names if name.endswith("]")]
    if coded:
        raise DesignError(
            "The OLS fit has columns that a formula made, and not the formula.",
            where=WHERE,
            got=", ".join(coded[:_SHOWN]),
            fix="Fit it again by smf.ols(formula, data).",
        )
    for name in {CONSTANT, PATSY_INTERCEPT} & set(names):
        if not np.all(exog[name].to_numpy() == 1):
            raise DesignError(f"The column {name} stands for the intercept and is not all ones.", where=WHERE)
    return [() if name in (CONSTANT, PATSY_INTERCEPT) else (Part(quote_name(name)),) for name in names]


def _response(model: Any, offset: str | None, by_formula: bool) -> str:
    """The left side of the formula, from the name of the response."""
    name = str(model.endog_names)
    if not by_formula:
        if offset is not None or getattr(getattr(model.data, "orig_endog", None), "name", None) is None:
            raise DesignError(
                "The OLS fit does not say what its response was made of.",
                where=WHERE,
                got="a response without a name" if offset is None else f"a response named {name}, and an offset",
                fix="Name it, for example ols_model(results, response='log(kpi)').",
            )
        return quote_name(name)
    sides = difference(name, name)
    if offset is None and sides is None:
        return translated(name, name)
    subtracted = None if sides is None else f"offset({sides[1]})"
    if sides is None or offset is None or subtracted != offset.strip():
        raise DesignError(
            "The OLS fit and the offset do not go together: OLS must be fitted to the response minus the offset.",
            where=WHERE,
            got=f"response {name}, offset {offset or 'none'}",
            wanted=f"offset='{subtracted}'" if subtracted else f"a response such as I({name} - …)",
            fix="Subtract in the OLS formula what offset= says, or name the model's response with response=.",
        )
    return sides[0]


def _parsed(left: str, parts: Sequence[Parts], offset: str | None) -> Formula:
    """The formula, checked: as many offsets as asked for, and a response that a model can have."""
    terms = dict.fromkeys(":".join(part.factor for part in one) for one in parts if one)
    empty = "0" if all(parts) else "" if terms else "1"
    pieces = [*([empty] if empty else []), *terms, *([] if offset is None else [offset.strip()])]
    try:
        formula = parse_formula(f"{left} ~ {' + '.join(pieces)}")
    except FormulaError as error:
        raise DesignError(
            f"The OLS fit makes no formula that can be modelled. {error.what}",
            where=WHERE,
            got=error.got,
            fix=error.fix,
        ) from error
    if len(formula.offsets) != (offset is not None) or len(formula.terms) != len(terms):
        raise DesignError("offset= takes one offset(…) and nothing else.", where="offset", got=offset)
    return formula


class _Levels:
    """Which levels the categorical columns of a formula fit have, as R writes them."""

    def __init__(self, model: Any) -> None:
        self.frame = getattr(model.data, "frame", None)

    def level(self, part: Part, column: str) -> str:
        """R's level of a coded part: `T.north` → `north`, `T.True` of a boolean column → `TRUE`."""
        known = self._known(part, column)
        suffix = str(part.suffix)
        for text in (suffix, suffix.removeprefix("T.")):
            if text in known:
                return known[text]
        raise DesignError(
            f"The term {column} of the OLS fit is coded in another way than by levels against the first.",
            where=WHERE,
            got=column,
            wanted="treatment contrasts, " + ", ".join(f"{part.factor}[T.{text}]" for text in list(known)[1:_SHOWN]),
            fix="Write the column alone, or C(column), in the OLS formula.",
        )

    def _known(self, part: Part, column: str) -> dict[str, str]:
        name = part.factor.strip("`")
        if not isinstance(self.frame, pd.DataFrame) or name not in self.frame.columns:
            raise DesignError(
                f"The levels of {column} are not known: the OLS results hold no data with the column {name}.",
                where=WHERE,
                fix="Fit it again by smf.ols(formula, data) with the column in the data.",
            )
        values = self.frame[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            raise DesignError(
                f"The term {column} of the OLS fit makes a factor of numbers.",
                where=WHERE,
                got=f"{name} of dtype {values.dtype}",
                fix=f"Make {name} a text column in the data, and fit the OLS to that.",
            )
        found = (
            list(values.cat.categories)
            if isinstance(values.dtype, pd.CategoricalDtype)
            else sorted(values.dropna().unique(), key=str)
        )
        return {str(level): str(level).upper() if isinstance(level, bool | np.bool_) else str(level) for level in found}


def _parameter(formula: Formula, parts: Parts, column: str, coded: _Levels | None) -> str:
    """The name that a model matrix of the formula gives the column: factors in the order of the formula's term."""
    if not parts:
        return INTERCEPT
    suffix: Mapping[str, str] = {
        part.factor: "" if part.suffix is None or coded is None else coded.level(part, column) for part in parts
    }
    for term in formula.terms:
        factors = [deparse(node) for node in term.factors]
        if set(factors) == set(suffix):
            return ":".join(factor + suffix[factor] for factor in factors)
    raise DesignError(f"The term {column} of the OLS fit is not a term of {formula.text}.", where=WHERE, got=column)


def _require_same_columns(formula: Formula, model: Any, parameters: Sequence[str]) -> None:
    """The formula must give the columns of the OLS fit on the OLS fit's own data."""
    frame = getattr(model.data, "frame", None)
    if not isinstance(frame, pd.DataFrame):
        return
    try:
        matrix = build_model_matrix(formula, frame)
    except DsamError as error:
        raise DesignError(
            f"The data of the OLS fit cannot be modelled. {error.what}", where=WHERE, got=error.got, fix=error.fix
        ) from error
    place = {name: position for position, name in enumerate(matrix.terms)}
    exog = np.asarray(model.exog, dtype=float)
    other = sorted(set(place) ^ set(parameters))
    if not other and exog.shape == matrix.values.shape:
        ours = matrix.values[:, [place[name] for name in parameters]]
        same = np.isclose(exog, ours, rtol=1e-9, atol=1e-12).all(axis=0)
        other = [name for name, equal in zip(parameters, same, strict=True) if not equal]
        if not other:
            return
    raise DesignError(
        "The OLS fit codes its columns in another way than the model would.",
        where=WHERE,
        got=", ".join(other[:_SHOWN]) or f"{len(exog):,} rows instead of {len(matrix.values):,}",
        wanted=f"the columns of {formula.text}",
        fix="Give text columns an explicit order (a pandas Categorical), and write main effects beside interactions.",
    )


def _estimates(results: Any, names: Sequence[str]) -> tuple[list[float], list[float]]:
    """Estimates and standard errors, all finite, errors positive."""
    estimates, errors = (np.asarray(values, dtype=float) for values in (results.params, results.bse))
    bad = [
        name for name, b, se in zip(names, estimates, errors, strict=True) if not (np.isfinite(b) and 0 < se < np.inf)
    ]
    rank, noise = getattr(results.model, "rank", len(names)), float(results.scale) ** 0.5
    size = float(np.abs(np.asarray(results.model.endog, dtype=float)).max())
    reason = (
        f"its columns are linearly dependent (rank {rank} of {len(names)})" if rank < len(names)
        else "it fits perfectly: its residuals are rounding errors" if noise <= PERFECT * size
        else "it has no finite positive standard error for " + ", ".join(bad[:_SHOWN]) if bad
        else None
    )  # fmt: skip
    if reason is not None:
        raise DesignError(
            f"The OLS fit gives no priors: {reason}.",
            where=WHERE,
            got=", ".join(bad[:_SHOWN]) or None,
            wanted="an estimate and a standard error above 0 for every coefficient",
            fix="Remove terms from the OLS fit, or give it more rows.",
        )
    return estimates.tolist(), errors.tolist()
