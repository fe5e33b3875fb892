"""What data alone would have done, against the exact posterior of a conjugate model under that data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from drift_fits import conjugate, exact_draws, frame_of, matrix_of, panel, point, snapshot
from numpy.testing import assert_allclose

from dsam_assets.drift.compare import refresh_drift
from dsam_assets.drift.reweighting import Reweighted, reweighted
from dsam_assets.drift.rows import match_rows
from dsam_assets.drift.samples import moments, samples_of
from dsam_assets.drift.snapshot import FitSnapshot

SIZE = 20_000
# 80,000 weighted draws of posteriors with sd of about 0.1: ten times their Monte Carlo error.
CLOSE = 0.004


def weigh(old: FitSnapshot, new: FitSnapshot) -> Reweighted:
    samples = samples_of(old.draws, old.matrix)
    return reweighted(old, new, match_rows(old, new), samples, moments(samples))


def fit(frame: pd.DataFrame, size: int = SIZE, seed: int = 2) -> FitSnapshot:
    return snapshot(frame, exact_draws(matrix_of(frame), size, seed))


def mean(frame: pd.DataFrame) -> np.ndarray:
    return conjugate(matrix_of(frame))[0]


def steps(found: Reweighted) -> tuple[np.ndarray, np.ndarray]:
    """Shifts of the three coefficients by step."""
    assert found.shares is not None, found.reason
    return found.shares.revised[:3], found.shares.rows[:3]


def test_new_rows_move_the_posterior_as_the_exact_one() -> None:
    frame = frame_of(80)
    revised, rows = steps(weigh(fit(frame.iloc[:72]), fit(frame, seed=9)))
    assert_allclose(rows, mean(frame) - mean(frame.iloc[:72]), atol=CLOSE)
    assert np.abs(mean(frame) - mean(frame.iloc[:72])).max() > 5 * CLOSE
    assert_allclose(revised, 0)


def test_rows_that_are_gone_count_as_well() -> None:
    frame = frame_of(80)
    _, rows = steps(weigh(fit(frame.iloc[:76]), fit(frame.iloc[4:], seed=9)))
    assert_allclose(rows, mean(frame.iloc[4:]) - mean(frame.iloc[:76]), atol=CLOSE)


def test_revised_cells_and_new_rows_are_told_apart() -> None:
    frame = frame_of(80)
    before = frame.iloc[:75].copy()
    before.loc[[3, 10], "kpi"] += 1.5  # a response was revised, and a predictor
    before.loc[20, "m_tv"] -= 0.8
    revised, rows = steps(weigh(fit(before), fit(frame, seed=9)))
    assert_allclose(revised, mean(frame.iloc[:75]) - mean(before), atol=CLOSE)
    assert_allclose(rows, mean(frame) - mean(frame.iloc[:75]), atol=CLOSE)
    assert np.abs(revised).max() > 5 * CLOSE


def test_a_row_that_lost_its_response_is_a_row_that_went() -> None:
    frame = frame_of(80)
    lost = frame.copy()
    lost.loc[[2, 50], "kpi"] = np.nan
    revised, rows = steps(weigh(fit(frame), fit(lost, seed=9)))
    assert_allclose(revised, 0)
    assert_allclose(rows, mean(lost) - mean(frame), atol=CLOSE)


def test_the_same_data_move_nothing_whatever_the_draws_and_the_order_of_rows() -> None:
    frame = frame_of(60)
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    found = weigh(fit(frame, 500), fit(shuffled, 500, seed=9))
    for each in steps(found):
        assert_allclose(each, 0, atol=0)
    assert np.isnan([found.k_revised, found.k_rows]).all()


def test_terms_in_another_order_are_the_same_terms() -> None:
    frame = frame_of(80)
    old, new = fit(frame.iloc[:72]), fit(frame, seed=9)
    order = [2, 0, 1]
    matrix = replace(new.matrix, terms=tuple(new.matrix.terms[i] for i in order), values=new.matrix.values[:, order])
    _, rows = steps(weigh(old, replace(new, matrix=matrix)))
    assert_allclose(rows, mean(frame) - mean(frame.iloc[:72]), atol=CLOSE)


def test_what_remains_is_as_large_as_its_standard_error_says() -> None:
    """Between fits of the same model nothing remains but the noise of both samplers and of the weights."""
    frame = frame_of(80)
    z = []
    for seed in range(15):
        old, new = fit(frame.iloc[:74], 400, seed), fit(frame, 400, 1000 + seed)
        table = refresh_drift(old, new)["drift_parameters"].iloc[:3]
        z.append((table["shift_rest"] / table["se_shift_rest"]).to_numpy())
    assert 0.7 < np.std(z) < 1.3


def test_too_much_new_data_is_not_computed() -> None:
    frame = frame_of(600)
    frame.loc[60:, "kpi"] += 20.0
    found = weigh(fit(frame.iloc[:60], 1000), fit(frame, 1000))
    revised, rows = steps(found)
    assert_allclose(revised, 0)
    assert np.isnan(rows).all()
    assert found.reason.startswith("the data changed too much for the previous draws (Pareto k")
    assert found.k_rows > 0.7


def test_too_much_revised_history_leaves_nothing_to_tell_apart() -> None:
    frame = frame_of(60)
    before = frame.assign(kpi=frame["kpi"] + 20 * frame["m_tv"])
    found = weigh(fit(before, 1000), fit(frame, 1000))
    assert found.shares is None
    assert found.k_revised > 0.7


def test_a_revision_is_told_where_the_new_rows_are_too_many() -> None:
    frame = frame_of(600)
    frame.loc[60:, "kpi"] += 20.0
    before = frame.iloc[:60].copy()
    before.loc[[3, 10], "kpi"] += 1.5
    revised, rows = steps(weigh(fit(before), fit(frame, 1000)))
    assert_allclose(revised, mean(frame.iloc[:60]) - mean(before), atol=CLOSE)
    assert np.isnan(rows).all()


def test_what_is_another_model_is_not_computed() -> None:
    old = fit(frame_of(60), 100)
    matrix = old.matrix
    for other, reason in (
        (replace(old, matrix=replace(matrix, terms=("(Intercept)", "m_tv", "m_radio"))), "the model has other terms"),
        (replace(old, matrix=replace(matrix, response_scale="log")), "the model has another response"),
        (replace(old, draws=point({"m_tv": 1.0})), "a point estimate has no draws to reweight"),
    ):
        found = weigh(old, other)
        assert (found.shares, found.reason) == (None, reason)


def with_deviations(fitted: FitSnapshot, levels: tuple[str, ...]) -> FitSnapshot:
    """The fit of a panel whose draws are exact, with deviations of zero."""
    group = replace(fitted.matrix.groups[0], levels=levels)
    deviations = fitted.draws.deviations[0]
    zero = replace(deviations, values=0 * deviations.values)
    return replace(
        fitted, matrix=replace(fitted.matrix, groups=(group,)), draws=replace(fitted.draws, deviations=(zero,))
    )


def test_a_panel_is_reweighted_with_its_groups() -> None:
    """With deviations of zero the panel is the linear model of all its rows, whose posterior is known."""
    whole = with_deviations(panel(rows=40), ("de", "uk"))
    kept = np.flatnonzero(whole.frame["date"] < whole.frame["date"].unique()[36])
    frame = whole.frame.iloc[kept].reset_index(drop=True)
    matrix, group = matrix_of(frame), whole.matrix.groups[0]
    part = replace(group, values=group.values[kept], codes=group.codes[kept])
    draws = replace(whole.draws, coef=exact_draws(matrix, 800).coef)
    found = weigh(replace(whole, frame=frame, matrix=replace(matrix, groups=(part,)), draws=draws), whole)
    _, rows = steps(found)
    assert_allclose(rows, mean(whole.frame) - mean(frame), atol=0.03)
    by_group = found.shares.rows[-2:]  # type: ignore[union-attr]
    assert_allclose(by_group, rows[1], atol=1e-12)  # a group's coefficient moves with the population's


def test_a_new_group_is_not_computed() -> None:
    found = weigh(panel(("de", "uk"), rows=10), panel(("at", "de", "uk"), rows=10))
    assert (found.shares, found.reason) == (None, "there is a new group, at")
