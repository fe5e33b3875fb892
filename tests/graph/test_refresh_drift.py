"""What a refit is compared with, through the graph: the fit before, whatever is run again, halted or reverted."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from dsam_assets.assets.market_asset import FORCE_TAG
from dsam_assets.assets.outcomes import DRIFT_CHECKS
from dsam_assets.loaded_run import load_run
from dsam_assets.staleness import market_state
from resources.catalogue import ConfigCatalogue

DRIFT = "30_post_run/drift_{}.parquet"


UP_TO_DRIFT = (
    "model_frame", "holiday_features", "design_matrix", "posterior", "pre_run_checks", "prior_predictive", "loo",
    "fit_checks", "prior_table", "postfit_checks", "diagnostics_report", "decomposition", "refresh_drift",
)  # fmt: skip


def table(project: Any, name: str) -> pd.DataFrame:
    return pd.read_parquet(project.store_root / "uk" / DRIFT.format(name))


def summary(project: Any) -> pd.Series:
    return table(project, "summary").iloc[0]


def causes(project: Any) -> set[str]:
    found = table(project, "causes")
    return set(found.loc[found["state"] == "present", "cause"])


def append_weeks(project: Any, weeks: int) -> None:
    frame = pd.read_csv(project.data)
    more = frame.tail(weeks).copy()
    dates = pd.date_range(frame["date"].iloc[-1], periods=weeks + 1, freq="7D")
    more["date"] = dates[1:].strftime("%Y-%m-%d")
    pd.concat([frame, more]).to_csv(project.data, index=False, lineterminator="\n")


def revise(project: Any, row: int, change: float) -> None:
    frame = pd.read_csv(project.data)
    frame.loc[row, "kpi"] += change
    frame.to_csv(project.data, index=False, lineterminator="\n")


def fit_of(project: Any) -> str:
    return str(project.record("posterior").data_version)


def kept(project: Any) -> tuple[str | None, str | None]:
    """Data versions of the fits that are kept: the current one and the one before."""
    document = json.loads((project.store_root / "uk" / ".fits" / "fits.json").read_bytes())
    return tuple(each and each["fit"] for each in (document["current"], document["previous"]))  # type: ignore[return-value]


def test_the_first_fit_says_that_there_is_none_before(project: Any) -> None:
    assert summary(project)["status"] == "first_fit"
    checks = project.record("refresh_drift").metadata["checks"]
    assert {check["check_name"] for check in checks} == set(DRIFT_CHECKS)
    assert {check["metadata"]["status"] for check in checks} == {"skipped"}
    assert kept(project) == (fit_of(project), None)


def test_a_refit_its_repetition_and_the_way_back(project: Any) -> None:
    original, first = project.data.read_bytes(), fit_of(project)
    append_weeks(project, 3)
    revise(project, 10, 30.0)
    run = project.run()
    assert run.result.success
    found = summary(project)
    assert found["status"] == "compared"
    assert (found["rows_added"], found["rows_both"], found["cells_revised"]) == (3, 102, 1)
    assert causes(project) == {"rows", "history", "sampler_noise"}
    (cell,) = table(project, "cells").to_dict("records")
    assert (cell["column"], cell["row"], cell["change"]) == ("kpi", 10, pytest.approx(30.0))
    assert kept(project) == (fit_of(project), first)
    assert set(table(project, "channels")["channel"]) == {"TV", "Search"}
    assert {check.check_name for check in run.result.get_asset_check_evaluations()} >= set(DRIFT_CHECKS)
    held = {path.name for path in (run.folder / "30_post_run").iterdir()}
    assert {"drift_summary.csv", "drift_channels.csv", "refresh_drift_checks.csv", "refresh_drift.html"} <= held
    facts = json.loads((run.folder / "80_interpretation" / "interpretation.json").read_text())
    assert facts["drift"]["rows_added"] == 3
    assert "3 rows are new" in (run.folder / "80_interpretation" / "report.html").read_text()
    second, record = fit_of(project), project.record("refresh_drift")
    assert project.run(selection=["refresh_drift"]).events["refresh_drift"] == "reused"
    forced = project.run(selection=["refresh_drift"], tags={FORCE_TAG: "true"})
    assert forced.events["refresh_drift"] == "unchanged"  # the same fit before, not itself
    assert project.record("refresh_drift") == record
    project.data.write_bytes(original)
    project.run(selection=UP_TO_DRIFT)
    assert fit_of(project) == first
    assert kept(project) == (first, second)
    assert summary(project)["rows_removed"] == 3
    (cell,) = table(project, "cells").to_dict("records")
    assert cell["change"] == pytest.approx(-30.0)


@pytest.mark.slow
def test_what_does_not_refit_leaves_the_fit_before_alone(project: Any) -> None:
    """An edit of the channels makes the decomposition again: the comparison with the same fit before is made again."""
    first = fit_of(project)
    revise(project, 10, 30.0)
    project.run()
    second = fit_of(project)
    project.edit("name: TV,", "name: Television,")
    run = project.run()
    assert run.events["posterior"] == "reused"
    assert run.events["refresh_drift"] == "computed"
    assert kept(project) == (second, first)
    assert set(table(project, "channels")["state"]) == {"both", "added", "removed"}
    assert causes(project) == {"history", "config", "sampler_noise"}


@pytest.mark.slow
def test_a_config_change_alone_is_told_as_that(project: Any) -> None:
    project.edit("mean: 0, sd: 50", "mean: 0, sd: 0.5")
    project.run()
    assert causes(project) == {"config", "sampler_noise"}
    settings = table(project, "settings")
    assert settings[["kind", "section", "key", "previous", "now"]].to_numpy().tolist() == [
        ["config", "priors", "priors.overrides[0].sd", "50.0", "0.5"]
    ]


@pytest.mark.slow
def test_a_term_that_came_is_told(project: Any) -> None:
    project.edit("+ m_search\n", "+ m_search + note\n")
    project.run()
    states = table(project, "parameters").set_index("parameter")["state"]
    assert states["note"] == "added"
    assert summary(project)["reweighting"] == "the model has other terms"


@pytest.mark.slow
def test_a_map_fit_beside_a_sampled_one_is_compared_as_far_as_it_goes(project: Any) -> None:
    project.edit("fit:\n", "fit:\n  method: optimise\n")
    run = project.run()
    assert run.result.success
    found = {
        check["check_name"]: check["metadata"]["status"] for check in project.record("refresh_drift").metadata["checks"]
    }
    assert found["refresh_drift_shift"] == "not_computed"
    assert found["refresh_drift_elpd"] == "skipped"
    assert found["refresh_drift_channels"] == "pass"


@pytest.mark.slow
def test_after_the_refit_everything_is_current(project: Any) -> None:
    revise(project, 10, 30.0)
    project.run()
    state = market_state(project.store, ConfigCatalogue(folder=str(project.folder)), "uk")
    assert state.condition == "current"
    append_weeks(project, 1)
    stale = market_state(project.store, ConfigCatalogue(folder=str(project.folder)), "uk")
    assert "refresh_drift" in stale.stale
    assert kept(project)[0] == fit_of(project)  # a dry look keeps nothing


@pytest.mark.slow
def test_a_fit_that_a_gate_blocks_is_no_fit_to_compare_with(project: Any) -> None:
    first = fit_of(project)
    project.edit("gating: warn", "gating: strict")
    revise(project, 10, 30.0)
    halted = project.run(stuck=True)
    assert not halted.result.success
    assert kept(project) == (first, None)
    assert not (halted.folder / "30_post_run" / "drift_summary.csv").exists()


@pytest.mark.slow
def test_a_kept_fit_that_is_damaged_stops_nothing(project: Any) -> None:
    for path in (project.store_root / "uk" / ".fits").rglob("posterior.nc"):
        path.write_bytes(b"")
    revise(project, 10, 30.0)
    run = project.run()
    assert run.result.success
    found = summary(project)
    assert found["status"] == "not_comparable"
    assert "posterior.nc of the previous fit is missing or damaged" in found["reason"]
    revise(project, 20, 30.0)
    project.run()
    assert summary(project)["status"] == "compared"


@pytest.mark.slow
def test_two_run_folders_tell_what_the_graph_told(project: Any, first_run: Any) -> None:
    append_weeks(project, 3)
    run = project.run()
    found = load_run(run.folder).drift_since(load_run(first_run.folder))
    told = table(project, "parameters")
    pd.testing.assert_frame_equal(found["drift_parameters"], told, check_dtype=False)
    assert found["drift_summary"].iloc[0]["rows_added"] == 3
