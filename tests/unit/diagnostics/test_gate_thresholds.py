"""Every gate at its documented thresholds: just inside, on, and just beyond each of them, in each policy mode.

`test_thresholds` holds the numbers; here what is judged is made, so that a gate that looks up another check's
threshold, another mode's, or another number, is found.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from gate_values import GATES
from test_thresholds import CONTRACT, LOWER_IS_WORSE

from dsam_assets.diagnostics.advice import advice_for
from dsam_assets.diagnostics.gates import pareto_k_gate
from dsam_assets.diagnostics.thresholds import CHECKS, THRESHOLDS, describe
from dsam_assets.verdict import PolicyMode

# Judged between two fits, not within one: unit/drift/test_drift_checks.py has both sides of each.
DRIFT = {check for check in CHECKS if check.startswith("refresh_drift_")}

type Case = tuple[str, PolicyMode, float, str]


def around(check: str, warn: float, fail: float | None, beyond: str) -> Iterator[tuple[float, str]]:
    """Values next to the thresholds, and the statuses that they have."""
    gate = GATES[check]
    step = gate.step * (-1 if check in LOWER_IS_WORSE else 1)
    if warn != gate.best:
        yield warn - step, "pass"
    yield warn, "pass"
    if fail is None:
        yield from ((warn + steps * step, "warn") for steps in (1, 20))
    elif fail == warn:
        yield warn + step, beyond
    else:
        yield from ((warn + step, "warn"), (fail - step, "warn"), (fail, "warn"), (fail + step, beyond))


CASES: list[Case] = [
    (check, mode, value, status)
    for check, mode, warn, fail, beyond in CONTRACT
    if check not in DRIFT
    for value, status in around(check, warn, fail, beyond)
]


def test_no_check_is_left_out() -> None:
    assert {check for check, *_ in CASES} == set(CHECKS) - {"loo_pareto_k"} - DRIFT
    assert set(CHECKS) - {"loo_pareto_k"} - DRIFT <= set(GATES)
    assert len(DRIFT) > 2


@pytest.mark.parametrize(("check", "mode", "value", "status"), CASES)
def test_each_side(check: str, mode: PolicyMode, value: float, status: str) -> None:
    row = GATES[check].at(value, mode)
    assert (row.check_id, row.status) == (check, status)
    assert row.value == pytest.approx(value, abs=GATES[check].step / 10)
    assert (row.gate, row.phase, row.metric) == (CHECKS[check].gate, CHECKS[check].phase, CHECKS[check].metric)
    assert row.threshold == describe(THRESHOLDS[mode][check])
    assert row.advice == advice_for(check, row.status)
    assert bool(row.advice) == (status != "pass")


@pytest.mark.parametrize(("warn", "fail"), [(0.7, np.inf), (0.5, 1.0), (0.7, 0.9)])
def test_pareto_k_is_judged_by_the_config(warn: float, fail: float) -> None:
    """One pair of thresholds for all modes."""
    for value, status in around("sampler_rhat_max", warn, fail if np.isfinite(fail) else None, "fail"):
        assert pareto_k_gate(np.array([0.1, value]), warn=warn, fail=fail).status == status
