"""The demo market by MAP with real Stan, from config to run folder, against a second way to the same mode."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner

from dsam_assets.fit.point import fit_point, point_settings
from dsam_assets.preflight import load_checked, preflight
from dsam_assets.running import RunResult, run_from_yaml

# Dagster 1.13 reads a property of its own that it has deprecated.
pytestmark = [
    pytest.mark.stan,
    pytest.mark.filterwarnings("ignore:Property `OpDefinition.version` is deprecated:DeprecationWarning"),
]

CONFIGS = Path(__file__).parents[2] / "configs"
KPI, LOGGED = "kpi_os_hfb01_value", "log(kpi_os_hfb01_value)"
SENSITIVITY = """
transforms:
  sensitivity:
    enabled: true
    scenarios:
      - {{name: logged, formula: "{logged}"}}
      - {{name: no_price, formula: "{no_price}"}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo with `fit.method: optimise` and two alternative formulas."""
    folder = tmp_path_factory.mktemp("map") / "configs"
    (folder / "data").mkdir(parents=True)
    for name in ("blm_demo.csv", "blm_demo.future.csv", "holidays_demo.csv"):
        shutil.copy(CONFIGS / "data" / name, folder / "data")
    text = (CONFIGS / "blm_demo.yaml").read_text()
    assert text.count("  method: mcmc\n") == 1
    formula = " ".join(load_checked(CONFIGS / "blm_demo.yaml").config.model.formula.split())
    added = SENSITIVITY.format(logged=formula.replace(KPI, LOGGED), no_price=formula.replace("price_index + ", ""))
    point = "  method: optimise\n  optimise: {n_runs: 3, seed: 11, hessian: true}\n"
    path = folder / "blm_demo.yaml"
    path.write_text(text.replace("  method: mcmc\n", point) + added)
    return path


@pytest.fixture(scope="module")
def run(config: Path) -> RunResult:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DSAM_STORE", "DAGSTER_HOME", "DSAM_CONFIGS"):
            patch.delenv(name, raising=False)
        return run_from_yaml(config, run_dir=str(config.parent.with_name("run")))


def table(run: RunResult, name: str) -> pd.DataFrame:
    return pd.read_csv(next(run.path.rglob(name)), float_precision="round_trip")


def test_the_mode_is_that_of_alternating_closed_forms(run: RunResult, config: Path) -> None:
    """Stan climbs; the stand-in solves a bounded ridge and one equation by turns. Both know the same density."""
    ready = preflight(load_checked(config))
    second = fit_point(ready.design, point_settings(ready.loaded.config.fit), FakeRunner()).optimisation_best
    found = table(run, "optimisation_best.csv")
    assert list(found["parameter"]) == list(second["parameter"])
    apart = (found["estimate"] - second["estimate"]).abs() / second["sd"]
    assert apart.max() < 0.02, "in posterior standard deviations"
    np.testing.assert_allclose(found["sd"], second["sd"], rtol=0.01)


def test_the_run_is_complete_provisional_and_without_intervals(run: RunResult) -> None:
    report = run.report
    assert (run.status, report.reliability, report.converged) == ("complete", "provisional", None)
    assert {row.check_id for row in report.results if row.status in ("warn", "fail")} <= {"resid_ljung_box_p"}
    converged = report.find("optimiser_converged")
    assert converged is not None
    assert converged.status == "pass"
    summary = run.tables["budget_summary"].iloc[0]
    assert summary["estimate"] == "point"
    assert summary[["delta_kpi_lower", "delta_kpi_upper", "probability_beats_reference"]].isna().all()
    assert summary["delta_kpi_mean"] > 0
    assert table(run, "fitted.csv")[["sd", "q05", "q95"]].isna().all().all()
    names = {path.name for path in run.path.rglob("*")}
    assert {"optimisation_runs.csv", "transform_sensitivity_summary.csv"} <= names
    assert not names & {"posterior_summary.csv", "chain_diagnostics.txt"}
    assert json.loads(next(run.path.rglob("convergence_report.json")).read_text())["computed"] is False


def test_no_figure_speaks_of_intervals_that_are_not_there(run: RunResult, config: Path) -> None:
    drawn = {path.name.removesuffix(".plot.json"): path for path in (config.parent / ".dsam").rglob("*.plot.json")}
    assert len(drawn) > 20
    assert "budget_confidence_comparison" not in drawn  # of a point estimate there is nothing to compare
    figures = {name: json.loads(path.read_text()) for name, path in drawn.items() if name != "prior_predictive"}
    words = {name: " ".join(_words(figure)) for name, figure in figures.items()}
    false = re.compile(r"[59]0 ?%|\bmedian|posterior|draw|intervals?\b(?<!no interval)", re.IGNORECASE)
    assert {name: found for name, text in words.items() if (found := false.findall(text))} == {}
    assert all("no interval" in words[name] for name in ("channel_returns", "budget_roi_cpa", "forecast"))


def test_no_table_of_the_report_has_an_empty_column(run: RunResult) -> None:
    page = next(run.path.rglob("business_report.md")).read_text()
    assert "| Channel |" in page
    assert "90 % interval" not in page
    assert "each draw" not in page
    assert "Intervals are" not in page


def _words(part: Any) -> Iterator[str]:
    """All that a figure writes: titles, notes and the names of its traces."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("text", "name") and isinstance(value, str):
                yield value.replace("<br>", " ")
            else:
                yield from _words(value)
    elif isinstance(part, list):
        for each in part:
            yield from _words(each)


def test_sensitivity_starts_from_the_fit_itself(run: RunResult) -> None:
    summary = table(run, "transform_sensitivity_summary.csv").set_index("scenario")
    assert list(summary["status"]) == ["ok", "ok", "ok"]
    parameters = table(run, "transform_sensitivity_parameters.csv")
    base = parameters[parameters["scenario"] == "base"].set_index("parameter")[["estimate", "sd"]]
    best = table(run, "optimisation_best.csv").set_index("parameter")[["estimate", "sd"]]
    pd.testing.assert_frame_equal(base, best, check_exact=True)
    # The price moves this KPI, and on the KPI scale a log response fits these additive data no better.
    assert summary.loc["no_price", "rmse"] > 1.2 * summary.loc["base", "rmse"]
    assert summary.loc["no_price", "message"] == "Not in this formula, so left out: price_index."
    assert summary.loc["logged", "rmse_kpi"] > summary.loc["base", "rmse_kpi"]
    assert summary.loc["logged", "response_scale"] == "log"
