"""What the post-fit checks are, apart from their thresholds."""

from __future__ import annotations

import pytest

from dsam_assets.diagnostics.advice import advice_for
from dsam_assets.diagnostics.thresholds import CHECKS

METRICS = {
    "resid_ljung_box_p": "resid_lb_p",
    "resid_acf_max": "resid_acf_max",
    "boundary_hit_fraction": "boundary_hit_frac",
    "within_var_ratio": "within_var_min_ratio",
    "pre_identifiability_baseline_media_corr": "max_abs_corr",
    "loo_leverage_one": "rows_with_leverage_one",
}


@pytest.mark.parametrize("check", METRICS)
def test_every_check_has_its_metric_and_advice(check: str) -> None:
    assert CHECKS[check].metric == METRICS[check]
    assert (CHECKS[check].phase, CHECKS[check].severity) == ("P1", "important")
    assert CHECKS[check].gate == ("g6" if check == "loo_leverage_one" else "p1")
    assert advice_for(check, "warn")
    assert advice_for(check, "not_computed")
    assert advice_for(check, "pass") == ""
