"""The decomposition at a prompt: both scales, the kinds of drivers, and the published tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner

from dsam_assets.errors import ConfigError, GateError
from dsam_assets.fitted_model import FittedModel
from dsam_assets.model import blm
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

CHANNELS = [{"term": "m_tv", "name": "TV", "response": {"type": "log1p", "scale": 50}}]


def fit(formula: str, **settings: int) -> FittedModel:
    rng = np.random.default_rng(3)
    spend = rng.gamma(2.0, 60.0, size=(60, 2))
    data = pd.DataFrame({
        "date": pd.date_range("2024-01-01", periods=60, freq="7D"), "trend": np.linspace(0, 1, 60),
        "TV": spend[:, 0], "m_tv": np.log1p(spend[:, 0] / 50),
        "spend_search": spend[:, 1], "m_search": spend[:, 1] / 99,
    })  # fmt: skip
    data["kpi"] = np.exp(5 + 0.1 * data["trend"] + 0.2 * data["m_tv"] + 0.1 * data["m_search"]) + rng.normal(size=60)
    return blm(formula, data).set_date("date").fit(runner=FakeRunner(), seed=1, **settings)


@pytest.fixture(scope="module")
def logged() -> FittedModel:
    return fit("log(kpi) ~ trend + m_tv + m_search")


def test_both_scales_add_up_to_their_fitted_values(logged: FittedModel) -> None:
    model_scale = logged.decomp().groupby("row")["contribution"].sum()
    np.testing.assert_allclose(model_scale, logged.fitted()["fitted"], rtol=1e-9)
    kpi = logged.decomp("kpi").groupby("row")["contribution"].sum()
    np.testing.assert_allclose(kpi, logged.fitted_kpi()["fitted"], rtol=1e-9)
    median = logged.decomp("kpi", method="median").groupby("row")["contribution"].sum()
    np.testing.assert_allclose(median, logged.fitted_kpi(method="median")["fitted"], rtol=1e-9)
    with pytest.raises(ConfigError, match="no such scale"):
        logged.decomp("log")  # type: ignore[arg-type]


def test_an_identity_response_has_one_scale() -> None:
    plain = fit("kpi ~ trend + m_tv + m_search")
    pd.testing.assert_frame_equal(plain.decomp("kpi"), plain.decomp())


def test_drivers_have_kinds(logged: FittedModel) -> None:
    assert logged.term_groups() == {
        "(Intercept)": "baseline", "trend": "trend", "m_tv": "media", "m_search": "media", "offset()": "baseline",
    }  # fmt: skip


def test_tables_are_those_that_a_run_publishes(logged: FittedModel) -> None:
    tables = logged.decomposition(CHANNELS, policy_mode="explore")
    for name, table in tables.items():
        validate(TABLES[name], table)
    channels = tables["decomp_channels"].set_index("channel")
    assert list(channels.index) == ["TV", "m_search", "TOTAL"]
    assert channels.loc["TV", "money"] == pytest.approx(logged.model.data["TV"].sum())
    assert channels.loc["m_search", "money"] == pytest.approx(logged.model.data["spend_search"].sum())
    assert channels["assumption"].iloc[:2].str.startswith("the column is").all()
    rows = logged.decomp("kpi").groupby("term")["contribution"].sum()
    assert channels.loc["TV", "contribution"] == pytest.approx(rows["m_tv"], rel=1e-9)
    assert (tables["channel_evidence"]["contraction"] > 0.5).all()


def test_a_blocked_verdict_refuses() -> None:
    short = fit("log(kpi) ~ trend + m_tv + m_search", iter=120, warmup=100)
    assert short.diagnostics().overall == "fail"
    with pytest.raises(GateError):
        short.decomposition(enforce_publish_gate=True)
