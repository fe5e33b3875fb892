"""What `dsam status` says would be computed again, against what a run then computes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dsam_assets.staleness import MarketState, market_state
from resources.catalogue import ConfigCatalogue

slow = pytest.mark.slow
SECTIONS = {
    f"config/{name}" for name in ("data", "formula", "priors", "fit", "diagnostics", "gating", "allocation", "report")
}
CALENDAR = "ds,holiday\n2023-04-09,Easter\n2023-12-25,Christmas\n"
HOLIDAYS = "time_components:\n  enabled: true\n  holidays: {enabled: true, calendar_path: data/holidays.csv}\n"
POOLING = """\
pooling:
  enabled: true
  map_path: data/map.csv
  grouping_vars: [channel]
"""


def look(project: Any) -> MarketState:
    return market_state(project.store, ConfigCatalogue(folder=str(project.folder)), "uk")


def conditions(state: MarketState, *wanted: str) -> set[str]:
    return {each.asset for each in state.assets if each.condition in wanted}


def edit_data(project: Any, column: str, change: float) -> None:
    frame = pd.read_csv(project.data)
    frame.loc[3, column] += change
    frame.to_csv(project.data, index=False, lineterminator="\n")


def older_code(project: Any, part: str) -> None:
    """Make every record that names a part of the code one that was made by another version of it."""
    for path in (project.store_root / "uk" / ".records").glob("*.json"):
        document = json.loads(path.read_text())
        if part in document["code"]:
            document["code"][part] = "another"
            path.write_text(json.dumps({**document, "code_version": "another"}))


# A run always writes a run folder and says which file it read, whether there is anything new in them or not.
ALWAYS = {"run_bundle", "session_info"}


def run_as_told(project: Any, state: MarketState) -> set[str]:
    """What a run computes, once it is held against the state before it."""
    run = project.run()
    assert run.result.success
    computed: set[str] = run.assets("computed")
    assert conditions(state, "stale") <= computed
    assert computed <= {*state.stale, *ALWAYS}
    after = look(project)
    assert (after.condition, after.stale) == ("current", ())
    return computed


@dataclass(frozen=True)
class Edit:
    """An edit, what it must be called, how far it reaches, and whether some of what is computed comes out as before, so
    that what waits for it is reused."""

    make: Callable[[Any], None]
    cause: str
    reaches: set[str]
    leaves: set[str]
    some_comes_out_as_before: bool = False


EDITS = {
    "a comment": Edit(
        lambda project: project.edit("model:\n", "# the best market\nmodel:\n"),
        "config file changed", {"resolved_config", *SECTIONS, "run_bundle"}, {"posterior", "allocation", "model_frame"},
    ),
    "the allocation": Edit(
        lambda project: project.edit("total: 250", "total: 260"),
        "config/allocation changed: allocation.budget.total 250.0 → 260.0",
        {"config/allocation", "allocation"}, {"posterior", "diagnostics_report", "loo"},
        some_comes_out_as_before=True,  # a forecast that is not asked for
    ),
    "the gating": Edit(
        lambda project: project.edit("gating: warn", "gating: strict"),
        "config/gating changed: gating warn → strict",
        {"config/gating", "diagnostics_report"}, {"posterior", "loo", "tscv", "fit_checks", "postfit_checks"},
        some_comes_out_as_before=True,
    ),
    "a prior": Edit(
        lambda project: project.edit("mean: 0, sd: 50", "mean: 0, sd: 0.5"),
        "config/priors changed: priors.overrides[0].sd 50.0 → 0.5",
        {"config/priors", "prior_table", "posterior", "allocation", "tscv"},
        {"model_frame", "design_matrix", "observed"},
    ),
    "a modelled cell": Edit(
        lambda project: edit_data(project, "kpi", 25.0), "data file changed",
        {"model_frame", "design_matrix", "posterior", "allocation"}, {"resolved_config", *SECTIONS},
    ),
    "an unused column": Edit(
        lambda project: edit_data(project, "note", 1), "data file changed",
        {"model_frame", "design_matrix", "fitted", "loo"}, {"posterior", "prior_table"},
        some_comes_out_as_before=True,
    ),
    "line ends of the data": Edit(
        lambda project: project.data.write_bytes(project.data.read_bytes().replace(b"\n", b"\r\n")),
        "data file changed", {"model_frame"}, {"design_matrix", "posterior", "allocation", "run_bundle"},
    ),
    "code of the fit": Edit(
        lambda project: older_code(project, "fit"), "code of fit changed",
        {"posterior", "fit_metrics", "loo"}, {"design_matrix", "pre_run_checks", "resolved_config"},
        some_comes_out_as_before=True,
    ),
    "code of the allocation": Edit(
        lambda project: older_code(project, "allocation"), "code of allocation changed",
        {"allocation"}, {"posterior", "diagnostics_report"}, some_comes_out_as_before=True,
    ),
    "a Stan program": Edit(
        lambda project: older_code(project, "stan:linear"), "code of Stan program linear changed",
        {"posterior"}, {"design_matrix", "prior_table"}, some_comes_out_as_before=True,
    ),
    "a lost file": Edit(
        lambda project: (project.store_root / "uk/20_model_fit/fit_metrics.parquet").unlink(),
        "a stored file is missing", {"fit_metrics"}, {"posterior", "loo"}, some_comes_out_as_before=True,
    ),
    "a lost record": Edit(
        lambda project: (project.store_root / "uk/.records/posterior.json").unlink(),
        "never made", {"posterior"}, {"design_matrix"}, some_comes_out_as_before=True,
    ),
}  # fmt: skip
QUICK = ("a prior",)


def test_after_a_run_nothing_is_stale(project: Any) -> None:
    state = look(project)
    assert state.condition == "current"
    assert state.stale == ()
    assert conditions(state, "current") == {each.asset for each in state.assets}
    assert len(state.assets) > 30
    assert state.since == ""


def test_looking_writes_nothing(project: Any) -> None:
    project.edit("mean: 0, sd: 50", "mean: 0, sd: 0.5")
    before = project.stored_files("*")
    look(project)
    assert project.stored_files("*") == before


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=slow) for name in EDITS])
def test_what_is_called_stale_is_what_a_run_computes(project: Any, name: str) -> None:
    edit = EDITS[name]
    edit.make(project)
    state = look(project)
    assert state.condition == "stale"
    assert edit.cause in state.causes
    assert edit.reaches <= set(state.stale)
    assert not edit.leaves & set(state.stale)
    computed = run_as_told(project, state)
    if not edit.some_comes_out_as_before:
        assert computed | ALWAYS == {*state.stale, *ALWAYS}


@pytest.mark.parametrize("name", EDITS)
def test_every_stale_asset_says_why_and_how_the_change_reached_it(project: Any, name: str) -> None:
    EDITS[name].make(project)
    state = look(project)
    by_name = {each.asset: each for each in state.assets}
    for each in state.assets:
        assert bool(each.causes) == (each.condition != "current"), each.asset
        for what, cause in each.causes.items():
            assert cause.trail[-1] == each.asset
            assert str(cause).startswith(what)
            for name in cause.trail[:-1]:
                assert by_name[name].condition in ("stale", "waiting"), cause


def test_a_change_is_dated_by_its_file(project: Any) -> None:
    edit_data(project, "kpi", 25.0)
    os.utime(project.data, (1_700_000_000, 1_700_000_000))
    state = look(project)
    assert state.since == "2023-11-14T22:13:20+00:00"
    (cause,) = next(each for each in state.assets if each.asset == "posterior").causes.values()
    assert cause.since == state.since
    assert str(cause) == "data file changed → model_frame → design_matrix → posterior"


def test_two_changes_are_told_apart(project: Any) -> None:
    project.edit("total: 250", "total: 260")
    edit_data(project, "kpi", 25.0)
    causes = look(project).causes
    assert {each.asset for each in causes["data file changed"]} >= {"model_frame", "posterior", "allocation"}
    (budget,) = [what for what in causes if what.startswith("config/allocation changed")]
    reached = {each.asset for each in causes[budget]}
    assert {"config/allocation", "allocation", "run_bundle"} <= reached
    assert not {"model_frame", "design_matrix", "posterior"} & reached


def test_an_edit_that_is_taken_back_leaves_nothing_stale(project: Any) -> None:
    text = project.config.read_text()
    project.edit("mean: 0, sd: 50", "mean: 0, sd: 0.5")
    assert look(project).condition == "stale"
    project.config.write_text(text)
    assert look(project).condition == "current"


def test_a_broken_config_is_broken_and_so_is_its_run(project: Any) -> None:
    project.edit("formula: kpi ~ trend", "formula: kpi ~ ~ trend")
    state = look(project)
    assert state.condition == "broken"
    assert "formula" in state.problem
    assert conditions(state, "broken") == {"resolved_config"}
    assert conditions(state, "stale") == set()
    run = project.run(selection=["resolved_config"])
    assert not run.result.success
    assert run.failure("resolved_config")
    (failure,) = look(project).failures
    assert failure.asset == "resolved_config"
    project.edit("formula: kpi ~ ~ trend", "formula: kpi ~ trend")
    assert project.run(selection=["resolved_config"]).result.success
    assert look(project).failures == ()


def test_a_missing_data_file_breaks_the_market_where_it_is_read(project: Any) -> None:
    project.data.unlink()
    state = look(project)
    assert state.condition == "broken"
    assert conditions(state, "broken") == {"model_frame"}
    assert "uk.csv" in state.problem
    assert not project.run(selection=["model_frame"]).result.success


def test_a_column_that_left_the_data_breaks_the_design(project: Any) -> None:
    pd.read_csv(project.data).drop(columns="m_tv").to_csv(project.data, index=False)
    state = look(project)
    assert conditions(state, "broken") == {"design_matrix"}
    assert conditions(state, "stale") >= {"model_frame"}
    run = project.run(selection=["model_frame", "design_matrix"])
    assert run.assets("computed") == {"model_frame"}
    assert run.failure("design_matrix")


def test_a_deleted_config_is_gone_and_cannot_be_run(project: Any) -> None:
    project.config.unlink()
    state = look(project)
    assert (state.condition, state.assets) == ("gone", ())
    assert "no config for market uk" in state.problem
    assert not project.run(selection=["resolved_config"]).result.success


def test_a_damaged_record_breaks_the_market(project: Any) -> None:
    (project.store_root / "uk" / ".records" / "posterior.json").write_text("{")
    state = look(project)
    assert conditions(state, "broken") == {"posterior"}
    assert "The record of posterior is damaged" in state.problem


def test_records_of_an_earlier_version_are_stale_for_a_reason(project: Any) -> None:
    path = project.store_root / "uk" / ".records" / "model_frame.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({name: document[name] for name in document if name not in ("sources", "code", "made")}))
    state = look(project)
    assert conditions(state, "stale") == {"model_frame"}
    assert set(state.causes) == {"data file was not recorded"}


@slow
def test_a_halted_market_is_halted_and_not_stale(project: Any) -> None:
    project.edit("gating: warn", "gating: strict")
    project.edit("seed: 7", "seed: 8")
    assert not project.run(stuck=True).result.success
    state = look(project)
    assert state.condition == "halted"
    assert state.stale == ()
    assert {"allocation", "run_bundle"} <= conditions(state, "halted")
    assert conditions(state, "halted", "current") == {each.asset for each in state.assets}
    assert "sampler_rhat_max" in state.problem
    assert "decomposition" in {failure.asset for failure in state.failures}
    project.edit("seed: 8", "seed: 9")  # what would lift the gate is worth computing
    again = look(project)
    assert again.condition == "stale"
    assert {"posterior", "diagnostics_report", "allocation"} <= set(again.stale)


def with_files(project: Any, section: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        (project.folder / "data" / name).write_text(text)
    project.config.write_text(project.config.read_text() + section)
    assert project.run().result.success
    assert look(project).condition == "current"


@slow
def test_an_edit_of_the_calendar(project: Any) -> None:
    with_files(project, HOLIDAYS, {"holidays.csv": CALENDAR})
    calendar = project.folder / "data" / "holidays.csv"
    calendar.write_text(CALENDAR + "2031-01-01,Moon Landing\n")
    state = look(project)
    assert conditions(state, "stale") >= {"holiday_features", "design_matrix"}
    assert "posterior" not in state.stale  # the label has no event in the weeks of the data
    run_as_told(project, state)
    calendar.write_text(CALENDAR.replace("2023-04-09", "2023-05-09"))
    state = look(project)
    assert str(next(each for each in state.assets if each.asset == "posterior").causes["holiday calendar changed"]) == (
        "holiday calendar changed → holiday_features → design_matrix → posterior"
    )
    assert run_as_told(project, state) == set(state.stale)


def test_an_edit_of_the_pooling_map(project: Any) -> None:
    """As far as Stan, whose stand-in knows no pooled model."""
    labels = "variable,channel\nm_tv,video\nm_search,digital\n"
    file = project.folder / "data" / "map.csv"
    file.write_text(labels)
    project.config.write_text(project.config.read_text() + POOLING)
    above = ["resolved_config", *SECTIONS, "model_frame", "holiday_features", "pooling_map", "design_matrix"]
    assert project.run(selection=above).result.success
    assert not set(above) & set(look(project).stale)
    file.write_text(labels.replace("digital", "online"))
    state = look(project)
    assert "pooling map changed" in state.causes
    assert {"posterior", "allocation"} <= set(state.stale)
    assert project.run(selection=above).assets("computed") == set(above) & set(state.stale)


def test_the_state_of_a_file_is_looked_at_before_it_is_read(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes while it is read must count as changed, never as the one that was read."""
    import dsam_assets.data.load as load

    whole = load.read_once

    def slowly(path: Path, **options: Any) -> Any:
        edit_data(project, "kpi", 25.0)
        return whole(path, **options)

    monkeypatch.setattr(load, "read_once", slowly)
    assert project.run(selection=["model_frame"]).result.success
    monkeypatch.undo()
    assert "data file changed" in look(project).causes
