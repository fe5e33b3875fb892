"""Group means of predictors for correlated random effects (Mundlak, 1978, Econometrica 46).

For a regressor x_gt, the population coefficient of x_gt next to that of its group mean is the effect within groups; the
mean's own coefficient is what groups of high and low average differ by beyond that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.data.findings import Finding
from dsam_assets.errors import ConfigError, DataError, DesignError

DEFAULT_PREFIX = "cre_mean_"
NEGLIGIBLE = 1e-8  # of the column's own standard deviation, or of its size where it does not vary at all

MORE_VARIABLES_THAN_GROUPS = "cre_more_variables_than_groups"
NO_WITHIN_VARIATION = "cre_no_within_variation"


@dataclass(frozen=True)
class CreMeans:
    """A frame with its group means.

    Attributes:
        frame: the given columns and, at the end, one mean per variable; means of an earlier call are replaced.
        terms: names of the mean columns, in the order of the variables; they join the population formula.
        group: columns of the grouping key.
        findings: identification warnings, empty when there are none.
    """

    frame: pd.DataFrame
    terms: tuple[str, ...]
    group: tuple[str, ...]
    findings: tuple[Finding, ...]


def cre_terms(variables: Sequence[str], prefix: str = DEFAULT_PREFIX) -> tuple[str, ...]:
    """Names of the mean columns."""
    return tuple(f"{prefix}{name}" for name in variables)


def resolve_cre_group(group: str | None, factors: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Columns of the key to average over.

    Args:
        group: `cre.group`; a composite key is written `market:brand`.
        factors: grouping keys of the formula's group terms.

    Raises:
        ConfigError: no group term, an unknown group, or several group terms and none named.
    """
    known = list(dict.fromkeys(factors))
    names = ", ".join(":".join(key) for key in known)
    if not known:
        raise ConfigError(
            "CRE needs a hierarchical model.",
            where="cre.enabled",
            got="a formula without group terms",
            fix="Add a term such as (1 | market) to model.formula, or set cre.enabled: false.",
        )
    if group is None:
        if len(known) > 1:
            raise ConfigError(
                "The formula has several groupings, and cre.group does not say which to average over.",
                where="cre.group",
                wanted=f"one of {names}",
            )
        return known[0]
    wanted = set(group.split(":"))
    found = next((key for key in known if set(key) == wanted), None)
    if found is None:
        raise ConfigError(
            f"cre.group is not a grouping of the formula: {group}.",
            where="cre.group",
            wanted=f"one of {names}",
            fix="Name one of these, or add a group term for it to model.formula.",
        )
    return found


def refuse_varying_means(means: Sequence[str], varying: Sequence[str]) -> None:
    """Refuse CRE means among the varying terms: within a group its mean is a constant, like the group's intercept.

    Args:
        means: names of the mean columns.
        varying: terms (or columns) that vary by group in any group term.

    Raises:
        ConfigError: a mean varies.
    """
    twice = [name for name in means if name in set(varying)]
    if twice:
        raise ConfigError(
            "CRE means cannot vary by group.",
            where="model.formula",
            got=", ".join(twice),
            wanted="group terms without these columns: they would count the same differences twice",
            fix="Remove them from the group term.",
        )


def require_varying_means(made: CreMeans, rows: NDArray[np.intp]) -> None:
    """Refuse means that are the same in every modelled row: they could not be told from the intercept.

    Raises:
        DesignError: a mean is constant.
    """
    constant = [term for term in made.terms if _is_constant(made.frame[term].iloc[rows])]
    if constant:
        raise DesignError(
            "Constant CRE mean terms: the variable has the same mean in every group.",
            where="cre.vars",
            got=", ".join(constant),
            wanted="variables whose averages differ between groups",
            fix="Leave these variables out of cre.vars, or go without CRE: cre.enabled: false and model.type: re.",
        )


def cre_means(
    frame: pd.DataFrame,
    variables: Sequence[str],
    group: Sequence[str],
    prefix: str = DEFAULT_PREFIX,
    rows: NDArray[np.intp] | None = None,
) -> CreMeans:
    """Add the group mean of each variable as a column.

    Missing values are left out of the means; a group without any value has a missing mean. Rows without a group have
    none either.

    Args:
        frame: the panel, one row per observation; not changed.
        variables: numeric columns.
        group: columns of the grouping key.
        prefix: put before the variables' names.
        rows: positions of the rows that are modelled, which the means are taken over; all by default.

    Raises:
        ConfigError: no variables, one named twice, or an empty prefix.
        DataError: a column is missing or not numeric.
    """
    _require_names(variables, prefix)
    _refuse_own_means(variables, group, prefix)
    for name in (*variables, *group):
        _require_column(frame, name)
    for name in variables:
        _require_numeric(frame, name)
    terms = cre_terms(variables, prefix)
    kept = frame.drop(columns=[term for term in terms if term in frame.columns])
    modelled = np.ones(len(kept), dtype=bool) if rows is None else np.isin(np.arange(len(kept)), rows)
    values = kept[list(variables)].astype(float)
    values.loc[~modelled] = np.nan
    by_group = pd.concat([kept[list(group)], values], axis=1).groupby(list(group), observed=True, sort=False)
    means = {term: by_group[name].transform("mean").astype(float) for term, name in zip(terms, variables, strict=True)}
    made = kept.assign(**means)
    groups = len(kept.loc[modelled, list(group)].dropna().drop_duplicates())
    return CreMeans(made, terms, tuple(group), _findings(made.loc[modelled], variables, terms, group, groups))


def _require_names(variables: Sequence[str], prefix: str) -> None:
    twice = sorted({name for name in variables if list(variables).count(name) > 1})
    if not variables or twice:
        raise ConfigError(
            "CRE needs a list of different variables.",
            where="cre.vars",
            got=f"twice: {', '.join(twice)}" if twice else "an empty list",
            fix="Name the time-varying predictors whose group means may go with the groups' levels.",
        )
    if not prefix:
        raise ConfigError("The prefix of the CRE means is empty, so they would replace their own variables.",
                          where="cre.prefix", wanted=f"a prefix such as {DEFAULT_PREFIX}")  # fmt: skip


def _refuse_own_means(variables: Sequence[str], group: Sequence[str], prefix: str) -> None:
    clash = [term for term in cre_terms(variables, prefix) if term in {*variables, *group}]
    if clash:
        raise ConfigError(
            "A CRE mean has the name of a column that it is computed from.",
            where="cre.vars",
            got=", ".join(clash),
            fix="Choose another cre.prefix, or take the mean column out of cre.vars.",
        )


def _require_column(frame: pd.DataFrame, name: str) -> None:
    if name not in frame.columns:
        raise DataError(
            f"A column that CRE needs is not in the data: {name}.",
            where="cre",
            wanted="one of " + ", ".join(str(column) for column in frame.columns),
        )


def _require_numeric(frame: pd.DataFrame, name: str) -> None:
    dtype = frame[name].dtype
    if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        raise DataError(
            f"The CRE variable {name} is not numeric.",
            where=f"column {name}",
            got=f"dtype {dtype}",
            wanted="numbers",
            fix="Remove it from cre.vars, or correct the data.",
        )


def _findings(
    made: pd.DataFrame, variables: Sequence[str], terms: Sequence[str], group: Sequence[str], groups: int
) -> tuple[Finding, ...]:
    found = []
    key = ":".join(group)
    if len(variables) > groups:
        text = f"{len(variables)} CRE variables for {groups} groups of {key}: their means are weakly identified."
        found.append(Finding(MORE_VARIABLES_THAN_GROUPS, key, len(variables), groups, text))
    for name, term in zip(variables, terms, strict=True):
        within, limit = _within_spread(made[name], made[term])
        if not within > limit:
            text = f"{name} hardly varies within the groups of {key}: its effect within groups is weakly identified."
            found.append(Finding(NO_WITHIN_VARIATION, name, within, limit, text))
    return tuple(found)


def _within_spread(values: pd.Series, means: pd.Series) -> tuple[float, float]:
    """Standard deviation of the deviations from the group means, and the size below which it counts as none."""
    x = values.to_numpy(dtype=float, na_value=np.nan)
    deviations = x - means.to_numpy(dtype=float)
    deviations = deviations[np.isfinite(deviations)]
    present = x[np.isfinite(x)]
    if deviations.size < 2:
        return 0.0, 0.0
    size = max(float(present.std(ddof=1)), float(np.abs(present).max()) * np.finfo(float).eps)
    return float(deviations.std(ddof=1)), NEGLIGIBLE * size


def _is_constant(values: pd.Series) -> bool:
    present = values.dropna().to_numpy(dtype=float)
    return present.size == 0 or bool(np.ptp(present) <= NEGLIGIBLE * np.abs(present).max())
