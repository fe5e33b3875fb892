"""Gate rows about the data, before the fit: enough weeks, spend with exposure, texts for missing, regular weeks.

They only warn: each names what to look at, and none of it makes a model impossible.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.data.weeks import DAYS
from dsam_assets.diagnostics.literal_missing import literal_missing
from dsam_assets.diagnostics.rows import judged, listed, row
from dsam_assets.diagnostics.series import UnitSeries, unit_series, usual_step
from dsam_assets.diagnostics.thresholds import THRESHOLDS, describe
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.design.checks import DesignChecks
    from dsam_assets.design.matrix import ModelMatrix

WEEK = 7
_SHOWN = 3
_NO_DATES = "data.date_var is not set"


class Channel(Protocol):
    """A channel of the config's `allocation.channels`."""

    @property
    def term(self) -> str: ...
    @property
    def spend_col(self) -> str: ...


@dataclass(frozen=True)
class DataFacts:
    """What the checks look at.

    Attributes:
        matrix: the model matrix.
        checks: its numbers, as `design.model_design.model_checks` gives them: a pooled model counts its labels.
        frame: the data, with every column of the file; not changed.
        labels: `design.labels.row_labels` of the matrix.
        channels: channels with a spend column; empty without an allocation.
        used: columns that the model, its dates or its channels read.
    """

    matrix: ModelMatrix
    checks: DesignChecks
    frame: pd.DataFrame
    labels: pd.DataFrame
    channels: Sequence[Channel] = ()
    used: Collection[str] = ()


def data_gates(facts: DataFacts, mode: PolicyMode) -> tuple[GateResult, ...]:
    """p0: the checks of the data, one row each."""
    series = unit_series(facts.labels)
    return (
        weeks_per_parameter_gate(facts.checks, mode),
        weeks_of_data_gate(series, mode),
        idle_spend_gate(facts, mode),
        literal_missing_gate(facts.frame, facts.used, mode),
        week_anchor_gate(series, mode),
        week_gaps_gate(series, mode),
    )


def weeks_per_parameter_gate(checks: DesignChecks, mode: PolicyMode) -> GateResult:
    """p0: modelled rows per coefficient."""
    message = (
        f"{checks.n_rows:,} rows for {checks.n_terms} coefficients: {checks.n_rows / checks.n_terms:.3g} rows each."
    )
    return judged("pre_weeks_per_parameter", checks.n_rows / checks.n_terms, mode, "model", message)


def weeks_of_data_gate(series: Sequence[UnitSeries], mode: PolicyMode) -> GateResult:
    """p0: rows of the panel unit with the fewest, of weekly data (or of data without dates)."""
    if (reason := _not_weekly(series)) not in ("", _NO_DATES):
        return _skipped("pre_weeks_of_data", mode, reason)
    counts = sorted((len(each.rows), each.group) for each in series)
    limit = THRESHOLDS[mode]["pre_weeks_of_data"].warn
    short = [f"{group} ({count:,})" for count, group in counts if count < limit]
    shortest = f"{counts[0][0]:,} {'rows (taken as weeks)' if reason else 'weeks'}"
    message = f"{shortest} of data."
    if len(counts) > 1:
        message = f"{shortest} in the shortest series; units with fewer than {limit:g}: {listed(short)}."
    subject = counts[0][1] if len(counts) > 1 else "model"
    return judged("pre_weeks_of_data", counts[0][0], mode, subject, message)


def idle_spend_gate(facts: DataFacts, mode: PolicyMode) -> GateResult:
    """p0: rows in which a channel has spend and its media column is zero."""
    checked, idle, places = [], 0, []
    for channel in facts.channels:
        if channel.term not in facts.matrix.terms or channel.spend_col not in facts.frame.columns:
            continue
        spend = pd.to_numeric(facts.frame[channel.spend_col].iloc[facts.matrix.rows], errors="coerce").to_numpy()
        rows = np.flatnonzero((spend > 0) & (facts.matrix.values[:, facts.matrix.terms.index(channel.term)] == 0))
        checked.append(channel.term)
        idle += len(rows)
        if len(rows):
            places.append(f"{channel.term} ({channel.spend_col}) {_places(facts.labels, rows)}")
    if not checked:
        return _skipped("pre_spend_without_exposure", mode, "no allocation channel has a spend column and a term")
    message = f"Rows with spend and no exposure: {idle:,}{f' ({"; ".join(places[:_SHOWN])})' if places else ''}."
    subject = listed([place.split(" ", 1)[0] for place in places]) if places else "model"
    return judged("pre_spend_without_exposure", idle, mode, subject, message)


def literal_missing_gate(frame: pd.DataFrame, used: Collection[str], mode: PolicyMode) -> GateResult:
    """p0: cells with a text that stands for a missing value, in columns that are used; others are only mentioned."""
    everywhere = literal_missing(frame)
    found = [each for each in everywhere if each.column in used]
    idle = [each for each in everywhere if each.column not in used]
    message = "; ".join(each.text for each in found[:_SHOWN]) or "No text column in use has words for missing values"
    mentioned = f" Not used: {'; '.join(each.text for each in idle[:_SHOWN])}." if idle else ""
    subject = listed([each.column for each in found]) if found else "model"
    count = sum(each.count for each in found)
    return judged("pre_literal_missing", count, mode, subject, f"{message}.{mentioned}")


def week_anchor_gate(series: Sequence[UnitSeries], mode: PolicyMode) -> GateResult:
    """p0: rows of weekly data that are not on the weekday of most rows."""
    if reason := _not_weekly(series):
        return _skipped("pre_week_anchor", mode, reason)
    dates = np.concatenate([each.dates for each in series if each.dates is not None])
    weekday = (dates.astype("datetime64[D]").astype(np.int64) + 3) % WEEK  # 1970-01-01 was a Thursday
    usual = int(np.bincount(weekday, minlength=WEEK).argmax())
    off = np.unique(dates[weekday != usual])
    shown = ", ".join(f"{date} (a {DAYS[(int(date.astype(np.int64)) + 3) % WEEK].title()})" for date in off[:_SHOWN])
    more = f" and {len(off) - _SHOWN:,} more dates" if len(off) > _SHOWN else ""
    count = int(np.count_nonzero(weekday != usual))
    message = (
        f"{count:,} of {dates.size:,} rows are not on a {DAYS[usual].title()}{f': {shown}{more}' if count else ''}."
    )
    return judged("pre_week_anchor", count, mode, "model", message)


def week_gaps_gate(series: Sequence[UnitSeries], mode: PolicyMode) -> GateResult:
    """p0: weeks missing between the first and the last week of each unit, among the modelled rows."""
    if reason := _not_weekly(series):
        return _skipped("pre_week_gaps", mode, reason)
    gaps = [(each.group, date, weeks) for each in series for date, weeks in _gaps(each)]
    missing = sum(weeks for *_, weeks in gaps)
    units = list(dict.fromkeys(group for group, *_ in gaps))
    shown = "; ".join(
        f"{f'{group} ' if len(series) > 1 else ''}after {date} ({weeks:,} week{'s' if weeks > 1 else ''})"
        for group, date, weeks in gaps[:_SHOWN]
    )
    more = f"; and {len(gaps) - _SHOWN:,} more gaps" if len(gaps) > _SHOWN else ""
    message = f"Weeks missing between first and last: {missing:,}{f'; {shown}{more}' if gaps else ''}."
    return judged("pre_week_gaps", missing, mode, listed(units) if gaps and len(series) > 1 else "model", message)


def _gaps(unit: UnitSeries) -> Iterable[tuple[np.datetime64, int]]:
    """Date before each gap, and how many weeks it lacks; a step of ten days lacks none."""
    if unit.dates is None:
        return
    weeks = np.rint(unit.steps / WEEK).astype(int) - 1
    for position in np.flatnonzero(weeks > 0):
        yield unit.dates[position], int(weeks[position])


def _not_weekly(series: Sequence[UnitSeries]) -> str:
    if all(each.dates is None for each in series):
        return _NO_DATES
    step = usual_step(series)
    if step is None:
        return "there are no two dates to compare"
    return "" if step == WEEK else f"the dates are not weekly: most are {step} day{'s' if step > 1 else ''} apart"


def _places(labels: pd.DataFrame, rows: NDArray[np.intp]) -> str:
    """The first rows by date and unit, or by position in the file."""
    first = labels.iloc[rows[:_SHOWN]]
    if "date" in labels:
        dates = first["date"].to_numpy().astype("datetime64[D]").astype(str)
        units = [f"{unit} " for unit in first["group"]] if "group" in labels else [""] * len(first)
        shown = ", ".join(f"{unit}{date}" for unit, date in zip(units, dates, strict=True))
    else:
        shown = "row " + ", ".join(str(position) for position in first["row"])
    return f"in {shown}" + (f" and {len(rows) - _SHOWN:,} more rows" if len(rows) > _SHOWN else "")


def _skipped(check_id: str, mode: PolicyMode, reason: str) -> GateResult:
    rule = describe(THRESHOLDS[mode][check_id])
    return row(check_id, "skipped", None, rule, "model", f"Does not apply: {reason}.")
