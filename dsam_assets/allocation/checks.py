"""Judges a certificate: numbers against thresholds held as data."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dsam_assets.allocation.certificate import Certificate
from dsam_assets.verdict import Status


@dataclass(frozen=True)
class Rule:
    """A check on one number of the certificate.

    Attributes:
        value: picks the number; None means that it does not apply or is not known.
        limit: the threshold.
        sign: how a passing value compares with the limit.
        absent: status of a missing number.
        passed, missed: what to tell a person.
        why_absent: the same about a number that is missing because it does not apply.
    """

    value: Callable[[Certificate], float | None]
    limit: float
    sign: str
    absent: Status
    passed: str
    missed: str
    why_absent: Callable[[Certificate], str] = lambda _: "Does not apply here."


@dataclass(frozen=True)
class Check:
    """One judged number of the certificate."""

    name: str
    value: float | None
    threshold: str
    status: Status
    message: str


_COMPARE: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


def _extrapolated_count(certificate: Certificate) -> float | None:
    flags = certificate.extrapolated
    return None if any(flag is None for flag in flags) else float(sum(bool(flag) for flag in flags))


def _why_no_probability(certificate: Certificate) -> str:
    if certificate.has_probabilities:
        return "The plan is what it would be compared with."
    return "A point estimate has no draws, so no probability can be given."


RULES: Mapping[str, Rule] = {
    "budget_residual": Rule(
        lambda c: c.budget_residual, 1e-9, "<=", "not_computed",
        "The plan spends the budget exactly.", "The plan does not add up to the budget.",
    ),
    "bound_residual": Rule(
        lambda c: c.bound_residual, 1e-9, "<=", "not_computed",
        "Every channel is within its bounds.", "A channel is outside its bounds.",
    ),
    "kkt_gap_share": Rule(
        lambda c: c.kkt_gap_share, 1e-6, "<=", "not_computed",
        "Marginal returns are equal wherever the bounds allow.", "Moving some spend between channels would still help.",
    ),
    "optimality_gap_share": Rule(
        lambda c: c.optimality_gap_share, 1e-6, "<=", "skipped",
        "No feasible plan is better.", "A better plan is not ruled out: a response is not concave.",
    ),
    "start_agreement": Rule(
        lambda c: c.start_agreement, 0.25, ">=", "skipped",
        "Several starts led to the same best score.", "Few starts reached the best score: better plans may exist.",
    ),
    "candidate_regret_share": Rule(
        lambda c: c.candidate_regret_share, -1e-9, ">=", "not_computed",
        "No random candidate beats the plan.", "A random candidate beats the plan.",
    ),
    "extrapolated_channels": Rule(
        _extrapolated_count, 0.0, "<=", "not_computed",
        "No channel goes beyond its observed spend.", "Some channels go beyond any spend in the data.",
    ),
    "probability_beats_reference": Rule(
        lambda c: c.probability_beats_reference, 0.9, ">=", "skipped",
        "The plan beats the reference in most draws.",
        "Too few draws say that the plan beats the reference to call the gain established.", _why_no_probability,
    ),
    "probability_beats_split": Rule(
        lambda c: c.probability_beats_split, 0.9, ">=", "skipped",
        "The plan beats the reference's split of this budget in most draws.",
        "Too few draws say that the plan beats the reference's split of this budget.", _why_no_probability,
    ),
}  # fmt: skip


def judge(certificate: Certificate) -> tuple[Check, ...]:
    """Every rule applied to the certificate."""
    return tuple(_judge(name, rule, certificate) for name, rule in RULES.items())


def _judge(name: str, rule: Rule, certificate: Certificate) -> Check:
    value = rule.value(certificate)
    threshold = f"warn unless {rule.sign} {rule.limit:g}"
    if value is None or math.isnan(value):
        message = rule.why_absent(certificate) if rule.absent == "skipped" else "Not known, so not a pass."
        return Check(name, None, threshold, rule.absent, message)
    good = _COMPARE[rule.sign](value, rule.limit)
    return Check(name, value, threshold, "pass" if good else "warn", rule.passed if good else rule.missed)
