"""Public data sets through the whole graph: config and CSV in, a complete run folder with a budget out.

The data are not part of the repository. They are looked for in `DSAM_SHARED_DATA`, else in `shared/data` beside the
repository or beside a folder above it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dsam_assets.running import RunResult, run_from_yaml

# Dagster 1.13 reads a property of its own that it has deprecated.
pytestmark = [
    pytest.mark.stan,
    pytest.mark.filterwarnings("ignore:Property `OpDefinition.version` is deprecated:DeprecationWarning"),
]

CHANNELS = ("tv_S", "ooh_S", "print_S", "facebook_S", "search_S")
# Spend where log(1 + spend / scale) has lost half of its initial slope; about the mean of the weeks on air.
SCALES = {"tv_S": 20_000, "ooh_S": 50_000, "print_S": 10_000, "facebook_S": 10_000, "search_S": 10_000}
CONTROLS = {"t", "sin52_1", "cos52_1", "sin52_2", "cos52_2", "competitor_sales_B", "newsletter"}

# At least one file of every stage; what a decision is read from.
NEEDED = (
    "config.resolved.yaml", "session_info.txt", "prior_table.csv", "vif_report.csv", "model.nc", "fitted.csv",
    "posterior_summary.csv", "residuals.csv", "diagnostics_report.csv", "convergence_report.json", "loo_summary.csv",
    "budget_allocation.csv", "budget_summary.csv",
)  # fmt: skip

ROBYN = """
schema_version: 1
data: {{path: robyn.csv, date_var: DATE, na_action: error}}
model:
  name: robyn
  formula: >-
    {response} ~ t + sin52_1 + cos52_1 + sin52_2 + cos52_2 + competitor_sales_B + newsletter + {media}
boundaries:
  overrides: [{bounds}]
fit: {{mcmc: {{chains: 4, iter: 2000, warmup: 1000, cores: 2, seed: 7}}}}
diagnostics: {{policy_mode: publish}}
allocation:
  enabled: true
  budget: {{total: 70000}}
  objective: {{allow_relative_log_uplift: {relative}}}
  channels: [{channels}]
"""

PYMC = """
schema_version: 1
data: {path: mmm_example.csv, date_var: date_week, na_action: error}
model:
  name: pymc_example
  formula: >-
    y ~ t + sin(2 * 3.14159265 * dayofyear / 365.25) + cos(2 * 3.14159265 * dayofyear / 365.25) +
      sin(4 * 3.14159265 * dayofyear / 365.25) + cos(4 * 3.14159265 * dayofyear / 365.25) +
      event_1 + event_2 + log(1 + x1 / 0.25) + log(1 + x2 / 0.25)
boundaries:
  overrides: [{parameter: log(1 + x1/0.25), lower: 0}, {parameter: log(1 + x2/0.25), lower: 0}]
fit: {mcmc: {chains: 4, iter: 2000, warmup: 1000, cores: 2, seed: 7}}
diagnostics: {policy_mode: publish}
allocation:
  enabled: true
  budget: {total: 0.47}
  channels:
    - {term: log(1 + x1/0.25), name: x1, bounds: {min: 0.15, max: 0.62}, response: {type: log1p, scale: 0.25}}
    - {term: log(1 + x2/0.25), name: x2, bounds: {min: 0.08, max: 0.32}, response: {type: log1p, scale: 0.25}}
"""


@pytest.fixture(scope="module")
def shared() -> Path:
    named = os.environ.get("DSAM_SHARED_DATA")
    repository = Path(__file__).resolve().parents[2]
    places = [Path(named)] if named else [folder / "shared" / "data" for folder in repository.parents]
    found = next(
        (place for place in places if (place / "robyn").is_dir() and (place / "pymc-marketing").is_dir()), None
    )
    if found is None:
        pytest.skip("the public data sets are not here; set DSAM_SHARED_DATA to the folder that holds them")
    return found


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results stay beside the config, whatever the environment says."""
    for name in ("DSAM_STORE", "DAGSTER_HOME", "DSAM_CONFIGS"):
        monkeypatch.delenv(name, raising=False)


def run(folder: Path, market: str, text: str) -> RunResult:
    config = folder / f"{market}.yaml"
    config.write_text(text)
    return run_from_yaml(config, run_dir=str(folder / "run"))


def add_seasons(source: Path, target: Path) -> pd.DataFrame:
    """The weekly file with a trend from 0 to 1 and two annual harmonics."""
    frame = pd.read_csv(source, keep_default_na=False)
    week = np.arange(len(frame))
    frame["t"] = week / (len(frame) - 1)
    for harmonic in (1, 2):
        angle = 2 * np.pi * harmonic * week / 52.1775
        frame[f"sin52_{harmonic}"], frame[f"cos52_{harmonic}"] = np.sin(angle), np.cos(angle)
    frame.to_csv(target, index=False)
    return frame


def robyn_config(response: str) -> tuple[str, tuple[str, ...]]:
    """The config, and the names of its media terms in R's spelling."""
    terms = tuple(f"log(1 + {name}/{SCALES[name]:.0f})" for name in CHANNELS)
    channels = (
        f"{{term: {term}, name: {name}, bounds: {{min: 500, max: 90000}}, "
        f"response: {{type: log1p, scale: {SCALES[name]}}}}}"
        for name, term in zip(CHANNELS, terms, strict=True)
    )
    text = ROBYN.format(
        response=response,
        media=" + ".join(terms),
        bounds=", ".join(f"{{parameter: {term}, lower: 0}}" for term in terms),
        relative="true" if response.startswith("log") else "false",
        channels=", ".join(channels),
    )
    return text, terms


def assert_complete(result: RunResult, budget: float) -> None:
    """Every file is as the manifest says, the verdict is computed, and the budget is spent within its bounds."""
    manifest = json.loads((result.path / "run_manifest.json").read_text())
    assert (result.status, manifest["status"]) == ("complete", "complete")
    on_disk = {str(path.relative_to(result.path)) for path in result.path.rglob("*") if path.is_file()}
    assert on_disk == {*manifest["files"], "run_manifest.json"}
    for name, facts in manifest["files"].items():
        assert hashlib.sha256((result.path / name).read_bytes()).hexdigest() == facts["sha256"], name
    missing = {*NEEDED} - {Path(name).name for name in manifest["files"]}
    assert not missing, missing
    assert manifest["verdict"]["overall"] in ("pass", "warn", "fail")
    assert not (result.checks["status"] == "not_computed").any()
    plan = result.plan
    assert plan["spend_optimised"].sum() == pytest.approx(budget, rel=1e-9)
    assert (plan["spend_optimised"] >= plan["spend_min"] * (1 - 1e-9)).all()
    assert (plan["spend_optimised"] <= plan["spend_max"] * (1 + 1e-9)).all()


def assert_converged(result: RunResult) -> None:
    checks = result.checks.set_index("check_id")["status"]
    assert set(checks[checks.index.str.startswith("sampler_")]) == {"pass"}
    assert set(checks[checks.index.str.startswith("pre_")]) <= {"pass", "skipped"}
    convergence = json.loads((result.path / "40_diagnostics/convergence_report.json").read_text())
    assert convergence["converged"] is True


def summary(result: RunResult) -> pd.DataFrame:
    return pd.read_csv(result.path / "30_post_run/posterior_summary.csv").set_index("parameter")


def least_squares(frame: pd.DataFrame, columns: dict[str, np.ndarray], response: np.ndarray) -> pd.DataFrame:
    """Ordinary least squares estimates and standard errors by term."""
    X = np.column_stack([np.ones(len(frame)), *columns.values()])
    length = np.linalg.norm(X, axis=0)
    inverse = np.linalg.inv((X / length).T @ (X / length))
    estimate = inverse @ ((X / length).T @ response) / length
    rest = response - X @ estimate
    error = np.sqrt(np.diag(inverse) * (rest @ rest) / (len(rest) - X.shape[1])) / length
    return pd.DataFrame({"estimate": estimate, "error": error}, index=["(Intercept)", *columns])


@pytest.mark.parametrize("response", ["revenue", "log(revenue)"])
def test_robyn_weekly_end_to_end(shared: Path, tmp_path: Path, response: str) -> None:
    frame = add_seasons(shared / "robyn" / "dt_simulated_weekly.csv", tmp_path / "robyn.csv")
    text, terms = robyn_config(response)
    result = run(tmp_path, "robyn", text)
    assert_complete(result, 70_000)
    assert_converged(result)
    # ooh and search: their least squares estimates are within 0.3 standard errors of the bound at zero.
    assert result.report.find("boundary_hit_fraction").status == "warn"
    posterior = summary(result)
    assert set(posterior.index) == {"(Intercept)", "noise_sd", *CONTROLS, *terms}
    assert (posterior.loc[list(terms), "q025"] > 0).all()
    log = response.startswith("log")
    media = {term: np.log1p(frame[name] / SCALES[name]).to_numpy() for name, term in zip(CHANNELS, terms, strict=True)}
    columns = {name: frame[name].to_numpy() for name in sorted(CONTROLS)} | media
    ols = least_squares(frame, columns, np.log(frame["revenue"]) if log else frame["revenue"].to_numpy())
    # Weak priors: what the bounds do not touch is where least squares puts it.
    apart = ((posterior["mean"] - ols["estimate"]) / ols["error"]).drop("noise_sd")
    assert (apart.drop(index=list(terms)).abs() < 0.75).all()
    assert abs(apart[terms[0]]) < 0.3
    assert (result.path / "30_post_run/fitted_kpi.csv").exists() is log
    assert result.plan["response_unit"].iloc[0] == ("relative" if log else "kpi")


def test_pymc_marketing_example_end_to_end(shared: Path, tmp_path: Path) -> None:
    source = shared / "pymc-marketing" / "mmm_example.csv"
    (tmp_path / source.name).write_bytes(source.read_bytes())
    result = run(tmp_path, "pymc", PYMC)
    assert_complete(result, 0.47)
    assert_converged(result)
    # No carry-over in the formula: residuals are correlated. The events are single rows: LOO cannot judge them.
    caught = {row.check_id for row in result.report.results if row.status in ("warn", "fail")}
    assert caught >= {"resid_ljung_box_p", "resid_acf_max", "loo_leverage_one"}
    frame, posterior = pd.read_csv(source), summary(result)
    angle = 2 * np.pi * frame["dayofyear"] / 365.25
    columns = {"t": frame["t"], "sin": np.sin(angle), "cos": np.cos(angle), "sin2": np.sin(2 * angle)}
    columns |= {"cos2": np.cos(2 * angle), "event_1": frame["event_1"], "event_2": frame["event_2"]}
    columns |= {f"log(1 + {name}/0.25)": np.log1p(frame[name] / 0.25) for name in ("x1", "x2")}
    ols = least_squares(frame, {name: np.asarray(values) for name, values in columns.items()}, frame["y"].to_numpy())
    common = ols.index.intersection(posterior.index)
    assert len(common) == 6
    apart = (posterior["mean"][common] - ols["estimate"][common]) / ols["error"][common]
    assert (apart.abs() < 0.2).all(), "no bound is near, so weak priors leave least squares where it is"
    np.testing.assert_allclose(posterior["sd"][common], ols["error"][common], rtol=0.1)
