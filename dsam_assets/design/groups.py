"""Group terms of a formula: which effects vary, and over which groups.

As in lme4, `(1 + x | g)` and `(x | g)` let intercept and slope vary, `(0 + x | g)` the slope alone. Deviations are
independent between terms, so `(1 + x | g)` is the same model as `(1 | g) + (0 + x | g)`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.design.columns import column, rows_text
from dsam_assets.design.formula import BarTerm, Formula
from dsam_assets.design.matrix import ModelMatrix, build_model_matrix
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.errors import DataError, DesignError
from dsam_assets.scales import FloatArray

IntArray = NDArray[np.intp]
KEY_JOINT = ":"


@dataclass(frozen=True)
class Grouping:
    """Which group each row belongs to: codes into the sorted level labels, shape (N,)."""

    codes: IntArray
    levels: tuple[str, ...]


@dataclass(frozen=True)
class GroupTerm:
    """One group term of the formula, in data units.

    Attributes:
        index: position among the formula's group terms, counted from 1.
        group: columns of the grouping key; two for `market:brand`.
        terms: R's names of the varying columns, length J, `(Intercept)` first when it varies.
        values: the varying columns, shape (N, J), same rows as the population design.
        codes: group of each row as a position in `levels`, shape (N,).
        levels: labels of the groups, sorted, length G; `uk:acme` for a composite key.
    """

    index: int
    group: tuple[str, ...]
    terms: tuple[str, ...]
    values: FloatArray
    codes: IntArray
    levels: tuple[str, ...]

    @property
    def key(self) -> str:
        """The grouping key as the formula writes it, `market:brand`."""
        return KEY_JOINT.join(self.group)

    @property
    def sd_names(self) -> tuple[str, ...]:
        """Names of the standard deviations of this term's deviations: `sd_1[(Intercept)]`, `sd_1[m_tv]`, …"""
        return tuple(f"sd_{self.index}[{term}]" for term in self.terms)


def build_group_terms(
    formula: Formula,
    frame: pd.DataFrame,
    matrix: ModelMatrix,
    *,
    date_var: str | None = None,
    groups: tuple[str, ...] = (),
) -> tuple[GroupTerm, ...]:
    """The group terms of a formula, on the rows of its population design.

    Args:
        formula: a formula with at least one group term.
        frame: the data that `matrix` was built from.
        matrix: the population design.
        date_var, groups: as for `build_model_matrix`.

    Raises:
        DesignError: no group term, fewer than 2 groups, or a group for every row.
        DataError: missing or ambiguous group keys.
    """
    if not formula.bar_terms:
        raise DesignError(
            "A hierarchical model needs a group term.",
            where="model.formula",
            got=formula.text[:200],
            fix="Add a term such as (1 | market), or fit a blm.",
        )
    return tuple(
        _group_term(index, formula, bar, frame, matrix, date_var, groups)
        for index, bar in enumerate(formula.bar_terms, start=1)
    )


def _group_term(
    index: int,
    formula: Formula,
    bar: BarTerm,
    frame: pd.DataFrame,
    matrix: ModelMatrix,
    date_var: str | None,
    groups: tuple[str, ...],
) -> GroupTerm:
    grouping = group_codes(frame, bar.group, matrix.rows)
    _require_groups(bar.group, grouping)
    varying = build_model_matrix(_effects_alone(formula, bar), frame, date_var=date_var, groups=groups)
    return GroupTerm(index, bar.group, varying.terms, varying.values, grouping.codes, grouping.levels)


def _effects_alone(formula: Formula, bar: BarTerm) -> Formula:
    """The group term's effects as a population formula. The population's own terms stay behind the bar, where they
    add no column, but a row that lacks one of them is still dropped."""
    behind = BarTerm(formula.terms, False, formula.bar_terms[0].group)
    return replace(formula, terms=bar.terms, intercept=bar.intercept, bar_terms=(*formula.bar_terms, behind))


def group_codes(frame: pd.DataFrame, group: Sequence[str], rows: IntArray) -> Grouping:
    """Groups of the given rows.

    Levels are sorted column by column: numbers by size, categories as declared, text ignoring case. Only levels that
    one of the rows has are kept.

    Raises:
        DataError: a missing key, or two composite keys with the same label.
    """
    parts = [_column_codes(frame, name, rows) for name in group]
    keys = np.column_stack([part.codes for part in parts])
    distinct, codes = np.unique(keys, axis=0, return_inverse=True)
    levels = tuple(KEY_JOINT.join(part.levels[code] for part, code in zip(parts, key, strict=True)) for key in distinct)
    twice = [label for label, count in Counter(levels).items() if count > 1]
    if twice:
        raise DataError(
            f"Different groups of {KEY_JOINT.join(group)} have the same label",
            where="columns " + ", ".join(group),
            got=twice[0],
            wanted=f"keys that stay different when joined by {KEY_JOINT}",
            fix=f"remove {KEY_JOINT} from the values of these columns",
        )
    return Grouping(codes.reshape(-1).astype(np.intp), levels)


def _column_codes(frame: pd.DataFrame, name: str, rows: IntArray) -> Grouping:
    series = column(frame, name).iloc[rows]
    missing = series.isna().to_numpy(dtype=bool)
    if missing.any():
        raise DataError(
            f"The group column {name} has missing values",
            where=f"column {name}",
            got=f"{int(missing.sum()):,} missing, {rows_text(missing)}",
            fix="fill in the groups, or drop these rows",
        )
    if isinstance(series.dtype, pd.CategoricalDtype):
        kept = series.cat.remove_unused_categories().cat
        return Grouping(kept.codes.to_numpy().astype(np.intp), tuple(str(level) for level in kept.categories))
    codes, found = pd.factorize(series)
    order = sorted(range(len(found)), key=lambda position: _sort_key(found[position]))
    rank = np.empty(len(found), dtype=np.intp)
    rank[order] = np.arange(len(found))
    return Grouping(rank[codes], tuple(_label(found[position]) for position in order))


def _sort_key(level: object) -> tuple[float, str, str]:
    if isinstance(level, int | float | np.number) and not isinstance(level, bool):
        return float(level), "", ""
    return np.inf, str(level).casefold(), str(level).swapcase()


def _label(level: object) -> str:
    """A group's label; whole numbers without a decimal point, whatever type the file gave them."""
    whole = isinstance(level, float | np.floating) and float(level).is_integer()
    return str(int(level)) if whole else str(level)  # type: ignore[call-overload]


def _require_groups(group: Sequence[str], grouping: Grouping) -> None:
    key, count = KEY_JOINT.join(group), len(grouping.levels)
    if count < 2:
        raise DesignError(
            f"The grouping {key} has only one group.",
            where=f"model.formula, group term of {key}",
            got=grouping.levels[0],
            wanted="at least 2 groups, better 4 or more",
            fix="Leave this group term out of the formula, or add the other groups to the data.",
        )
    if count == len(grouping.codes):
        raise DesignError(
            f"The grouping {key} has a group of its own for every row.",
            where=f"model.formula, group term of {key}",
            got=f"{count:,} groups in {count:,} rows",
            wanted="groups of several rows: otherwise a deviation and the residual are the same thing",
            fix="Group by a coarser column.",
        )


def panel_units(groups: Sequence[GroupTerm]) -> Grouping:
    """The panel unit of each row: its combination of all grouping columns, labelled `uk:acme`."""
    kept: list[GroupTerm] = []
    for group in sorted(groups, key=lambda group: -len(group.group)):
        if not any(set(group.group) <= set(other.group) for other in kept):
            kept.append(group)
    keys = np.column_stack([group.codes for group in kept])
    distinct, unit = np.unique(keys, axis=0, return_inverse=True)
    names = [KEY_JOINT.join(group.levels[code] for group, code in zip(kept, key, strict=True)) for key in distinct]
    return Grouping(unit.reshape(-1).astype(np.intp), tuple(names))


def varying_only(matrix: ModelMatrix, groups: Sequence[GroupTerm]) -> tuple[str, ...]:
    """Varying terms without a population coefficient. Allowed, as in lme4: their deviations are around zero."""
    named = dict.fromkeys(term for group in groups for term in group.terms)
    return tuple(term for term in named if term not in matrix.terms)


def has_own_intercept(group: GroupTerm, groups: Sequence[GroupTerm]) -> GroupTerm | None:
    """The group term over the same groups in which the intercept varies, `group` itself or another, if any."""
    candidates = (other for other in groups if set(other.group) == set(group.group) and INTERCEPT in other.terms)
    return next(candidates, None)
