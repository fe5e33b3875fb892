"""Shifts, their units and the probability of a sign flip, against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drift_fits import conjugate, exact_draws, frame_of, matrix_of, normal_draws, panel, point, snapshot
from scipy.stats import norm

from dsam_assets.drift.parameters import parameter_table, sign_flip
from dsam_assets.drift.samples import moments, samples_of
from dsam_assets.drift.snapshot import FitSnapshot


def table_of(old: FitSnapshot, new: FitSnapshot) -> pd.DataFrame:
    samples = samples_of(old.draws, old.matrix), samples_of(new.draws, new.matrix)
    table = parameter_table(samples, (moments(samples[0]), moments(samples[1])), None, {"m_tv": "TV"})
    return table.set_index(["group", "parameter"])


def test_shifts_are_in_units_of_the_previous_and_of_the_combined_spread() -> None:
    old = snapshot(draws=normal_draws({"(Intercept)": 0.0, "m_tv": 1.0}, sd=0.5))
    new = snapshot(draws=normal_draws({"(Intercept)": 0.0, "m_tv": 1.75}, sd=1.2, seed=8))
    row = table_of(old, new).loc[("all", "m_tv")]
    assert row["shift"] == pytest.approx(0.75)
    assert (row["sd_previous"], row["sd"]) == (pytest.approx(0.5), pytest.approx(1.2))
    assert row["shift_previous_sd"] == pytest.approx(1.5)
    assert row["shift_combined_sd"] == pytest.approx(0.75 / 1.3)  # √(0.25 + 1.44) = 1.3
    assert (row["channel"], row["state"], row["kind"]) == ("TV", "both", "coefficient")


def test_monte_carlo_error_of_independent_draws_is_sd_over_root_n() -> None:
    old = snapshot(draws=normal_draws({"m_tv": 1.0}, sd=0.5, size=4000))
    new = snapshot(draws=normal_draws({"m_tv": 1.0}, sd=0.5, size=4000, seed=8))
    assert table_of(old, new).loc[("all", "m_tv"), "mcse"] == pytest.approx(np.sqrt(2) * 0.5 / np.sqrt(16000), rel=0.1)


@pytest.mark.parametrize(("shift", "within"), [(0.0, True), (0.01, True), (0.04, False)])
def test_a_shift_within_twice_the_monte_carlo_error_is_sampler_noise(shift: float, within: bool) -> None:
    """mcse = √2 · 0.5 / √4000 = 0.011."""
    old = snapshot(draws=normal_draws({"m_tv": 1.0}, sd=0.5))
    new = snapshot(draws=normal_draws({"m_tv": 1.0 + shift}, sd=0.5, seed=8))
    assert bool(table_of(old, new).loc[("all", "m_tv"), "within_mcse"]) is within


def test_the_sign_flip_is_that_of_two_independent_normals() -> None:
    old = snapshot(draws=normal_draws({"m_tv": 0.3}, sd=0.5, size=20_000))
    new = snapshot(draws=normal_draws({"m_tv": -0.2}, sd=0.4, size=20_000, seed=8))
    row = table_of(old, new).loc[("all", "m_tv")]
    p, q = norm.cdf(0.3 / 0.5), norm.cdf(-0.2 / 0.4)
    assert row["probability_sign_flip"] == pytest.approx(q * (1 - p) + p * (1 - q), abs=0.01)
    assert row["probability_sign_flip_unchanged"] == pytest.approx(2 * p * (1 - p), abs=0.01)


def test_the_sign_flip_counts_all_pairs_of_draws() -> None:
    a, b = np.array([-1.0, 2.0, 3.0]), np.array([-5.0, -6.0, 1.0, 2.0])
    pairs = np.mean([(x > 0) != (y > 0) for x in a for y in b])
    found = sign_flip(np.array([(a > 0).mean()]), np.array([(b > 0).mean()]))
    assert found[0] == pytest.approx(pairs)


def test_the_sign_flip_passes_a_half_exactly_when_the_medians_have_opposite_signs() -> None:
    grid = np.linspace(0.01, 0.99, 50)
    p, q = np.meshgrid(grid, grid)
    np.testing.assert_array_equal(sign_flip(p, q) > 0.5, (p - 0.5) * (q - 0.5) < 0)


def test_new_rows_shrink_the_posterior_by_what_the_shift_varies() -> None:
    """Under the model the shift of a refit with more rows has variance sd² before − sd² after, which is why one sd of
    the previous posterior is a large shift: over many data sets from the prior predictive of the model."""
    z = []
    for seed in range(200):
        frame = frame_of(60, seed)
        (old, before), (new, after) = conjugate(matrix_of(frame.iloc[:40])), conjugate(matrix_of(frame))
        z.append((new - old) / np.sqrt(np.diag(before) - np.diag(after)))
    assert np.std(z, axis=0) == pytest.approx([1, 1, 1], abs=0.15)


def test_terms_that_come_or_go_have_no_shift() -> None:
    old = snapshot(draws=normal_draws({"(Intercept)": 0.0, "m_tv": 1.0}, sd=0.5))
    new = snapshot(draws=normal_draws({"(Intercept)": 0.0, "m_radio": 1.0}, sd=0.5))
    table = table_of(old, new)
    assert table.loc["all", "state"].to_dict() == {
        "(Intercept)": "both", "m_radio": "added", "noise_sd": "both", "m_tv": "removed",
    }  # fmt: skip
    moved = table.loc[[("all", "m_tv"), ("all", "m_radio")], ["shift", "probability_sign_flip", "mcse"]]
    assert moved.isna().all().all()
    assert table.loc[("all", "m_tv"), "mean_previous"] == pytest.approx(1.0)
    assert table.loc[[("all", "m_tv"), ("all", "m_radio")], "within_mcse"].isna().all()


def test_a_point_estimate_has_a_shift_and_no_spread() -> None:
    table = table_of(snapshot(draws=point({"m_tv": 1.0})), snapshot(draws=point({"m_tv": 1.5})))
    row = table.loc[("all", "m_tv")]
    assert row["shift"] == 0.5
    none = ["sd", "sd_previous", "shift_previous_sd", "shift_combined_sd", "mcse", "probability_sign_flip"]
    assert row[none].isna().all()
    assert row["within_mcse"] is pd.NA


def test_a_panel_has_its_groups_coefficients_that_vary() -> None:
    old = panel()
    moved = old.draws.deviations[0]
    values = moved.values + np.array([0.0, 0.25])[:, None]
    new = replace(old, draws=replace(old.draws, deviations=(replace(moved, values=values),)))
    table = table_of(old, new)
    assert set(table.index) == {
        *(("all", name) for name in ("(Intercept)", "m_tv", "m_search", "noise_sd", "sd_1[m_tv]")),
        ("de", "m_tv"), ("uk", "m_tv"),
    }  # fmt: skip
    assert table.loc[("de", "m_tv"), "shift"] == pytest.approx(0)
    assert table.loc[("uk", "m_tv"), "shift"] == pytest.approx(0.25)
    both = old.draws.coef[..., 1] + old.draws.deviations[0].values[..., 1, 0]
    assert table.loc[("uk", "m_tv"), "sd_previous"] == pytest.approx(both.std(ddof=1))
    assert table.loc[("all", "sd_1[m_tv]"), "kind"] == "spread"


def test_labels_of_a_pooled_model_are_rows_of_their_own() -> None:
    draws = normal_draws({"m_tv": 1.0}, sd=0.5)
    pooled = replace(draws, label_coef={"brand[a]": draws.coef[..., 0]})
    table = table_of(snapshot(draws=pooled), snapshot(draws=pooled))
    assert table.loc[("all", "brand[a]"), "kind"] == "label"


def test_exact_draws_move_as_their_closed_form() -> None:
    frame = frame_of(80)
    old, new = snapshot(frame.iloc[:60]), snapshot(frame, exact_draws(matrix_of(frame), seed=5))
    table = table_of(old, new).loc["all"]
    (before, _), (after, _) = conjugate(old.matrix), conjugate(new.matrix)
    for place, term in enumerate(old.matrix.terms):
        assert table.loc[term, "shift"] == pytest.approx((after - before)[place], abs=4 * table.loc[term, "mcse"])
