"""The Python API and the graph give the same numbers."""

from __future__ import annotations

import pandas as pd
from fake_stan import FakeRunner

from dsam_assets.model import blm, normal

KEYS = ["term", "spend_optimised", "response_optimised_mean"]


def test_same_numbers_as_the_graph(first_run, project) -> None:
    data = pd.read_csv(project.data, parse_dates=["date"])
    model = blm("kpi ~ trend + m_tv + m_search", data, date="date").set_prior(trend=normal(0, 50))
    fitted = model.set_boundary("m_tv > 0", "m_search > 0").fit(runner=FakeRunner(), iter=600, warmup=200, seed=7)
    stored = {
        name: next(first_run.folder.rglob(f"{name}.csv")) for name in ("posterior_summary", "fitted", "residuals")
    }
    exact = {"float_precision": "round_trip"}
    pd.testing.assert_frame_equal(
        fitted.summary(), pd.read_csv(stored["posterior_summary"], **exact), check_dtype=False
    )
    graph = pd.read_csv(stored["fitted"], parse_dates=["date"], **exact)
    pd.testing.assert_frame_equal(fitted.fitted(), graph, check_dtype=False)
    report = pd.read_csv(next(first_run.folder.rglob("diagnostics_report.csv")))
    own = fitted.diagnostics(policy_mode="explore").to_frame()
    assert own["check_id"].tolist() == report["check_id"].tolist()
    expected = report["status"].mask(report["check_id"] == "pre_spend_without_exposure", "skipped")  # no channels yet
    assert own["status"].tolist() == expected.tolist()
    prior = fitted.model.prior_predictive("explore", runner=FakeRunner())
    path = next(first_run.folder.rglob("prior_predictive_rows.csv"))
    graph = pd.read_csv(path, parse_dates=["date"], **exact)
    pd.testing.assert_frame_equal(prior["prior_predictive_rows"], graph, check_dtype=False)
