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
    start = pd.Timestamp(frame["date"].iloc[-1])
    more["date"] = [f"{start + pd.Timedelta(weeks=k):%Y-%m-%d}" for k in range(1, weeks + 1)]
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


def test_new_rows_and_a_revised_cell_are_told_from_each_other(project: Any) -> None:
    first = fit_of(project)
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


def test_running_again_changes_nothing_and_never_compares_a_fit_with_itself(project: Any) -> None:
    first = fit_of(project)
    revise(project, 10, 30.0)
    project.run()
    record = project.record("refresh_drift")
    again = project.run()
    assert again.events["refresh_drift"] == "reused"
    forced = project.run(tags={FORCE_TAG: "true"})
    assert forced.events["refresh_drift"] == "unchanged"
    assert project.record("refresh_drift") == record
    assert kept(project) == (fit_of(project), first)


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


def test_going_back_is_compared_with_what_was_in_between(project: Any) -> None:
    original, first = project.data.read_bytes(), fit_of(project)
    revise(project, 10, 30.0)
    project.run()
    second = fit_of(project)
    project.data.write_bytes(original)
    project.run()
    assert fit_of(project) == first != second
    assert kept(project) == (first, second)
    (cell,) = table(project, "cells").to_dict("records")
    assert cell["change"] == pytest.approx(-30.0)


def test_a_config_change_alone_is_told_as_that(project: Any) -> None:
    project.edit("mean: 0, sd: 50", "mean: 0, sd: 0.5")
    project.run()
    assert causes(project) == {"config", "sampler_noise"}
    settings = table(project, "settings")
    assert settings[["kind", "section", "key", "previous", "now"]].to_numpy().tolist() == [
        ["config", "priors", "priors.overrides[0].sd", "50.0", "0.5"]
    ]


def test_a_term_that_came_is_told(project: Any) -> None:
    project.edit("+ m_search\n", "+ m_search + note\n")
    project.run()
    states = table(project, "parameters").set_index("parameter")["state"]
    assert states["note"] == "added"
    assert summary(project)["reweighting"] == "the model has other terms"


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


def test_after_the_refit_everything_is_current(project: Any) -> None:
    revise(project, 10, 30.0)
    project.run()
    state = market_state(project.store, ConfigCatalogue(folder=str(project.folder)), "uk")
    assert state.condition == "current"
    append_weeks(project, 1)
    stale = market_state(project.store, ConfigCatalogue(folder=str(project.folder)), "uk")
    assert "refresh_drift" in stale.stale
    assert kept(project)[0] == fit_of(project)  # a dry look keeps nothing


def test_a_fit_that_a_gate_blocks_is_no_fit_to_compare_with(project: Any) -> None:
    first = fit_of(project)
    project.edit("gating: warn", "gating: strict")
    revise(project, 10, 30.0)
    halted = project.run(stuck=True)
    assert not halted.result.success
    assert kept(project) == (first, None)
    assert not (halted.folder / "30_post_run" / "drift_summary.csv").exists()


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


def test_two_run_folders_tell_what_the_graph_told(project: Any, first_run: Any) -> None:
    append_weeks(project, 3)
    run = project.run()
    found = load_run(run.folder).drift_since(load_run(first_run.folder))
    told = table(project, "parameters")
    pd.testing.assert_frame_equal(found["drift_parameters"], told, check_dtype=False)
    assert found["drift_summary"].iloc[0]["rows_added"] == 3
