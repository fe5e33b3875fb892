"""The Python API without Stan: verbs return new models, and a fake runner's fits answer what is asked."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner
from panels import panel
from small_market import market_frame

from dsam_assets.errors import ConfigError, DataError, DesignError, DsamError, FitError, FormulaError, GateError
from dsam_assets.fitted_model import FittedModel
from dsam_assets.model import Model, blm, normal

FORMULA = "kpi ~ trend + m_tv + m_search"
SCENARIO: dict[str, Any] = {
    "budget": {"total": 250},
    "channels": [
        {
            "term": "m_tv",
            "spend_col": "spend_tv",
            "bounds": {"min": 20, "max": 300},
            "response": {"type": "log1p", "scale": 50},
        }
    ],
}


def dated() -> pd.DataFrame:
    frame = market_frame()
    return frame.assign(date=pd.to_datetime(frame["date"]))


@pytest.fixture
def model() -> Model:
    return blm(FORMULA, dated(), date="date")


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    bounded = blm(FORMULA, dated(), date="date").set_boundary("m_tv > 0", "m_search > 0")
    return bounded.fit(runner=FakeRunner(), iter=600, warmup=200, seed=7)


def test_verbs_return_new_models(model: Model) -> None:
    other = model.set_prior(m_tv=normal(0, 3)).set_boundary("m_tv > 0").set_prior(trend=normal(1, 2))
    priors, before = other.peek_prior().set_index("parameter"), model.peek_prior().set_index("parameter")
    assert priors.loc["m_tv", ["mean", "sd", "is_default"]].tolist() == [0.0, 3.0, False]
    assert priors.loc["trend", ["mean", "sd", "is_default"]].tolist() == [1.0, 2.0, False]
    assert bool(before["is_default"].all())
    bounds = other.peek_boundary().set_index("parameter")
    assert bounds.loc["m_tv", ["lower", "upper", "is_default"]].tolist() == [0.0, inf, False]
    assert bounds.loc["m_search", "is_default"]


def test_later_words_replace_earlier_ones(model: Model) -> None:
    again = (
        model.set_prior(m_tv=normal(0, 3))
        .set_prior(m_tv=normal(0, 4))
        .set_boundary("m_tv > 0")
        .set_boundary(m_tv=(1, 2))
    )
    assert again.peek_prior().set_index("parameter").loc["m_tv", "sd"] == 4
    assert again.peek_boundary().set_index("parameter").loc["m_tv", ["lower", "upper"]].tolist() == [1, 2]


def test_data_are_not_changed() -> None:
    data = panel()
    before = data.copy(deep=True)
    model = blm("kpi ~ x + w + (1 | market)", data).set_cre(["x"])
    assert model.built.matrix.terms == ("(Intercept)", "x", "w", "cre_mean_x")
    assert model.peek_prior()["parameter"].iloc[-1] == "sd_1[(Intercept)]"
    pd.testing.assert_frame_equal(data, before)


def test_pooling_resets_priors_and_boundaries(model: Model) -> None:
    labels = pd.DataFrame({"variable": ["m_tv", "m_search"], "channel": ["paid", "paid"]})
    pooled = model.set_prior(trend=normal(0, 1)).set_boundary("trend > 0").pool(["channel"], labels)
    table = pooled.peek_prior()
    assert table["parameter"].tolist() == ["(Intercept)", "trend", "channel[paid]", "noise_sd"]
    assert table["is_default"].all()
    fit = pooled.set_boundary("channel[paid] > 0").fit(runner=FakeRunner(), iter=300, warmup=100)
    draws = fit.get_posterior()
    np.testing.assert_allclose(draws["m_tv"], draws["channel[paid]"])
    np.testing.assert_allclose(draws["m_search"], draws["channel[paid]"])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda model: blm("kpi ~", model.data), FormulaError, "end of the formula"),
        (lambda model: blm(FORMULA, model.data, kpi_type="income"), ConfigError, "model.kpi_type"),
        (lambda model: model.set_prior(m_tw=normal(0, 1)).peek_prior(), DesignError, "Did you mean m_tv"),
        (lambda model: model.set_prior(m_tv=normal(0, -1)), ConfigError, "sd"),
        (lambda model: model.set_boundary(m_tv=(2, 1)), ConfigError, "lower"),
        (lambda model: model.set_cre(["m_tv"]), ConfigError, "cre"),
        (lambda model: model.set_date("week").pre_flight_checks(), DataError, "week"),
        (lambda model: model.fit(runner=FakeRunner(), chain=2), ConfigError, "did you mean fit.mcmc.chains"),
        (lambda model: model.fit(runner=FakeRunner(), warmup=5000), ConfigError, "warmup"),
        (lambda model: model.fit_map(runner=FakeRunner(), starts=2), ConfigError, "fit.optimise.starts"),
        (lambda model: model.get_posterior(), FitError, "not fitted"),
        (lambda model: model.nothing, AttributeError, "nothing"),
        (lambda model: model.pre_flight_checks("loose"), ConfigError, "policy_mode"),
    ],
)
def test_what_is_wrong_is_said(model: Model, act: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.replace(".", r"\.")):
        act(model)


def test_settings_reach_stan(model: Model) -> None:
    runner = FakeRunner()
    model.fit(runner=runner, chains=2, iter=100, warmup=40, seed=9, adapt_delta=0.95, positive_priors="noncentered")
    ((program, _, settings),) = runner.calls
    assert program == "linear"
    assert (settings.chains, settings.sampling, settings.warmup, settings.seed) == (2, 60, 40, 9)
    assert settings.adapt_delta == 0.95


def test_a_fit_answers(fitted: FittedModel) -> None:
    draws = fitted.get_posterior()
    assert draws.columns.tolist() == ["chain", "draw", "(Intercept)", "trend", "m_tv", "m_search", "noise_sd"]
    assert draws.groupby("chain").size().tolist() == [400] * 4
    summary = fitted.summary().set_index("parameter")
    assert summary.loc["m_tv", "mean"] == pytest.approx(draws["m_tv"].mean())
    observed, values = fitted.observed(), fitted.fitted()
    assert observed.columns.tolist()[:2] == ["row", "date"]
    residual = observed["observed"] - values["fitted"]
    assert fitted.rmse() == pytest.approx(np.sqrt((residual**2).mean()), rel=0.05)
    assert 0 < fitted.r2() < 1
    assert 0 < fitted.smape() < 0.1
    total = fitted.decomp().groupby("row")["contribution"].sum()
    np.testing.assert_allclose(total, values["fitted"])
    assert fitted.chain_diagnostics()["rhat"].max() < 1.05
    assert fitted.loo()["loo_summary"]["status"].item() == "ok"
    assert fitted.to_arviz()["posterior"]["coef"].shape == (4, 400, 4)


def test_scales(fitted: FittedModel) -> None:
    """The KPI scale of an identity response is its model scale, unless the data were logged by hand."""
    pd.testing.assert_frame_equal(fitted.fitted_kpi(), fitted.fitted())
    by_hand = fitted.fitted_kpi(log_response=True, method="median")
    assert by_hand["conversion_method"].unique().tolist() == ["median"]
    np.testing.assert_allclose(by_hand["q50"], np.exp(fitted.fitted()["q50"]), rtol=1e-4)
    np.testing.assert_allclose(
        fitted.observed_kpi(log_response=True)["observed"], np.exp(fitted.observed()["observed"])
    )
    logged = blm(FORMULA.replace("kpi", "log(kpi)"), dated()).fit(runner=FakeRunner(), iter=300, warmup=100)
    assert logged.fitted_kpi()["conversion_method"].unique().tolist() == ["conditional_mean"]
    with pytest.raises(ConfigError, match="logs the response"):
        logged.fitted_kpi(log_response=False)


def test_a_budget_is_stamped_with_the_verdict(fitted: FittedModel) -> None:
    report = fitted.diagnostics(policy_mode="explore")
    plan = fitted.optimise_budget(SCENARIO, policy_mode="explore")
    assert {"budget_response_curves", "budget_marginal_roi", "budget_efficient_frontier"} < set(plan.tables)
    at_plan = plan.tables["budget_efficient_frontier"].query("point == 'plan'")
    assert at_plan["score"].item() == plan.tables["budget_summary"]["score"].item()
    assert (plan.reliability, plan.overall) == (report.reliability, report.overall)
    assert plan.tables["budget_allocation"]["spend_optimised"].sum() == pytest.approx(250)
    assert fitted.optimize_budget(SCENARIO).tables.keys() == plan.tables.keys()
    with pytest.raises(DsamError, match="m_tw"):
        fitted.optimise_budget({**SCENARIO, "channels": [{**SCENARIO["channels"][0], "term": "m_tw"}]})
    with pytest.raises(ConfigError, match="total"):
        fitted.optimise_budget({**SCENARIO, "budget": {"total": -1}})


def test_a_blocked_verdict_blocks_the_budget(model: Model) -> None:
    stuck = model.fit(runner=FakeRunner(stuck=True), iter=300, warmup=100)
    with pytest.raises(GateError):
        stuck.optimise_budget(SCENARIO, gating="strict")


def weeks_ahead(weeks: int = 5) -> pd.DataFrame:
    frame = dated()
    dates = pd.date_range(frame["date"].iloc[-1], periods=weeks + 1, freq="7D")[1:]
    return frame.head(weeks).assign(date=dates, trend=1.02).drop(columns="kpi")


def test_a_forecast_is_stamped_and_follows_the_plan_of_a_scenario(fitted: FittedModel, model: Model) -> None:
    found = fitted.forecast(weeks_ahead(), horizon=4, policy_mode="explore")
    assert found.reliability == fitted.diagnostics(policy_mode="explore").reliability
    assert len(found.tables["forecast"]) == 4
    draws = fitted.get_posterior()
    ahead = weeks_ahead(4)
    total = draws["(Intercept)"] * 4 + sum(draws[name] * ahead[name].sum() for name in ("trend", "m_tv", "m_search"))
    base = found.tables["forecast_summary"].query("quantity == 'expected'").iloc[0]
    assert (base["mean"], base["q05"]) == (pytest.approx(total.mean()), pytest.approx(np.quantile(total, 0.05)))
    planned = fitted.forecast(weeks_ahead(), scenario=SCENARIO, policy_mode="explore")
    assert {"plan", "even", "plan_minus_base", "plan_minus_even"} <= set(planned.tables["forecast_summary"]["path"])
    assert planned.tables["forecast_plan"]["spend_plan"].item() == pytest.approx(250)
    with pytest.raises(DataError, match="lack values"):
        fitted.forecast(weeks_ahead().drop(columns="m_tv"))
    stuck = model.fit(runner=FakeRunner(stuck=True), iter=300, warmup=100)
    with pytest.raises(GateError):
        stuck.forecast(weeks_ahead(), gating="strict")


def test_a_point_estimate_says_that_it_is_one(model: Model) -> None:
    point = model.fit_map(runner=FakeRunner(), n_runs=2, hessian=True)
    tables = point.get_optimisation()
    assert len(tables["optimisation_runs"]) == 2
    best = tables["optimisation_best"].set_index("parameter")["estimate"]
    assert point.get_posterior()["m_tv"].tolist() == [pytest.approx(best["m_tv"])]
    assert point.loo()["loo_summary"]["status"].item() == "skipped"
    report = point.diagnostics()
    assert report.converged is None
    assert report.reliability == "provisional"
    with pytest.raises(FitError, match="no chains"):
        point.chain_diagnostics()
    with pytest.raises(FitError, match="sampled"):
        model.fit(runner=FakeRunner(), iter=100, warmup=50).get_optimisation()


# --- updating an OLS fit --------------------------------------------------------------------------------------------


def test_an_ols_fit_becomes_priors() -> None:
    import statsmodels.formula.api as smf

    data = dated()
    ols = smf.ols("kpi ~ trend + m_tv + m_search", data.iloc[:40]).fit()
    model = blm(ols, data, date="date")
    priors = model.peek_prior().set_index("parameter")
    for term, name in {"(Intercept)": "Intercept", "trend": "trend", "m_tv": "m_tv", "m_search": "m_search"}.items():
        assert priors.loc[term, ["mean", "sd"]].tolist() == [ols.params[name], ols.bse[name]]
        assert not priors.loc[term, "is_default"]
    assert priors.loc["noise_sd", "is_default"]
    changed = model.set_prior(m_tv=normal(1, 2)).peek_prior().set_index("parameter")
    assert changed.loc["m_tv", ["mean", "sd"]].tolist() == [1.0, 2.0]
    assert changed.loc["trend", "mean"] == ols.params["trend"]


def test_an_offset_goes_with_scaling() -> None:
    import statsmodels.formula.api as smf

    data = dated().assign(base=lambda frame: 30 * frame["trend"])
    ols = smf.ols("I(kpi - base) ~ m_tv + m_search", data).fit()
    points = [
        blm(ols, data, offset="offset(base)", scale=scale)
        .set_prior(noise_sd=normal(10, 5))
        .fit_map(runner=FakeRunner())
        for scale in (True, False)
    ]
    first, second = (point.get_optimisation()["optimisation_best"]["estimate"].to_numpy() for point in points)
    np.testing.assert_allclose(first, second, rtol=1e-4)
    assert points[0].decomp().query("term == 'offset()'")["contribution"].tolist() == data["base"].tolist()
