"""Gate results as data, and what follows from them.

Numbers are computed in the stages, judged against thresholds held as data, and phrased for people elsewhere. A check
that could not be computed is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail", "skipped", "not_computed"]
Phase = Literal["P0", "P1"]
PolicyMode = Literal["explore", "publish", "strict"]
Gating = Literal["strict", "warn", "off"]
Overall = Literal["pass", "warn", "fail"]
Reliability = Literal["final", "provisional", "blocked"]


@dataclass(frozen=True)
class GateResult:
    """One judged check.

    Attributes:
        gate: `g1`…`g7`, or `p0`/`p1` for checks outside the seven gates.
        check_id: the check's name in the specification, e.g. `sampler_rhat_max`.
        phase: `P0` before the fit, `P1` after it.
        severity: `critical` or `important`.
        metric: name of the number, e.g. `max_rhat`.
        value: the number; `None` when it was not computed.
        threshold: the rule as text, e.g. `warn > 1.01, fail > 1.05`.
        status: the judgement.
        subject: what the number is about, e.g. a term, or `model`.
        message: one sentence for a person.
        advice: what to do about it; empty for a pass.
    """

    gate: str
    check_id: str
    phase: Phase
    severity: Literal["critical", "important"]
    metric: str
    value: float | None
    threshold: str
    status: Status
    subject: str
    message: str
    advice: str


def effective_status(status: Status, mode: PolicyMode) -> Status:
    """What a status counts as: not computed is a warning under explore, a failure under publish and strict."""
    if status == "not_computed":
        return "warn" if mode == "explore" else "fail"
    return status


def overall_status(results: Iterable[GateResult], mode: PolicyMode) -> Overall:
    """`fail` if any check fails, else `warn` if any warns, else `pass`; an empty report is never a pass."""
    statuses = {effective_status(result.status, mode) for result in results}
    if not statuses or "fail" in statuses:
        return "fail"
    return "warn" if "warn" in statuses else "pass"
