"""Alternative formulas fitted by MAP: against the model's own fit, least squares by hand, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner
from small_market import WEEKS

from dsam_assets.config.slices import formula_slice, priors_slice
from dsam_assets.data.load import load_dataset
from dsam_assets.errors import DesignError, FitError, ToolchainError
from dsam_assets.fit.model import fit_model
from dsam_assets.fit.refits import RefitInputs
from dsam_assets.fit.runner import OptimiseSettings, StanMode
from dsam_assets.fit.sensitivity import (
    PARAMETERS,
    STATUS,
    SUMMARY,
    scenario_design,
    sensitivity_tables,
)
from dsam_assets.preflight import load_checked, preflight
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

BASE = "kpi ~ trend + m_tv + m_search"
Make = Callable[..., RefitInputs]


@pytest.fixture
def config_path(new_market: Callable[..., Path]) -> Path:
    path = new_market()
    text = path.read_text().replace("fit:\n", "fit:\n  method: optimise\n  optimise: {n_runs: 2, seed: 3}\n")
    path.write_text(text.replace("{parameter: m_tv, lower: 0}", "{parameter: m_tv, lower: 5}"))
    return path


@pytest.fixture
def make(config_path: Path) -> Make:
    """Inputs of the small market with some scenarios, by name."""
    added = "transforms: {sensitivity: {enabled: true, scenarios: [%s]}}\n"
    original = config_path.read_text()

    def inputs(**scenarios: str) -> RefitInputs:
        rows = ", ".join(f'{{name: {name}, formula: "{text}"}}' for name, text in scenarios.items())
        config_path.write_text(original + (added % rows if scenarios else ""))
        config = load_checked(config_path).config
        frame = load_dataset(config.data).frame
        return RefitInputs(frame, formula_slice(config), config.data, priors_slice(config), config.fit)

    return inputs


def row(tables: Mapping[str, pd.DataFrame], name: str) -> pd.Series[Any]:
    return tables[SUMMARY].set_index("scenario").loc[name]


def estimates(tables: Mapping[str, pd.DataFrame], name: str) -> pd.Series[float]:
    table = tables[PARAMETERS]
    return table[table["scenario"] == name].set_index("parameter")["estimate"]


def test_nothing_is_fitted_unless_asked(make: Make) -> None:
    runner = FakeRunner()
    tables = sensitivity_tables(make(), runner)
    assert list(tables) == [STATUS]
    assert tables[STATUS].to_dict("records") == [{"enabled": False, "scenarios": 0}]
    assert runner.calls == []


def test_the_base_is_the_models_own_fit(make: Make, config_path: Path) -> None:
    runner, other = FakeRunner(), FakeRunner()
    tables = sensitivity_tables(make(root="kpi ~ trend + sqrt(spend_tv) + m_search"), runner)
    ready = preflight(load_checked(config_path))
    own = fit_model(ready.design, ready.loaded.config.fit, other)
    assert [settings for _, _, settings in runner.calls] == 2 * [settings for _, _, settings in other.calls]
    best = own.tables["optimisation_best"].set_index("parameter")["estimate"]
    pd.testing.assert_series_equal(estimates(tables, "base"), best, check_exact=True)
    runs = own.tables["optimisation_runs"].query("is_best").iloc[0]
    assert row(tables, "base")["rmse"] == pytest.approx(runs["rmse"], rel=1e-12)
    for name, table in tables.items():
        validate(TABLES[name], table)


@pytest.mark.parametrize("logged", [False, True])
def test_the_fit_of_a_scenario_is_that_of_its_estimates(make: Make, logged: bool) -> None:
    inputs = make(other=f"{'log(kpi)' if logged else 'kpi'} ~ trend + sqrt(spend_tv)")
    tables = sensitivity_tables(inputs, FakeRunner())
    found, frame = row(tables, "other"), inputs.frame
    at = estimates(tables, "other")
    mean = at["(Intercept)"] + at["trend"] * frame["trend"] + at["sqrt(spend_tv)"] * np.sqrt(frame["spend_tv"])
    response = np.log(frame["kpi"]) if logged else frame["kpi"]
    error = response - mean
    assert found["status"] == "ok"
    assert (found["response_scale"], found["rows"], found["terms"]) == ("log" if logged else "identity", WEEKS, 3)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["r2"] == pytest.approx(1 - np.sum(error**2) / np.sum((response - response.mean()) ** 2))
    assert found["smape"] == pytest.approx(np.mean(2 * abs(error) / (abs(response) + abs(mean))))
    kpi_error = frame["kpi"] - (np.exp(mean) if logged else mean)
    assert found["rmse_kpi"] == pytest.approx(np.sqrt(np.mean(kpi_error**2)))
    # Least squares nearly: the priors are wide. The trend's, in KPI units, is the narrowest, and not there under log.
    columns = np.column_stack([np.ones(WEEKS), frame["trend"], np.sqrt(frame["spend_tv"])])
    expected = np.linalg.lstsq(columns, response, rcond=None)[0]
    np.testing.assert_allclose(at.to_numpy()[:3], expected, rtol=0.005 if logged else 0.1)


def test_standard_deviations_come_with_every_scenario(make: Make) -> None:
    table = sensitivity_tables(make(short="kpi ~ trend + m_tv"), FakeRunner())[PARAMETERS]
    assert list(table[table["scenario"] == "short"]["parameter"]) == ["(Intercept)", "trend", "m_tv", "noise_sd"]
    assert (table["sd"] > 0).all()


def test_overrides_of_what_a_formula_lacks_are_left_out_and_named(make: Make) -> None:
    tables = sensitivity_tables(make(bare="kpi ~ m_search"), FakeRunner())
    assert row(tables, "bare")["status"] == "ok"
    assert row(tables, "bare")["message"] == "Not in this formula, so left out: trend, m_tv."
    assert row(tables, "base")["message"] == ""


def test_what_has_units_does_not_carry_over_to_a_logged_response(make: Make) -> None:
    """trend ~ normal(0, 50) and m_tv ≥ 5 are in KPI units; m_search ≥ 0 is a sign."""
    inputs = make(log="log(kpi) ~ trend + m_tv + m_search")
    design, notes = scenario_design(inputs, "log(kpi) ~ trend + m_tv + m_search")
    assert notes == "Given in the units of the model's own response, so left out: trend, m_tv."
    limits = {parameter.name: (parameter.lower, parameter.upper) for parameter in design.parameters}
    assert limits["m_search"] == (0, np.inf)
    assert limits["m_tv"] == (-np.inf, np.inf)
    defaults = {parameter.name: parameter.prior_is_default for parameter in design.parameters}
    assert all(defaults.values())
    base, no_notes = scenario_design(inputs, BASE)
    assert no_notes == ""
    assert {p.name: p.lower for p in base.parameters}["m_tv"] == 5
    assert not {p.name: p.prior_is_default for p in base.parameters}["trend"]


def test_an_intercept_has_no_sign_to_carry_over(make: Make, config_path: Path) -> None:
    inputs, text = make(), config_path.read_text()
    config_path.write_text(text.replace("{parameter: m_tv, lower: 5}", '{parameter: "(Intercept)", lower: 0}'))
    edited = replace(inputs, priors=priors_slice(load_checked(config_path).config))
    design, notes = scenario_design(edited, "log(kpi) ~ trend + m_search")
    assert notes == "Given in the units of the model's own response, so left out: trend, (Intercept)."
    assert {parameter.name: parameter.lower for parameter in design.parameters}["(Intercept)"] == -np.inf


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("spend_tv ~ trend + m_tv", "same response"),
        ("kpi ~ trend + (1 | note)", "model's class"),
    ],
)
def test_a_scenario_must_be_comparable(make: Make, formula: str, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        scenario_design(make(), formula)


@dataclass
class Moody(FakeRunner):
    """Stan that fails for models with so many coefficients."""

    size: int = 0
    error: type[Exception] = FitError

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        if data["K"] == self.size:
            raise self.error("Stan had a bad day.")
        return super().optimise(program, data, settings)


def test_a_fit_that_fails_is_a_row_with_its_message_and_stops_nothing(make: Make) -> None:
    tables = sensitivity_tables(make(short="kpi ~ m_tv", long="kpi ~ trend + m_tv"), Moody(size=2))
    failed = row(tables, "short")
    assert failed["status"] == "failed"
    assert "Stan had a bad day." in failed["message"]
    assert "\n" not in failed["message"]
    assert failed[["r2", "rmse", "rmse_kpi", "smape", "rows", "terms"]].isna().all()
    assert [row(tables, name)["status"] for name in ("base", "long")] == ["ok", "ok"]
    assert set(tables[PARAMETERS]["scenario"]) == {"base", "long"}
    for name, table in tables.items():
        validate(TABLES[name], table)


def test_a_formula_that_makes_no_design_is_a_row_too(make: Make) -> None:
    tables = sensitivity_tables(make(typo="kpi ~ trend + m_tvv"), FakeRunner())
    assert row(tables, "typo")["status"] == "failed"
    assert "m_tvv" in row(tables, "typo")["message"]


def test_a_fit_that_did_not_converge_is_shown_as_such(make: Make) -> None:
    tables = sensitivity_tables(make(short="kpi ~ m_tv"), FakeRunner(converges=False))
    assert set(tables[SUMMARY]["status"]) == {"not_converged"}
    assert row(tables, "short")["message"].endswith("Maximum number of iterations hit")
    assert row(tables, "short")["rmse"] > 0


def test_a_missing_toolchain_is_no_result(make: Make) -> None:
    with pytest.raises(ToolchainError, match="bad day"):
        sensitivity_tables(make(short="kpi ~ m_tv"), Moody(size=2, error=ToolchainError))
