"""What is said to have moved a fit: causes that happened, alone and together, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drift_fits import CONFIG, conjugate, exact_draws, frame_of, matrix_of, normal_draws, panel, point, snapshot

from dsam_assets.drift.compare import refresh_drift
from dsam_assets.drift.snapshot import FitSnapshot
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate


def causes(old: FitSnapshot, new: FitSnapshot) -> pd.DataFrame:
    return refresh_drift(old, new)["drift_causes"].set_index("cause")


def present(table: pd.DataFrame) -> set[str]:
    return set(table.index[table["state"] == "present"])


def refit(frame: pd.DataFrame, seed: int = 9, **parts: Any) -> FitSnapshot:
    return snapshot(frame, exact_draws(matrix_of(frame), seed=seed), **parts)


def test_the_same_inputs_with_another_seed_are_sampler_noise_and_nothing_else() -> None:
    table = causes(refit(frame_of(60)), refit(frame_of(60), seed=4))
    assert present(table) == {"sampler_noise"}
    noise = table.loc["sampler_noise"]
    assert noise["detail"].startswith("3 of 3 parameters")  # the known sigma has no error
    assert noise["largest_shift_sd"] == pytest.approx(np.sqrt(2 / 6000), rel=0.2)
    assert (table.loc[["rows", "history", "config", "code"], "largest_shift_sd"] == 0).all()


def test_new_rows_are_told_with_what_they_moved() -> None:
    frame = frame_of(80)
    table = causes(refit(frame.iloc[:74]), refit(frame))
    assert present(table) == {"rows", "sampler_noise"}
    row = table.loc["rows"]
    assert (row["count"], row["unit"]) == (6, "rows")
    (old, covariance), (new, _) = conjugate(matrix_of(frame.iloc[:74])), conjugate(matrix_of(frame))
    moved = (new - old) / np.sqrt(np.diag(covariance))
    largest = int(np.abs(moved).argmax())
    assert row["parameter"] == ("(Intercept)", "m_tv", "m_search")[largest]
    assert row["largest_shift_sd"] == pytest.approx(moved[largest], abs=0.05)


def test_several_causes_at_once_are_all_told() -> None:
    frame = frame_of(80)
    before = frame.iloc[:76].copy()
    before.loc[3, "kpi"] += 0.5
    fitted = {**CONFIG, "fit": {"mcmc": {"chains": 4, "seed": 8}}}
    new = refit(frame, config=fitted, code={"fit": "v2"})
    table = causes(refit(before), new)
    assert present(table) == {"rows", "history", "config", "code", "sampler_noise"}
    assert table.loc["history", "detail"] == "1 cell of rows in both data sets changed, in kpi"
    assert table.loc["config", "detail"] == "the config's fit.mcmc.seed changed"
    assert table.loc["code", "detail"] == "the code of fit changed"
    told = table.loc[["config", "code"], ["largest_shift_sd", "shift_note"]]
    assert told["shift_note"].str.endswith("config, code and sampler noise together").all()
    assert told["largest_shift_sd"].nunique() == 1  # the two cannot be told apart
    settings = refresh_drift(refit(before), new)["drift_settings"]
    assert settings.to_numpy().tolist() == [
        ["config", "fit", "mcmc.seed", "7", "8"], ["code", "posterior", "fit", "v1", "v2"],
    ]  # fmt: skip


def test_a_config_change_alone() -> None:
    priors = {**CONFIG, "priors": {"scale": True, "rows": [{"parameter": "m_tv", "sd": 0.1}]}}
    tables = refresh_drift(refit(frame_of(60)), refit(frame_of(60), seed=4, config=priors))
    assert present(tables["drift_causes"].set_index("cause")) == {"config", "sampler_noise"}
    assert tables["drift_settings"][["section", "key", "previous", "now"]].to_numpy().tolist() == [
        ["priors", "rows[0].sd", "1.0", "0.1"]
    ]


def test_the_parts_of_a_shift_add_up_to_it() -> None:
    frame = frame_of(80)
    before = frame.iloc[:76].copy()
    before.loc[3, "kpi"] += 0.5
    table = refresh_drift(refit(before), refit(frame))["drift_parameters"]
    parts = table[["shift_revised", "shift_rows", "shift_rest"]]
    assert parts.iloc[:3].notna().all().all()
    np.testing.assert_allclose(parts.sum(axis=1).iloc[:3], table["shift"].iloc[:3])


def test_revised_cells_and_columns_that_no_model_reads_are_told_as_such() -> None:
    old = refit(frame_of(60).assign(extra=1))
    table = causes(old, replace(old, frame=frame_of(60).assign(note="b", other=2)))
    assert table.loc["history", "detail"] == (
        "60 cells of rows in both data sets changed, in note, which no model reads;"
        " columns that came or went: other, extra"
    )
    assert table.loc["history", "largest_shift_sd"] == 0
    gone = causes(old, replace(old, frame=frame_of(60).assign(other=2)))
    assert gone.loc["history", "state"] == "absent"


def test_what_cannot_be_reweighted_is_not_computed_and_says_why() -> None:
    table = causes(panel(("de", "uk"), rows=10), panel(("at", "de", "uk"), rows=10))
    assert np.isnan(table.loc["rows", "largest_shift_sd"])
    assert table.loc["rows", "shift_note"] == "not computed: there is a new group, at"


def test_each_cause_has_the_part_of_the_shift_that_is_its_own() -> None:
    frame = frame_of(80)
    before = frame.iloc[:77].copy()
    before.loc[[3, 10], "kpi"] += 1.5
    steps = [conjugate(matrix_of(each)) for each in (before, frame.iloc[:77], frame)]
    sd = np.sqrt(np.diag(steps[0][1]))
    table = causes(refit(before), refit(frame))
    for cause, moved in (("history", steps[1][0] - steps[0][0]), ("rows", steps[2][0] - steps[1][0])):
        at = matrix_of(frame).terms.index(table.loc[cause, "parameter"])
        assert table.loc[cause, "largest_shift_sd"] == pytest.approx((moved / sd)[at], abs=0.05)
        assert abs((moved / sd)[at]) == pytest.approx(np.abs(moved / sd).max(), abs=0.05)


def test_unknown_code_is_not_taken_for_the_same_code() -> None:
    tables = refresh_drift(refit(frame_of(60), code={}), refit(frame_of(60), seed=4))
    assert tables["drift_causes"].set_index("cause").loc["code", "state"] == "not_computed"
    assert tables["drift_settings"].empty


def test_another_stan_is_a_change_of_code() -> None:
    old = refit(frame_of(60))
    newer = replace(old.draws, attributes={"stan_version": "2.40"})
    table = causes(old, replace(old, draws=newer))
    assert table.loc["code", "detail"] == "the code of stan_version changed"


def test_a_point_estimate_has_no_sampler_noise() -> None:
    draws = point({"(Intercept)": 1.0, "m_tv": 1.0, "m_search": 1.0})
    table = causes(snapshot(draws=draws), snapshot(draws=draws))
    assert table.loc["sampler_noise", "state"] == "absent"
    assert present(table) == set()


SPREAD = normal_draws({"(Intercept)": 1.0, "m_tv": 1.0, "m_search": 1.0}, sd=0.1)
SAMPLED = snapshot(frame_of(60), SPREAD)
POINT = snapshot(draws=point({"(Intercept)": 1.0, "m_tv": 1.0, "m_search": 1.0}))
WIDER = panel(("at", "de", "uk"), rows=12)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SAMPLED, SAMPLED), (POINT, POINT), (SAMPLED, POINT), (panel(rows=10), WIDER), (WIDER, WIDER),
        (SAMPLED, refit(frame_of(63).assign(note="b"))), (SAMPLED, replace(SAMPLED, code={}, fitted_at="")),
    ],
)  # fmt: skip
def test_every_table_keeps_its_schema(old: FitSnapshot, new: FitSnapshot) -> None:
    for name, table in refresh_drift(old, new).items():
        validate(TABLES[name], table)


def test_the_summary_counts_what_changed() -> None:
    frame = frame_of(64)
    frame.loc[3, "kpi"] += 0.5
    row = refresh_drift(snapshot(frame_of(60), SPREAD), snapshot(frame, SPREAD))["drift_summary"].iloc[0]
    assert row["status"] == "compared"
    assert (row["rows_previous"], row["rows"], row["rows_both"], row["rows_added"]) == (60, 64, 60, 4)
    assert row["columns_revised"] >= 1
    assert (row["channels"], row["channels_changed"], row["parameters"]) == (2, 0, 4)
    assert row["previous_fitted_at"] == pd.Timestamp("2026-01-05 10:00")
    assert (row["reliability_previous"], row["reliability"]) == ("final", "final")
