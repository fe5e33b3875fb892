"""The weeks ahead under a budget plan: what becomes of the predictors when every period spends what the plan says.

The allocation says what changes with spend: Δη = Σ_c β_c (f_c(s_c) − f_c(reference_c)), f_c being the channel's
response and s_c its spend per period. Two cases, told apart on the data:

- *replaced*: in the modelled rows the channel's column is f(spend of the same row). Then f(plan) takes its place in
  every future row.
- *shifted*: it is not, because the column carries spend over from week to week (adstock) or is made in another way.
  Then f(plan) − f(reference) is added to the column as the future data give it. That is the plan's effect if the future
  data are about at the reference, and if the carry-over of a constant spend has settled, as the allocation assumes.

A plan for several units of a panel together (the average one, or a group of units) says how spend changes, not what
each unit spends: every unit's own mean spend on a channel then changes by the plan's share of the reference. A plan for
a single unit is taken as it is, and units without a plan keep the future data's spend.

A plan spends the same in every period, and future data rarely do. With a concave response evenness alone is worth
something, so where spend ahead is known a third path spends the future data's own mean evenly: the plan minus that path
is what the split and the size of the budget are worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.config.schema_allocation import ChannelSection
from dsam_assets.design.formula import Formula
from dsam_assets.design.groups import panel_units
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.response import Response, response_from
from dsam_assets.design.syntax import names_in
from dsam_assets.forecast.future_rows import FutureRows
from dsam_assets.forecast.joined import IntArray, ModelSource
from dsam_assets.scales import FloatArray

Effect = Literal["replaced", "shifted"]
SAME = 1e-4  # of a column's largest value: files round
ASSUMPTIONS: Mapping[Effect, str] = {
    "replaced": "The response of the plan's spend takes the place of the column in every period.",
    "shifted": "The column is not the response of the same period's spend, so the difference between the responses of "
    "plan and reference is added to it; carry-over is taken to have settled.",
}


@dataclass(frozen=True)
class PlanPaths:
    """Model matrices of the future rows under other spends.

    Attributes:
        matrices: path → matrix: `plan` and, where the spend ahead is known, `even`; empty without a plan.
        channels: one row per channel (and unit of a plan by group): its spends and what became of its column.
        notes: what a reader must know, in sentences.
        skipped: why there is no plan path; empty when there is one.
    """

    matrices: Mapping[str, ModelMatrix]
    channels: pd.DataFrame
    notes: tuple[str, ...] = ()
    skipped: str = ""


@dataclass(frozen=True)
class _Channel:
    """A channel in the future rows; `column` as the future data give it, shape (N,)."""

    name: str
    term: str
    response: Response
    effect: Effect
    column: FloatArray
    spends: _Spends

    def under(self, spend: FloatArray) -> FloatArray:
        """The column when the channel spends so much; as given where the spend is NaN."""
        value = self.response.value(spend)
        if self.effect == "shifted":
            value = self.column + value - self.response.value(self.spends.reference)
        return np.where(np.isfinite(spend), value, self.column)


def no_plan(reason: str) -> PlanPaths:
    """There is no plan to follow."""
    return PlanPaths({}, pd.DataFrame(), skipped=reason)


def plan_paths(
    source: ModelSource, rows: FutureRows, plan: pd.DataFrame, channels: Sequence[ChannelSection]
) -> PlanPaths:
    """The plan's path, and that of even spending.

    Args:
        source: the fitted model and its data.
        rows: the future rows.
        plan: the allocation's table `budget_allocation`: one row per channel and, where it plans for them, per unit.
        channels: the config's `allocation.channels`.
    """
    found = [_channel(channel, source, rows, plan[plan["term"] == channel.term]) for channel in channels]
    planned = np.all([np.isfinite(each.spends.plan) for each in found], axis=0)
    if not planned.any():
        return no_plan("the plan is for panel units that are not forecast")
    matrices = {"plan": _matrix(rows.matrix, {each.term: each.under(each.spends.plan) for each in found})}
    if all(each.effect == "replaced" and np.isfinite(each.spends.even[planned]).all() for each in found):
        even = {each.term: each.under(np.where(planned, each.spends.even, np.nan)) for each in found}
        matrices["even"] = _matrix(rows.matrix, even)
    notes = [*_reach(plan, rows, planned), *_inconsistent(found), *_left_alone(source, found)]
    return PlanPaths(matrices, _table(found, planned), tuple(notes))


@dataclass(frozen=True)
class _Spends:
    """One channel's spend per period in every future row, shape (N,) each: as given ahead, evened, at reference, and
    by the plan; the last two are NaN in rows that the plan does not reach."""

    ahead: FloatArray
    even: FloatArray
    reference: FloatArray
    plan: FloatArray


def _spends(channel: ChannelSection, plan: pd.DataFrame, source: ModelSource, rows: FutureRows) -> _Spends:
    """Spends of one channel. Where one plan is for several panel units, each changes its own mean spend by the same
    share."""
    ahead = _spend(rows.frame, channel.spend_col)
    even = _unit_means(ahead, rows.unit, len(rows.units))[rows.unit]
    own = np.where(np.isfinite(even), even, _past_means(channel, source, rows)[rows.unit])
    reference, planned = np.full(even.size, np.nan), np.full(even.size, np.nan)
    for row in plan.to_dict("records"):
        reached, before, after = _members(rows, str(row["unit"])), row["spend_reference"], row["spend_optimised"]
        shared = np.unique(rows.unit[reached]).size > 1 and before > 0
        reference[reached] = np.where(shared & np.isfinite(own), own, before)[reached]
        planned[reached] = reference[reached] * (after / before) if shared else after
    return _Spends(ahead, even, reference, planned)


def _members(rows: FutureRows, unit: str) -> NDArray[np.bool_]:
    """Rows of a unit of the plan: a panel unit, a level of one grouping key, or with an empty name every row."""
    if not unit:
        return np.ones(len(rows.unit), dtype=bool)
    inside = np.asarray(rows.units, dtype=object)[rows.unit] == unit
    for group in rows.matrix.groups:
        inside |= np.asarray(group.levels, dtype=object)[group.codes] == unit
    return np.asarray(inside, dtype=bool)


def _unit_means(values: FloatArray, unit: IntArray, units: int) -> FloatArray:
    """Mean by unit, shape (units,); NaN where a unit has no rows."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(unit, values, minlength=units) / np.bincount(unit, minlength=units))


def _past_means(channel: ChannelSection, source: ModelSource, rows: FutureRows) -> FloatArray:
    """Mean spend of each future unit in the modelled rows, shape (units,); NaN for new units."""
    if not source.matrix.groups:
        return np.full(len(rows.units), np.nan)
    past = panel_units(source.matrix.groups)
    spend = _spend(source.frame.iloc[source.matrix.rows], channel.spend_col)
    means = dict(zip(past.levels, _unit_means(spend, past.codes, len(past.levels)), strict=True))
    return np.array([means.get(unit, np.nan) for unit in rows.units])


def _channel(channel: ChannelSection, source: ModelSource, rows: FutureRows, plan: pd.DataFrame) -> _Channel:
    response, position = response_from(channel.response), source.matrix.terms.index(channel.term)
    past = _spend(source.frame.iloc[source.matrix.rows], channel.spend_col)
    return _Channel(
        name=channel.name,
        term=channel.term,
        response=response,
        effect="replaced" if _is_response(source.matrix.values[:, position], response, past) else "shifted",
        column=rows.matrix.values[:, position],
        spends=_spends(channel, plan, source, rows),
    )


def _spend(frame: pd.DataFrame, name: str) -> FloatArray:
    if name not in frame.columns or not pd.api.types.is_numeric_dtype(frame[name].dtype):
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _is_response(column: FloatArray, response: Response, spend: FloatArray) -> bool:
    if not np.isfinite(spend).all() or (spend < 0).any():
        return False
    return bool(np.abs(column - response.value(spend)).max() <= SAME * np.abs(column).max())


def _matrix(matrix: ModelMatrix, columns: Mapping[str, FloatArray]) -> ModelMatrix:
    """The matrix with other values of some terms, in the population part and where they vary by group."""
    values = matrix.values.copy()
    groups = [replace(group, values=group.values.copy()) for group in matrix.groups]
    for term, column in columns.items():
        values[:, matrix.terms.index(term)] = column
        for group in groups:
            if term in group.terms:
                group.values[:, group.terms.index(term)] = column
    return replace(matrix, values=values, groups=tuple(groups))


def _table(channels: Sequence[_Channel], planned: NDArray[np.bool_]) -> pd.DataFrame:
    """Means over the rows that the plan reaches."""
    return pd.DataFrame(
        [
            {
                "channel": each.name,
                "term": each.term,
                "effect": each.effect,
                "spend_ahead": each.spends.ahead[planned].mean(),
                "spend_reference": each.spends.reference[planned].mean(),
                "spend_plan": each.spends.plan[planned].mean(),
                "column_ahead": each.column[planned].mean(),
                "column_plan": each.under(each.spends.plan)[planned].mean(),
                "assumption": ASSUMPTIONS[each.effect],
            }
            for each in channels
        ]
    )


def _reach(plan: pd.DataFrame, rows: FutureRows, planned: NDArray[np.bool_]) -> list[str]:
    notes = []
    if any(np.unique(rows.unit[_members(rows, str(unit))]).size > 1 for unit in plan["unit"].unique()):
        notes.append(
            "The plan is for several panel units together: in its path each changes its own mean spend on a channel by "
            "the same share as the plan changes the reference."
        )
    left = [unit for code, unit in enumerate(rows.units) if not planned[rows.unit == code].all()]
    if left:
        notes.append(f"The plan is not for all panel units; these keep the future data's spend: {', '.join(left)}.")
    return notes


def _inconsistent(channels: Sequence[_Channel]) -> list[str]:
    """Channels whose future column is not the response of their future spend, though the data's is."""
    odd = [
        each.name
        for each in channels
        if each.effect == "replaced"
        and np.isfinite(each.spends.ahead).all()
        and not _is_response(each.column, each.response, each.spends.ahead)
    ]
    if not odd:
        return []
    return [f"The future data's column is not the response of its spend for: {', '.join(odd)}; the column is used."]


def _left_alone(source: ModelSource, channels: Sequence[_Channel]) -> list[str]:
    """Further terms that are made of a channel's column, which neither the allocation nor this path changes."""
    from dsam_assets.design.additions import model_formula

    formula: Formula = model_formula(source.formula, source.holidays)
    own = {each.term for each in channels}
    used = {
        name.name for term in formula.terms if term.label in own for factor in term.factors for name in names_in(factor)
    }
    others = [
        term.label
        for term in formula.terms
        if term.label not in own and used & {name.name for factor in term.factors for name in names_in(factor)}
    ]
    return [f"The plan does not change these terms, as in the allocation: {', '.join(others)}."] if others else []
