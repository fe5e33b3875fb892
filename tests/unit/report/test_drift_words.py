"""What is said of a refit: facts of the tables, sentences of the facts, a figure, and a row of the fleet."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drift_fits import RETURNS, SHARES, channels, frame_of, normal_draws, point, snapshot
from report_case import tables as run_tables
from report_case import verdict

from dsam_assets.drift.compare import Missing, refresh_drift
from dsam_assets.report.drift_words import FIRST, drift_facts, drift_table, drift_text
from dsam_assets.report.figures.canvas import Stamp
from dsam_assets.report.figures.drift import NOW, THEN, drift_figures
from dsam_assets.report.fleet_page import status_preview
from dsam_assets.report.fleet_status import MarketNow, fleet_status
from dsam_assets.report.interpretation import Evidence, interpretation
from dsam_assets.report.sections import sections
from dsam_assets.stored_status import market_now

MEANS = {"(Intercept)": 0.0, "m_tv": 1.0, "m_search": 1.0}
DRAWS = normal_draws(MEANS, sd=0.2)
Tables = dict[str, pd.DataFrame]


def drift(new_returns: dict[str, float] | None = None, **parts: Any) -> Tables:
    returns = channels(new_returns or RETURNS, SHARES)
    frame = frame_of(60)
    old = snapshot(frame, DRAWS, tables={"decomp_channels": channels(RETURNS, SHARES)})
    new = snapshot(parts.pop("frame", frame), parts.pop("draws", DRAWS), tables={"decomp_channels": returns}, **parts)
    return refresh_drift(old, new)


def text(found: Tables) -> str:
    facts = drift_facts(found)
    assert facts is not None
    json.dumps(facts, allow_nan=False)
    return " ".join(drift_text(facts))


def test_the_first_fit_is_said_to_be_one() -> None:
    facts = drift_facts(refresh_drift(Missing(), snapshot()))
    assert facts is not None
    assert drift_text(facts) == (FIRST,)
    assert drift_table(facts) is None


def test_fits_that_cannot_be_compared_are_not_said_to_agree() -> None:
    told = text(refresh_drift(Missing("not_comparable", "the copy is damaged"), snapshot()))
    assert told == "Nothing is said of what changed: the copy is damaged."


def test_nothing_changed_but_the_draws() -> None:
    told = text(drift())
    assert "No channel tells another story since the fit of 2026-01-05 10:00 UTC" in told
    assert "Data, config and code are the same: what differs is sampler noise." in told


def test_channels_whose_story_changed_are_named_with_the_reason() -> None:
    found = drift({"m_tv": 1.0, "m_search": 2.0})
    assert "2 of 2 channels tell another story since the fit of 2026-01-05 10:00 UTC: tv, search." in text(found)
    columns, rows = drift_table(drift_facts(found)) or ((), ())
    assert columns[:3] == ("Channel", "ROI before", "ROI now")
    assert rows[0] == (
        "tv", "2", "1", "60.0%", "60.0%", "+0.00", "its return has changed places with that of search",
    )  # fmt: skip


def test_what_happened_and_what_it_moved_is_told() -> None:
    frame = frame_of(63)
    frame.loc[:59] = frame_of(60)
    frame.loc[4, "kpi"] += 1.0
    told = text(drift(frame=frame, code={"fit": "v2"}))
    assert "What happened in between: 3 rows are new, 60 are in both data sets" in told
    assert "1 cell of rows in both data sets changed, in kpi" in told
    assert "the code of fit changed. Several things happened at once." in told
    assert "rows that came or went moved" in told
    assert "revised history moved" in told


def test_what_was_not_computed_is_told_as_that() -> None:
    told = text(drift(frame=frame_of(63), draws=point(MEANS)))
    why = "a point estimate has no draws to reweight"
    assert f"How much rows that came or went and revised history moved is not computed: {why}." in told
    assert told.count("Not computed: one of the fits is a point estimate, the other is not.") == 1
    assert "No channel is known to tell another story" in told
    assert "within the limits" not in told


def report(found: Tables, worst: Any = "pass", gating: Any = "warn") -> Any:
    evidence = Evidence("uk", "model", verdict(worst, gating), {**run_tables(), **found})
    facts = interpretation(evidence)
    return {section.key: section for section in sections(facts)}


def test_the_report_has_a_section_with_the_figure() -> None:
    section = report(drift({"m_tv": 1.0, "m_search": 2.0}))["drift"]
    assert section.title == "What changed since the last fit?"
    assert section.figures == ("refresh_drift",)
    assert section.table is not None
    assert section.table.numeric == section.table.columns[1:-1]


def test_a_blocked_run_withholds_it_and_says_why() -> None:
    assert report({}, "fail", "strict")["drift"].withheld


def points(figure: Any, name: str) -> Any:
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def test_the_figure_shows_both_returns_with_their_intervals_and_marks_changes() -> None:
    figure = drift_figures(drift({"m_tv": 1.0, "m_search": 1.0}), Stamp("uk", "final"))["refresh_drift"]
    then, now = points(figure, THEN), points(figure, NOW)
    assert list(now.x) == [1.0, 1.0]
    assert sorted(then.x) == [1.0, 2.0]
    np.testing.assert_allclose(then.error_x.array, 0.1 * np.array(then.x))
    assert list(then.y - now.y) == pytest.approx([0.34, 0.34])  # side by side, not on top of each other
    assert len(figure.layout.shapes) == 0
    changed = drift_figures(drift({"m_tv": 1.0, "m_search": 2.0}), Stamp("uk", "final"))["refresh_drift"]
    assert [name[0] for name in changed.layout.yaxis.ticktext] == ["●", "●"]
    assert "2 channels marked with ●" in changed.layout.title.subtitle.text


def test_without_returns_the_coefficients_are_shown() -> None:
    bare = snapshot(draws=DRAWS, tables={"decomp_channels": None})
    moved = normal_draws({**MEANS, "m_tv": 1.5}, sd=0.1)
    found = refresh_drift(bare, snapshot(draws=moved, tables={"decomp_channels": None}))
    now = points(drift_figures(found, Stamp("uk", "final"))["refresh_drift"], NOW)
    assert now.x[-1] == pytest.approx(2.5)
    assert now.error_x.array[-1] == pytest.approx(1.645 * 0.5)


def test_without_a_fit_before_there_is_no_figure() -> None:
    assert drift_figures(refresh_drift(Missing(), snapshot()), Stamp("uk")) == {}
    bare = snapshot(draws=point(MEANS), tables={"decomp_channels": None})
    assert drift_figures(refresh_drift(bare, bare), Stamp("uk")) == {}


def test_the_fleet_says_how_many_channels_have_a_new_story() -> None:
    row = drift({"m_tv": 1.0, "m_search": 2.0})["drift_summary"].iloc[0].to_dict()
    status = fleet_status([MarketNow("uk", "current", drift=row), MarketNow("fr", "current")], datetime(2026, 2, 1))
    table = status.table.set_index("market")
    assert (table.loc["uk", "channels_changed"], table.loc["uk", "channels_compared"]) == (2, 2)
    assert table.loc["uk", "elpd_drift"] == 0
    assert table.loc["uk", "compared_with"] == pd.Timestamp("2026-01-05 10:00")
    assert table.loc["fr", ["channels_changed", "elpd_drift", "compared_with"]].isna().all()
    assert status.facts()["story_changed"] == 1
    page = status.pages["fleet_status.html"]
    assert "2 of 2 channels" in page
    assert "ELPD +0.0 ± 0.0" in page
    assert "2 of 2 channels; ELPD" in status_preview(status)


def test_a_comparison_of_an_older_fit_is_not_the_fleets() -> None:
    from stored_markets import keep

    from dsam_assets.staleness import MarketState
    from resources.codecs import CODECS
    from resources.store import Store

    store = Store("memory://drift-of-a-fleet")
    files = CODECS["tables"].encode("refresh_drift", {"drift_summary": drift()["drift_summary"]})
    fit = keep(store, "uk", "posterior", {})
    keep(store, "uk", "refresh_drift", files, inputs={"posterior": fit.data_version})
    assert market_now(store, MarketState("uk", "current")).drift["channels"] == 2
    keep(store, "uk", "refresh_drift", files, inputs={"posterior": "of an older fit"})
    assert market_now(store, MarketState("uk", "stale")).drift == {}
    first = refresh_drift(Missing(), snapshot())["drift_summary"]
    keep(store, "uk", "refresh_drift", CODECS["tables"].encode("refresh_drift", {"drift_summary": first}))
    assert market_now(store, MarketState("uk", "current")).drift == {}
