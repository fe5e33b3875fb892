"""The model of one time fold: what a user would have fitted at its origin, and the rows that it predicts.

The formula is evaluated once, on all rows, so that both parts of a fold have the same columns and `lag()` at the origin
looks back into the training weeks. Everything that is estimated from data is estimated from training rows alone:

- scaling and the default priors that follow from it, by building the design from the training rows;
- the group means of correlated random effects. A unit without training rows has no mean there; its own predictors in
  the held-out weeks are known to whoever predicts it, so their mean stands in. It never reaches the fit;
- which groups there are: a unit that appears later is new to the fit, see `new_groups`.

A column that is constant in the training rows (the dummy of an event that first happens in the held-out weeks) has a
coefficient that those rows say nothing about and, standardised, no scale. The model would be refused at that date and
fitted without it, so it is left out of the fold, its priors with it, and the fold says so. Media groups below
`pooling.min_waves` are decided once, on all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.config.schema_data import CreSection, DataSection
from dsam_assets.config.schema_model import BoundariesSection, PriorsSection
from dsam_assets.config.slices import FormulaSlice, PriorsSlice
from dsam_assets.data.cre import cre_means, resolve_cre_group
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.additions import ModelInputs
from dsam_assets.design.build import matrix_from_slices
from dsam_assets.design.checks import CONSTANT_TOLERANCE
from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign, model_design
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.design.syntax import names_in
from dsam_assets.errors import DesignError
from dsam_assets.fit.refits import RefitInputs
from dsam_assets.scales import FloatArray
from dsam_assets.selection.time_folds import Fold

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class FoldSource:
    """What the folds of one model are cut from.

    Attributes:
        formula, data: the config's sections.
        inputs: formula and frame with the generated columns.
        matrix: all modelled rows.
        pooling: labels of a pooled model.
    """

    formula: FormulaSlice
    data: DataSection
    inputs: ModelInputs
    matrix: ModelMatrix
    pooling: PoolingMap | None = None

    @property
    def predicts_from_response(self) -> bool:
        """Whether `lag()` or `lead()` puts the KPI among the predictors."""
        formula = self.inputs.formula
        terms = [*formula.terms, *(term for bar in formula.bar_terms for term in bar.terms)]
        nodes = [*(factor for term in terms for factor in term.factors), *formula.offsets]
        return any(name.name == formula.response_column for node in nodes for name in names_in(node))


@dataclass(frozen=True)
class FoldModel:
    """One fold's two sets of rows.

    Attributes:
        train: the rows before the origin, with the groups that they have.
        holdout: the rows that are predicted, in the fold's order, with the same columns; its groups are those of
            `train`, in their order, then new ones.
        left_out: terms that the fold does without, constant in its training rows.
        new_groups: per grouping key, groups without a training row.
    """

    train: ModelMatrix
    holdout: ModelMatrix
    left_out: tuple[str, ...]
    new_groups: tuple[str, ...]


def fold_source(inputs: RefitInputs) -> FoldSource:
    """Evaluate the model once on all rows; raises as `RefitInputs.built`."""
    made, matrix = inputs.built(inputs.formula)
    return FoldSource(inputs.formula, inputs.data, made, matrix, inputs.pooling)


def fold_model(source: FoldSource, fold: Fold) -> FoldModel:
    """Cut one fold.

    Raises:
        DesignError: the training rows cannot carry the model.
    """
    matrix = _with_past_means(source, fold) if source.formula.cre.enabled else source.matrix
    train = _only_past_responses(source, fold) if source.predicts_from_response else fold.train
    return _without_constants(matrix, train, fold.holdout)


def _with_past_means(source: FoldSource, fold: Fold) -> ModelMatrix:
    """All rows, with group means over the training rows; elsewhere for groups that have none."""
    rows = source.matrix.rows
    # the means over all rows only keep rows of the weeks after the block, which this fold does not use
    inputs = with_past_means(source.inputs, source.formula.cre, rows[fold.train], rows[fold.holdout], rows)
    return matrix_from_slices(inputs, source.formula, source.data, None).matrix


def with_past_means(inputs: ModelInputs, cre: CreSection, past: IntArray, *later: IntArray) -> ModelInputs:
    """Group means over the rows `past` of the frame; a group that has none there takes those of the first of `later`
    that it is in."""
    group = resolve_cre_group(cre.group, [bar.group for bar in inputs.formula.bar_terms])
    made, *others = (cre_means(inputs.frame, cre.vars, group, cre.prefix, chosen) for chosen in (past, *later))
    filled = made.frame
    for other in others:
        filled = filled.assign(**{term: filled[term].fillna(other.frame[term]) for term in made.terms})
    return replace(inputs, frame=filled)


def _only_past_responses(source: FoldSource, fold: Fold) -> IntArray:
    """Training rows that have no later response among their predictors, as `lead(kpi)` would give them."""
    frame, rows = source.inputs.frame, source.matrix.rows
    known = np.ones(len(frame), dtype=bool)
    known[rows] = False
    known[rows[fold.train]] = True
    name = source.matrix.response_name
    masked = frame.assign(**{name: frame[name].astype(float).where(known)})
    data = source.data.model_copy(update={"na_action": "omit"})
    masked_inputs = replace(source.inputs, frame=masked)
    usable = matrix_from_slices(masked_inputs, source.formula, data, source.pooling).matrix.rows
    return fold.train[np.isin(rows[fold.train], usable)]


def _without_constants(matrix: ModelMatrix, train: IntArray, holdout: IntArray) -> FoldModel:
    flat = {term for term, bad in zip(matrix.terms, _flat(matrix.values[train]), strict=True) if bad}
    flat |= {
        term
        for group in matrix.groups
        for term, bad in zip(group.terms, _flat(group.values[train]), strict=True)
        if bad
    }
    flat.discard(INTERCEPT)
    columns = [position for position, term in enumerate(matrix.terms) if term not in flat]
    groups = [cut_group(group, flat, train, holdout) for group in matrix.groups]
    kept = replace(
        matrix,
        terms=tuple(matrix.terms[position] for position in columns),
        values=matrix.values[:, columns],
        group_means=tuple(term for term in matrix.group_means if term not in flat),
        pooling=_kept_labels(matrix.pooling, flat),
    )
    return FoldModel(
        train=take_rows(kept, train, tuple(past for past, _ in groups)),
        holdout=take_rows(kept, holdout, tuple(later for _, later in groups)),
        left_out=tuple(sorted(flat)),
        new_groups=tuple(
            f"{later.key}: {level}" for past, later in groups for level in later.levels[len(past.levels) :]
        ),
    )


def _flat(values: FloatArray) -> NDArray[np.bool_]:
    """Columns that are constant up to rounding."""
    low, high = values.min(axis=0), values.max(axis=0)
    return np.asarray(high - low <= CONSTANT_TOLERANCE * np.maximum(np.abs(low), np.abs(high)))


def take_rows(matrix: ModelMatrix, chosen: IntArray, groups: tuple[GroupTerm, ...]) -> ModelMatrix:
    """Some rows of a model matrix, with the group terms of those rows."""
    return replace(
        matrix,
        values=matrix.values[chosen],
        response=matrix.response[chosen],
        offset=matrix.offset[chosen],
        rows=matrix.rows[chosen],
        groups=groups,
    )


def cut_group(group: GroupTerm, flat: Set[str], train: IntArray, holdout: IntArray) -> tuple[GroupTerm, GroupTerm]:
    """The group term without the terms `flat`: on training rows, and on held-out rows with new groups at the end."""
    columns = [position for position, term in enumerate(group.terms) if term not in flat]
    present, past_codes = np.unique(group.codes[train], return_inverse=True)
    _require_model(group, columns, present.size, train.size)
    new = np.setdiff1d(group.codes[holdout], present)
    order = np.concatenate([present, new])
    rank = np.zeros(len(group.levels), dtype=np.intp)
    rank[order] = np.arange(order.size)
    kept = replace(group, terms=tuple(group.terms[position] for position in columns), values=group.values[:, columns])
    past = replace(
        kept,
        values=kept.values[train],
        codes=past_codes.reshape(-1).astype(np.intp),
        levels=tuple(group.levels[code] for code in present),
    )
    later = replace(
        kept,
        values=kept.values[holdout],
        codes=rank[group.codes[holdout]],
        levels=tuple(group.levels[code] for code in order),
    )
    return past, later


def _require_model(group: GroupTerm, columns: Sequence[int], groups: int, rows: int) -> None:
    if not columns or groups < 2 or groups == rows:
        got = f"{groups} groups in {rows} training rows" if columns else f"constant: {', '.join(group.terms)}"
        raise DesignError(f"The training rows cannot tell the groups of {group.key} apart.", got=got)


def _kept_labels(pooling: PoolingMap | None, flat: set[str]) -> PoolingMap | None:
    if pooling is None or not flat & set(pooling.variables):
        return pooling
    kept = pooling.without(sorted(flat))
    if not kept.variables:
        raise DesignError("No pooled variable varies in the training rows.", got=", ".join(pooling.variables))
    return kept


def fold_design(train: ModelMatrix, section: PriorsSlice) -> ModelDesign:
    """The design of the training rows, with those overrides whose parameters it has."""
    bare = section.model_copy(update={"priors": PriorsSection(), "boundaries": BoundariesSection()})
    known = {row.name for row in model_design(train, bare).parameters}
    fitting = section.model_copy(
        update={
            "priors": PriorsSection(overrides=tuple(_of(section.priors.overrides, known))),
            "boundaries": BoundariesSection(overrides=tuple(_of(section.boundaries.overrides, known))),
        }
    )
    return model_design(train, fitting)


def _of(rows: Sequence[Any], known: set[str]) -> Iterator[Any]:
    return (row for row in rows if row.parameter in known)
