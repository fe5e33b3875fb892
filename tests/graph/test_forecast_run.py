"""A forecast through the graph: what it writes, what recomputes it, and what refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from small_market import market_frame

from dsam_assets.assets.market_asset import FORCE_TAG
from dsam_assets.config.slices import SLICES
from dsam_assets.errors import DsamError
from dsam_assets.preflight import load_checked, preflight
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate


def future_frame(weeks: int = 8) -> pd.DataFrame:
    """The first weeks of the market again, after its last one; the KPI is not known."""
    frame = market_frame()
    dates = pd.date_range(frame["date"].iloc[-1], periods=weeks + 1, freq="7D").strftime("%Y-%m-%d")[1:]
    return frame.head(weeks).assign(date=dates, trend=1.02).drop(columns=["kpi", "note"])


@pytest.fixture
def ahead(project) -> Path:
    """The market asks for a forecast; returns its future file."""
    path: Path = project.data.with_name("uk_future.csv")
    future_frame().to_csv(path, index=False, lineterminator="\n")
    project.edit("allocation:\n", "forecast: {enabled: true, data_path: data/uk_future.csv, horizon: 6}\nallocation:\n")
    return path


def test_a_forecast_and_its_plan_are_written_and_only_they_follow_the_future_file(project, ahead: Path) -> None:
    first = project.run()
    assert first.result.success
    assert {"future_frame", "forecast"} <= first.assets("computed")
    assert first.events["posterior"] == "reused"
    names = ("forecast", "forecast_summary", "forecast_extrapolation", "forecast_plan")
    folder = first.folder / "70_forecast"
    pages = {"forecast.html", "forecast_paths.html"}
    assert {path.name for path in folder.iterdir()} == {"forecast.json", *pages, *(f"{name}.csv" for name in names)}
    for name in names:
        validate(TABLES[name], pd.read_parquet(project.store_root / "uk" / "70_forecast" / f"{name}.parquet"))
    document = json.loads((folder / "forecast.json").read_text())
    assert (document["enabled"], document["plan"], document["seed"]) == (True, "followed", 7)
    assert document["future_data"] == "uk_future.csv"
    assert len(pd.read_csv(folder / "forecast.csv")) == 6
    assert {row["path"] for row in document["forecast_summary"]} >= {"base", "plan", "even", "plan_minus_base"}
    shown = project.record("forecast").metadata["shown"]
    assert shown["reliability"] == document["reliability"]

    future_frame().assign(m_tv=0.0, spend_tv=0.0).to_csv(ahead, index=False, lineterminator="\n")
    second = project.run()
    assert second.assets("computed") == {"future_frame", "forecast", "forecast_plots", "report", "run_bundle"}
    assert project.record("forecast").metadata["shown"]["total"] < shown["total"]


def test_without_a_forecast_the_run_folder_has_none(first_run, project) -> None:
    assert not (first_run.folder / "70_forecast").exists()
    assert project.record("forecast").metadata["shown"]["enabled"] is False


def test_a_blocked_fit_gives_no_forecast(project, ahead: Path) -> None:
    project.edit("gating: warn", "gating: strict")
    made = (
        "posterior", "pre_run_checks", "fit_checks", "postfit_checks", "loo", "diagnostics_report", "future_frame",
        "forecast",
    )  # fmt: skip
    project.run(selection=["resolved_config", *(f"config/{name}" for name in SLICES)])
    run = project.run(selection=made, stuck=True, tags={FORCE_TAG: "true"})
    assert run.failure("forecast").user_failure_data.metadata["exit_status"].value == 3
    assert "future_frame" in run.succeeded_steps()


def test_the_future_file_is_checked_before_the_fit(project, ahead: Path) -> None:
    assert len(preflight(load_checked(project.config)).future.ahead) == 6
    future_frame(4).drop(columns="m_tv").to_csv(ahead, index=False)
    with pytest.raises(DsamError, match="The future data are shorter") as short:
        preflight(load_checked(project.config))
    assert str(ahead) in str(short.value.where)
    project.edit("horizon: 6", "horizon: 4")
    with pytest.raises(DsamError, match="lack values that the model needs") as caught:
        preflight(load_checked(project.config))
    assert (caught.value.where, caught.value.got) == (str(ahead), "no column m_tv")
