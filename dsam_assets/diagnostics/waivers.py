"""Waivers: failures that somebody answers for until a date.

A waiver that holds turns a failing row into a warning. The number, its threshold and the judgement of it stay visible,
and nothing reads as converged, calibrated or ok because of it: it only lets a decision go on, stamped. After its last
day a waiver does not count. The day is an argument here; assets and commands read the clock (the date in UTC).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import pandas as pd

from dsam_assets.diagnostics.thresholds import CONVERGENCE_CHECKS, POINT_CHECKS
from dsam_assets.errors import GateError
from dsam_assets.verdict import GateResult, Gating, PolicyMode, Waived, effective_status

WaiverState = Literal["applied", "expired", "unused"]
STATES: tuple[WaiverState, ...] = ("applied", "expired", "unused")
COLUMNS = ("check", "subject", "who", "why", "expires", "state", "note")


class WaiverLike(Protocol):
    """A row of the config's `diagnostics.waivers`."""

    @property
    def check(self) -> str: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def who(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def expires(self) -> dt.date: ...


@dataclass(frozen=True)
class WaiverRecord:
    """What became of a waiver.

    Attributes:
        check, subject, who, why: as given; an empty subject is any subject.
        expires: the last day on which it holds.
        state: `applied` to a failing row; `expired`; or `unused`, which is harmless.
        note: what it did or why it did nothing, one sentence.
    """

    check: str
    subject: str
    who: str
    why: str
    expires: dt.date
    state: WaiverState
    note: str

    def document(self) -> dict[str, str]:
        """The record as texts."""
        return {name: str(getattr(self, name)) for name in COLUMNS}

    def line(self) -> str:
        """The record as one line for people."""
        about = f" ({self.subject})" if self.subject else ""
        given = f"{self.who}, until {self.expires.isoformat()}: {self.why.rstrip('.')}"
        return f"{self.state}: {self.check}{about}, {given}. {self.note}"


def apply_waivers(
    rows: Iterable[GateResult], waivers: Sequence[WaiverLike], mode: PolicyMode, gating: Gating, today: dt.date
) -> tuple[tuple[GateResult, ...], tuple[WaiverRecord, ...]]:
    """The rows with waivers applied, and what became of each waiver, in the order given.

    A waiver covers the failing row of its check, if the row's subject is the waiver's (any, when it names none). The
    first one that holds is applied. An expired one is mentioned in the row that it would have covered.
    """
    judged = tuple(rows)
    failing = {row.check_id: row for row in judged if fails(row, mode, gating)}
    covering = {check: [each for each in waivers if _covers(each, row)] for check, row in failing.items()}
    shown = tuple(_shown(row, covering.get(row.check_id, ()), today) for row in judged)
    known = {row.check_id: row for row in judged}
    records = []
    for waiver in waivers:
        used = _first_holding(covering.get(waiver.check, ()), today) is waiver
        state: WaiverState = "expired" if today > waiver.expires else "applied" if used else "unused"
        note = _note(waiver, state, known.get(waiver.check), failing)
        records.append(_record(waiver, state, note))
    return shown, tuple(records)


def fails(row: GateResult, mode: PolicyMode, gating: Gating) -> bool:
    """Whether a row counts as a failure under the policy: `fail`, or not computed where that counts as one.

    Under explore what was not computed is a warning, but a strict gate halts on it all the same.
    """
    decisive = gating == "strict" and row.check_id in (*CONVERGENCE_CHECKS, *POINT_CHECKS)
    return effective_status(row.status, mode) == "fail" or (row.status == "not_computed" and decisive)


def _covers(waiver: WaiverLike, row: GateResult) -> bool:
    return waiver.check == row.check_id and waiver.subject in (None, row.subject)


def _first_holding(waivers: Iterable[WaiverLike], today: dt.date) -> WaiverLike | None:
    return next((waiver for waiver in waivers if today <= waiver.expires), None)


def _shown(row: GateResult, covering: Sequence[WaiverLike], today: dt.date) -> GateResult:
    """A row with the waiver that holds, or with the mention of one that does not."""
    waiver = _first_holding(covering, today)
    if waiver is None:
        return replace(row, message=f"{row.message} {expiry(covering[-1])}") if covering else row
    mark = Waived(row.status, waiver.who, waiver.expires.isoformat(), waiver.why)
    told = f"Waived by {mark.by} until {mark.until}: {mark.why.rstrip('.')}."
    return replace(row, status="warn", message=f"{row.message} {told}", waived=mark)


def expiry(waiver: WaiverLike | WaiverRecord) -> str:
    """That a waiver does not count any more, as a sentence."""
    return f"A waiver by {waiver.who} expired on {waiver.expires.isoformat()}."


def _note(waiver: WaiverLike, state: WaiverState, row: GateResult | None, failing: Mapping[str, GateResult]) -> str:
    if state == "expired":
        return "It does not count any more."
    if row is None:
        return "This fit has no such check."
    if state == "applied":
        return f"It makes a warning of the failure of: {row.subject}."
    if waiver.check not in failing:
        return f"The check does not fail: {row.status.replace('_', ' ')}."
    if not _covers(waiver, row):
        return f"The check fails for another subject: {row.subject}."
    return "Another waiver of this check comes before it."


def _record(waiver: WaiverLike, state: WaiverState, note: str) -> WaiverRecord:
    return WaiverRecord(waiver.check, waiver.subject or "", waiver.who, waiver.why, waiver.expires, state, note)


def require_in_force(records: Iterable[WaiverRecord], today: dt.date) -> None:
    """Raise `GateError` when a stored verdict rests on a waiver that holds no more: it was made on an earlier day."""
    ended = [record for record in records if record.state == "applied" and record.expires < today]
    if not ended:
        return
    raise GateError(
        "A quality gate halts this run: the stored verdict rests on a waiver that has expired.",
        where="diagnostics_report",
        got="; ".join(f"{record.check}: {expiry(record)}" for record in ended),
        wanted="a verdict of today",
        fix="Materialise diagnostics_report again, or run the job refit: the checks are judged without the waiver.",
    )


def waived_text(rows: Iterable[GateResult]) -> str:
    """The waived checks on one line, with who answers for them and until when; empty when there are none."""
    marks = [(row.check_id, row.waived) for row in rows if row.waived is not None]
    return "; ".join(f"{check_id} waived by {mark.by} until {mark.until}" for check_id, mark in marks)


def waiver_frame(records: Iterable[WaiverRecord]) -> pd.DataFrame:
    """One row per waiver, all texts; `expires` as an ISO date."""
    return pd.DataFrame([record.document() for record in records], columns=list(COLUMNS))


def waivers_from_frame(frame: pd.DataFrame) -> tuple[WaiverRecord, ...]:
    """The records of a stored table."""
    rows = frame[list(COLUMNS)].to_dict("records")
    return tuple(
        WaiverRecord(**{str(name): value for name, value in row.items()} | {"expires": _date(row["expires"])})
        for row in rows
    )


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
