"""Transfer entropy against a slow second implementation, closed forms, and error rates over many seeds."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dsam_assets.config.schema_diagnostics import IdentifiabilitySection
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics import transfer_entropy as module
from dsam_assets.diagnostics.series import UnitSeries
from dsam_assets.diagnostics.transfer_entropy import (
    PairedSeries,
    benjamini_hochberg,
    binned,
    block_orders,
    media_terms,
    paired_series,
    transfer_entropy,
    transfer_entropy_facts,
    transfer_entropy_report,
)
from dsam_assets.report.tables import TABLES
from dsam_assets.scales import FloatArray
from dsam_assets.tables import validate


def one_series(size: int, bins: int) -> PairedSeries:
    return PairedSeries(np.arange(size), (slice(0, size),), np.arange(size - 1), np.arange(1, size), bins)


def estimate(source: np.ndarray, target: np.ndarray, pairs: PairedSeries) -> float:
    return transfer_entropy(source, target, pairs, np.random.default_rng(1), 1).estimate


def slow(source: list[int], target: list[int], steps: list[tuple[int, int]]) -> float:
    """Σ p(y₁, y₀, x₀) log [p(y₁ | y₀, x₀) / p(y₁ | y₀)], by counting."""
    triples = Counter((target[b], target[a], source[a]) for a, b in steps)
    total = 0.0
    for (y1, y0, x0), count in triples.items():
        same_past = sum(n for (_, y, x), n in triples.items() if (y, x) == (y0, x0))
        same_own = sum(n for (_, y, _), n in triples.items() if y == y0)
        next_own = sum(n for (z, y, _), n in triples.items() if (z, y) == (y1, y0))
        total += count / len(steps) * math.log((count / same_past) / (next_own / same_own))
    return total


@pytest.mark.parametrize("seed", range(8))
def test_estimate_is_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, bins = int(rng.integers(10, 60)), int(rng.integers(2, 5))
    source, target = rng.integers(bins, size=(2, size))
    pairs = one_series(size, bins)
    steps = [(t, t + 1) for t in range(size - 1)]
    expected = slow(source.tolist(), target.tolist(), steps)
    assert estimate(source, target, pairs) == pytest.approx(expected, abs=1e-12)


def test_a_delayed_copy_carries_the_entropy_of_its_source() -> None:
    """With x independent in time and yₜ₊₁ = xₜ, TE = H(x) = log of the bins; back, nothing flows."""
    x = np.random.default_rng(3).integers(4, size=40_000)
    y = np.concatenate([[0], x[:-1]])
    pairs = one_series(len(x), 4)
    assert estimate(x, y, pairs) == pytest.approx(math.log(4), abs=1e-3)
    assert estimate(y, x, pairs) == pytest.approx(0.0, abs=1e-3)


def test_shuffled_mean_and_p_are_those_of_an_explicit_loop() -> None:
    rng = np.random.default_rng(7)
    source, target = rng.integers(3, size=(2, 60))
    pairs = one_series(60, 3)
    found = transfer_entropy(source, target, pairs, np.random.default_rng(5), 50)
    orders = block_orders(60, 50, np.random.default_rng(5))
    values = [slow(source[order].tolist(), target.tolist(), [(t, t + 1) for t in range(59)]) for order in orders]
    assert found.shuffled_mean == pytest.approx(np.mean(values))
    assert found.effective == pytest.approx(found.estimate - np.mean(values))
    assert found.p == pytest.approx((1 + sum(value >= found.estimate - 1e-12 for value in values)) / 51)


@pytest.mark.parametrize(("size", "length"), [(156, 13), (100, 13), (52, 13), (30, 7), (3, 1)])
def test_orders_are_permutations_that_keep_blocks(size: int, length: int) -> None:
    orders = block_orders(size, 40, np.random.default_rng(2))
    assert (np.sort(orders, axis=1) == np.arange(size)).all()
    breaks = (np.diff(orders, axis=1) % size != 1).sum(axis=1)
    assert breaks.max() <= -(-size // length)
    assert len({tuple(order) for order in orders.tolist()}) > (1 if size == 3 else 35)


def slow_series(rho: float, size: int, rng: np.random.Generator) -> FloatArray:
    shocks, values = rng.normal(size=size + 100), np.zeros(size + 100)
    for t in range(1, size + 100):
        values[t] = rho * values[t - 1] + shocks[t]
    return values[100:]


def p_value(source: FloatArray, target: FloatArray, bins: int, rng: np.random.Generator) -> float:
    pairs = one_series(len(source), bins)
    return transfer_entropy(binned(source, pairs), binned(target, pairs), pairs, rng, 99).p


@pytest.mark.parametrize(("rho", "most"), [(0.0, 0.085), (0.5, 0.085), (0.9, 0.11)])
def test_false_positives_are_as_rare_as_the_level_says(rho: float, most: float) -> None:
    """400 pairs of independent series at 5 %: three standard errors are 3.3 points; slow series are a little worse."""
    found = []
    for seed in range(400):
        rng = np.random.default_rng([seed, 17])
        found.append(p_value(slow_series(rho, 120, rng), slow_series(rho, 120, rng), 4, rng) <= 0.05)
    assert 0.015 < np.mean(found) < most


def one_way(b: float, size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """White x, and y with yₜ₊₁ = 0.4 yₜ + b xₜ + white noise: xₜ knows nothing of yₜ, so the transfer entropy from x to
    y is ½ log(Var(yₜ₊₁ | yₜ) / Var(yₜ₊₁ | yₜ, xₜ)) = ½ log(1 + b²), and that from y to x is 0."""
    x, noise, y = rng.normal(size=size + 100), rng.normal(size=size + 100), np.zeros(size + 100)
    for t in range(1, size + 100):
        y[t] = 0.4 * y[t - 1] + b * x[t - 1] + noise[t]
    return x[100:], y[100:]


@pytest.mark.parametrize("b", [0.3, 0.6, 1.2, 2.0])
def test_long_gaussian_pair_has_most_of_its_analytic_value(b: float) -> None:
    """Quarters of a normal variable keep two thirds of its information, and never gain any."""
    x, y = one_way(b, 40_000, np.random.default_rng(1))
    pairs = one_series(len(x), 4)
    codes = binned(x, pairs), binned(y, pairs)
    assert 0.55 < estimate(*codes, pairs) / (0.5 * math.log1p(b**2)) < 0.75
    assert estimate(*codes[::-1], pairs) < 1e-3


@pytest.mark.parametrize("b", [0.6, 1.2])
def test_four_years_of_a_gaussian_pair_show_direction_and_order_of_magnitude(b: float) -> None:
    effective, there, back = [], [], []
    for seed in range(20):
        rng = np.random.default_rng([seed, 5])
        x, y = one_way(b, 208, rng)
        pairs = one_series(208, 4)
        codes = binned(x, pairs), binned(y, pairs)
        forward = transfer_entropy(*codes, pairs, rng, 99)
        effective.append(forward.effective)
        there.append(forward.p <= 0.05)
        back.append(transfer_entropy(*codes[::-1], pairs, rng, 99).p <= 0.05)
    assert 0.5 < np.mean(effective) / (0.5 * math.log1p(b**2)) < 0.9
    assert all(there)
    assert sum(back) <= 3


def matrix_of(columns: dict[str, FloatArray], response: FloatArray) -> ModelMatrix:
    size = len(response)
    values = np.column_stack([np.ones(size), *columns.values()])
    return ModelMatrix(
        ("(Intercept)", *columns), values, response, np.zeros(size), "kpi", "identity", np.arange(size), {}
    )


def labels_of(size: int, groups: np.ndarray | None = None, dates: np.ndarray | None = None) -> pd.DataFrame:
    dates = np.datetime64("2022-01-03") + 7 * np.arange(size) if dates is None else dates
    labels = pd.DataFrame({"row": np.arange(size), "date": dates.astype("datetime64[ns]")})
    return labels if groups is None else labels.assign(group=groups)


def led_market(size: int = 208, seed: int = 2) -> ModelMatrix:
    """`ahead` moves a week before the KPI, `behind` a week after it, `apart` on its own."""
    rng = np.random.default_rng(seed)
    ahead, noise = rng.normal(size=size), rng.normal(size=size)
    kpi = np.concatenate([[0.0], ahead[:-1]]) + 0.5 * noise
    behind = np.concatenate([[0.0], kpi[:-1]]) + 0.5 * rng.normal(size=size)
    return matrix_of({"ahead": ahead, "behind": behind, "apart": rng.normal(size=size)}, kpi)


def test_the_direction_is_found() -> None:
    table = transfer_entropy_report(led_market(), labels_of(208), ["ahead", "behind", "apart"], seed=1)
    q = table.set_index(["direction", "term"])["q"]
    assert q["media_to_kpi", "ahead"] < 0.01
    assert q["kpi_to_media", "behind"] < 0.01
    others = q.drop([("media_to_kpi", "ahead"), ("kpi_to_media", "behind")])
    assert others.drop([("kpi_to_media", "ahead")]).min() > 0.05
    notes = table.set_index(["direction", "term"])["note"]
    assert "spend follows demand" in notes["kpi_to_media", "behind"]
    assert notes["media_to_kpi", "apart"] == ""
    np.testing.assert_allclose(table["te_effective"], table["te"] - table["te_shuffled"])
    assert (table["pairs"] == 207).all()
    assert (table["bins"] == 4).all()


def test_seeds_are_explicit_and_terms_do_not_disturb_each_other() -> None:
    matrix, labels = led_market(), labels_of(208)
    whole = transfer_entropy_report(matrix, labels, ["ahead", "apart"], seed=1, permutations=99)
    pd.testing.assert_frame_equal(
        whole, transfer_entropy_report(matrix, labels, ["ahead", "apart"], seed=1, permutations=99)
    )
    alone = transfer_entropy_report(matrix, labels, ["apart"], seed=1, permutations=99)
    mine = whole[whole["term"] == "apart"]
    assert mine["te_shuffled"].tolist() == alone["te_shuffled"].tolist()
    other = transfer_entropy_report(matrix, labels, ["apart"], seed=2, permutations=99)
    assert other["te_shuffled"].tolist() != alone["te_shuffled"].tolist()


def test_panels_have_no_pairs_across_units_or_gaps() -> None:
    dates = np.concatenate([np.datetime64("2022-01-03") + 7 * np.arange(40)] * 2)
    dates[35:40] += np.timedelta64(14, "D")
    pairs, reason = paired_series(
        tuple(UnitSeries(name, np.arange(40) + 40 * i, dates[40 * i : 40 * i + 40]) for i, name in enumerate("ab"))
    )
    assert reason == ""
    assert sorted(set(range(79)) - set(pairs.before.tolist())) == [34, 39]
    assert (pairs.after - pairs.before == 1).all()
    assert pairs.bins == 3


def test_a_panel_s_counts_are_added_up_within_units() -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(["a", "b"], [60, 120])
    media, kpi = rng.normal(size=180), rng.normal(size=180)
    kpi[60:] += 100  # a unit's level is no information
    media[60:] += 100
    dates = np.datetime64("2022-01-03") + 7 * np.concatenate([np.arange(60), np.arange(120)])
    order = rng.permutation(180)
    matrix = matrix_of({"m": media[order]}, kpi[order])
    table = transfer_entropy_report(matrix, labels_of(180, groups[order], dates[order]), ["m"], seed=1, permutations=19)
    codes = [
        (pd.qcut(values[part], 4, labels=False).tolist())
        for values in (media, kpi)
        for part in (slice(0, 60), slice(60, 180))
    ]
    steps = [(t, t + 1) for t in range(179) if t != 59]
    assert table["te"][0] == pytest.approx(slow(codes[0] + codes[1], codes[2] + codes[3], steps))
    assert table["te"][1] == pytest.approx(slow(codes[2] + codes[3], codes[0] + codes[1], steps))


def test_bins_of_ties() -> None:
    pairs = one_series(8, 4)
    assert binned(np.array([0, 0, 0, 0, 0, 1.0, 2, 3]), pairs).tolist() == [1, 1, 1, 1, 1, 2, 3, 3]
    for events in range(1, 8):
        codes = binned(np.arange(8.0) >= events, pairs)
        assert codes[0] != codes[-1]
    assert binned(np.array([0.0, 1, 1, 0]), one_series(4, 3)).tolist() == [0, 2, 2, 0]
    assert binned(np.arange(8.0)[::-1], pairs).tolist() == [3, 3, 2, 2, 1, 1, 0, 0]


def test_what_cannot_be_computed_says_so() -> None:
    rng = np.random.default_rng(1)
    flat, noise = np.full(60, 2.0), rng.normal(size=60)
    matrix = matrix_of({"flat": flat, "m": noise}, rng.normal(size=60))
    table = transfer_entropy_report(matrix, labels_of(60), ["flat", "m", "gone"], seed=1, permutations=19)
    notes = table.groupby("term")["note"].first()
    assert "flat does not vary" in notes["flat"]
    assert "not a column" in notes["gone"]
    assert table["p"].isna().tolist() == [True, False, True] * 2
    assert (table["q"].dropna() == table["p"].dropna()).all()  # one test per direction
    short = transfer_entropy_report(
        matrix_of({"m": noise[:20]}, noise[:20]), labels_of(20), ["m"], seed=1, permutations=19
    )
    assert short["note"][0].startswith("Not computed: 19 pairs")
    twice = labels_of(60, dates=np.repeat(np.datetime64("2022-01-03") + 7 * np.arange(30), 2))
    assert "dates repeat" in transfer_entropy_report(matrix, twice, ["m"], seed=1, permutations=19)["note"][0]
    bad = matrix_of({"m": np.where(np.arange(60) == 5, math.inf, noise)}, noise)
    assert "not finite" in transfer_entropy_report(bad, labels_of(60), ["m"], seed=1, permutations=19)["note"][0]


def test_without_media_terms_the_report_says_so() -> None:
    table = transfer_entropy_report(led_market(60), labels_of(60), [], seed=1)
    assert table["term"].tolist() == ["", ""]
    assert table["direction"].tolist() == ["media_to_kpi", "kpi_to_media"]
    assert table["q"].isna().all()
    assert "allocation.channels" in table["note"][0]
    assert transfer_entropy_facts(table) == {"terms": 0, "media_to_kpi": "none", "kpi_to_media": "none"}
    validate(TABLES["transfer_entropy_report"], table)


def test_media_terms_are_those_of_the_channels_and_those_that_the_config_lists() -> None:
    channels = [SimpleNamespace(term="m_tv", spend_col="tv"), SimpleNamespace(term="m_ooh", spend_col="ooh")]
    section = IdentifiabilitySection.model_validate({"media_terms": ["m_email", "m_tv"]})
    assert media_terms(channels, section) == ("m_tv", "m_ooh", "m_email")
    assert media_terms([], IdentifiabilitySection()) == ()


def test_facts_name_what_was_found_in_each_direction() -> None:
    table = transfer_entropy_report(led_market(), labels_of(208), ["ahead", "behind", "apart", "gone"], seed=1)
    validate(TABLES["transfer_entropy_report"], table)
    facts = transfer_entropy_facts(table)
    assert facts["terms"] == 3
    assert "ahead" in str(facts["media_to_kpi"])
    assert facts["kpi_to_media"] == "behind"


def test_long_data_use_the_latest_rows_of_some_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    series = tuple(UnitSeries(str(i), np.arange(50) + 50 * i) for i in range(5))
    pairs, _ = paired_series(series)
    assert pairs.rows.tolist() == [*range(50), *range(200, 250)]
    pairs, _ = paired_series((UnitSeries("all", np.arange(300)),))
    assert pairs.rows.tolist() == [*range(200, 300)]


def test_benjamini_hochberg_by_hand() -> None:
    p = np.array([0.04, 0.01, math.nan, 0.03, 0.90])
    # sorted 0.01, 0.03, 0.04, 0.90 of 4: 0.04, 0.06, 0.0533, 0.90; the step-up takes the smallest from the right
    expected = [0.04 * 4 / 3, 0.04, math.nan, 0.04 * 4 / 3, 0.90]
    np.testing.assert_allclose(benjamini_hochberg(p), expected)
    assert benjamini_hochberg(np.array([])).size == 0
