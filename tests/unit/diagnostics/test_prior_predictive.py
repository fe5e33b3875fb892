"""g1 against NumPy over all draws at once, closed forms, and priors whose faults are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from overrides import Prior
from panels import case
from prior_truth import PriorRunner
from scipy import stats

from dsam_assets.config.schema_model import FitSection
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics import prior_predictive as module
from dsam_assets.diagnostics.prior_predictive import (
    CHECK_METRICS,
    METRICS,
    covered,
    prior_predictive,
    prior_predictive_facts,
    prior_predictive_gates,
    prior_predictive_tables,
)
from dsam_assets.fit import predictor
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.prior_predictive import predictive_blocks, prior_settings, sample_prior
from dsam_assets.fit.runner import McmcSettings
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

SETTINGS = McmcSettings(chains=2, warmup=0, sampling=2000, seed=3)


def market(scale: str = "identity", slopes: int = 3) -> ModelMatrix:
    rng = np.random.default_rng(8)
    values = np.column_stack([np.ones(120), rng.normal(5, 2, size=(120, slopes))])
    response = 9 + values[:, 1:] @ np.full(slopes, 0.4) + rng.normal(0, 0.5, 120)
    terms = ("(Intercept)", *(f"x{j}" for j in range(slopes)))
    return ModelMatrix(terms, values, response, rng.normal(0, 0.1, 120), "kpi", scale, np.arange(120), {})


def labels(matrix: ModelMatrix) -> pd.DataFrame:
    return pd.DataFrame({"row": matrix.rows, "date": pd.date_range("2022-01-03", periods=len(matrix.rows), freq="7D")})


def numbers_of(design: LinearDesign, runner: PriorRunner | None = None) -> dict[str, float]:
    prior = sample_prior(design, SETTINGS, runner or PriorRunner())
    table = prior_predictive_tables(prior, design.matrix, labels(design.matrix), seed=1)["prior_predictive_summary"]
    return dict(zip(table["metric"], table["value"], strict=True))


def all_at_once(prior: Draws, matrix: ModelMatrix, seed: int) -> tuple[np.ndarray, np.ndarray]:
    blocks = list(predictive_blocks(prior, matrix, seed=seed))
    return np.hstack([block.mean for block in blocks]), np.hstack([block.response for block in blocks])


@pytest.mark.parametrize("scale", ["identity", "log"])
@pytest.mark.parametrize("cells", [1_000_000, 40_000])
def test_numbers_are_those_of_all_draws_at_once(scale: str, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "BLOCK_CELLS", cells)
    matrix = market(scale)
    prior = sample_prior(build_linear_design(matrix, scale=True), SETTINGS, PriorRunner())
    tables = prior_predictive_tables(prior, matrix, labels(matrix), seed=1)
    found = tables["prior_predictive_summary"].set_index("metric")["value"]
    mean, drawn = all_at_once(prior, matrix, 1)
    y, sd = matrix.response, matrix.response.std(ddof=1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    expected = {
        "share_inside": ((drawn >= y.min() - 2 * sd) & (drawn <= y.max() + 2 * sd)).mean(),
        "rows_covered": ((y >= low) & (y <= high)).mean(),
        "movement_ratio": np.median(mean.std(axis=1, ddof=1)) / sd,
        "sd_ratio": drawn.std(ddof=1) / sd,
        "prior_mean": drawn.mean(),
        "prior_sd": drawn.std(ddof=1),
        "prior_q50": np.median(drawn),
        "prior_q975": np.quantile(drawn, 0.975),
        "kpi_q025": np.quantile(np.exp(drawn) if scale == "log" else drawn, 0.025),
        "draws_per_row": 4000,
        "rows": 120,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4 if name.startswith("kpi") else 1e-9), name
    negative = (drawn < 0).mean() if scale == "identity" else math.nan
    assert found["kpi_share_negative"] == pytest.approx(negative, nan_ok=True)
    assert list(found.index) == list(METRICS)
    rows = tables["prior_predictive_rows"]
    np.testing.assert_allclose(rows[["q025", "q975"]].T, [low, high])
    np.testing.assert_array_equal(rows["observed"], y)
    assert ("prior_predictive_rows_kpi" in tables) == (scale == "log")
    if scale == "log":
        kpi = tables["prior_predictive_rows_kpi"]
        np.testing.assert_allclose(kpi["q50"], np.quantile(np.exp(drawn), 0.5, axis=0), rtol=1e-2)
        np.testing.assert_allclose(kpi["observed"], np.exp(y))


def test_rows_outside_their_band_are_not_covered() -> None:
    matrix = market()
    sure = [Prior(term, 0.4, 0.02) for term in matrix.terms[1:]]
    design = build_linear_design(
        matrix, scale=True, priors=[*sure, Prior("(Intercept)", 9.0, 0.1), Prior("noise_sd", 0.3, 0.01)]
    )
    prior = sample_prior(design, SETTINGS, PriorRunner())
    table = prior_predictive_tables(prior, matrix, labels(matrix), seed=1)["prior_predictive_summary"]
    low, high = np.quantile(all_at_once(prior, matrix, 1)[1], [0.025, 0.975], axis=0)
    expected = np.mean((matrix.response >= low) & (matrix.response <= high))
    assert 0.3 < expected < 0.9
    assert table.set_index("metric")["value"]["rows_covered"] == pytest.approx(expected)


def test_movement_is_within_panel_units() -> None:
    """A unit's own level moves nothing: the ratio is that of demeaned predictors and demeaned responses."""
    design: HierarchicalDesign = case("unbalanced")
    prior = sample_prior(design, SETTINGS, PriorRunner())
    group = np.array(design.groups[0].levels)[design.groups[0].codes]
    named = pd.DataFrame({"row": design.matrix.rows, "group": group})
    table = prior_predictive_tables(prior, design.matrix, named, seed=1)["prior_predictive_summary"]
    mean, _ = all_at_once(prior, design.matrix, 1)
    squares, observed = np.zeros(len(mean)), 0.0
    for unit in np.unique(group):
        mine = group == unit
        squares += ((mean[:, mine] - mean[:, mine].mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        observed += ((design.matrix.response[mine] - design.matrix.response[mine].mean()) ** 2).sum()
    expected = np.median(np.sqrt(squares / observed))
    assert table.set_index("metric")["value"]["movement_ratio"] == pytest.approx(expected)


def test_share_inside_of_an_orthogonal_design_is_a_normal_probability() -> None:
    """One centred column, normal priors of known sds and pinned noise: each row is normal."""
    matrix = market(slopes=1)
    priors = [
        Prior("(Intercept)", float(matrix.response.mean()), 2.0),
        Prior("x0", 0.0, 0.1),
        Prior("noise_sd", 0.0, 1e-9),
    ]
    design = build_linear_design(replace(matrix, offset=np.zeros(120)), scale=False, priors=priors)
    spread = np.sqrt(2.0**2 + (0.1 * matrix.values[:, 1]) ** 2)
    y, sd = matrix.response, matrix.response.std(ddof=1)
    ends = (np.array([y.min() - 2 * sd, y.max() + 2 * sd]) - y.mean())[:, np.newaxis] / spread
    expected = np.mean(stats.norm.cdf(ends[1]) - stats.norm.cdf(ends[0]))
    assert numbers_of(design)["share_inside"] == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [(0.0, 10.0, 1.0), (2.0, 4.0, 0.2), (-5.0, 5.0, 0.5), (12.0, 20.0, 0.0), (-9.0, 99.0, 1.0)],
)
def test_share_of_the_range(low: float, high: float, share: float) -> None:
    assert covered(0.0, 10.0, low, high) == pytest.approx(share)
    assert math.isnan(covered(1.0, 1.0, 0.0, 2.0))


def statuses(numbers: dict[str, float], mode: str = "publish") -> list[str]:
    table = pd.DataFrame({"metric": numbers.keys(), "value": numbers.values()})
    return [gate.status for gate in prior_predictive_gates(table, mode)]  # type: ignore[arg-type]


def test_priors_with_known_faults() -> None:
    matrix = market()
    sy, sx = matrix.response.std(ddof=1), matrix.values[:, 1:].std(axis=0, ddof=1)

    def scaled(times: float) -> list[Prior]:
        slopes = [Prior(term, 0.0, times * sy / x) for term, x in zip(matrix.terms[1:], sx, strict=True)]
        return [*slopes, Prior("noise_sd", 0.0, times * sy)]

    good = numbers_of(build_linear_design(matrix, scale=True, priors=scaled(1.0)))
    assert statuses(good, "strict") == ["pass", "pass", "pass"]
    wide = numbers_of(build_linear_design(matrix, scale=True))  # the default priors
    assert statuses(wide) == ["pass", "pass", "pass"]  # between 0.1 and the documented 0.5
    assert statuses(wide, "strict") == ["warn", "pass", "pass"]
    tight = numbers_of(build_linear_design(matrix, scale=True, priors=scaled(0.02)))
    assert tight["share_inside"] > 0.5  # what the first number alone would let pass
    assert tight["sd_ratio"] > 1  # and the ratio of all draws too, because of the intercept
    assert statuses(tight)[2] == "fail"
    assert statuses(tight, "explore")[2] == "warn"
    everything = [*scaled(0.02), Prior("(Intercept)", float(matrix.response.mean()), 0.1)]
    narrow = numbers_of(build_linear_design(matrix, scale=True, priors=everything))
    assert narrow["share_inside"] > 0.9
    assert statuses(narrow)[1:] == ["fail", "fail"]


def test_priors_in_the_wrong_units_fail() -> None:
    matrix = market()
    revenue = replace(matrix, response=5e4 * matrix.response, offset=5e4 * matrix.offset)
    numbers = numbers_of(build_linear_design(revenue, scale=False))
    assert numbers["share_inside"] == 0
    assert statuses(numbers) == ["fail", "fail", "fail"]
    assert statuses(numbers, "explore") == ["warn", "warn", "warn"]


def test_gates_say_what_they_found_and_what_to_do() -> None:
    numbers = numbers_of(build_linear_design(market(), scale=True))
    table = pd.DataFrame({"metric": numbers.keys(), "value": numbers.values()})
    first, *others = prior_predictive_gates(table, "strict")
    assert (first.gate, first.phase, first.check_id) == ("g1", "P0", "prior_predictive_plausibility")
    assert first.value == pytest.approx(numbers["share_inside"])
    assert f"{numbers['share_inside']:.0%} of the responses" in first.message
    assert "(documented limit: 50%)" in first.message
    assert "sd(response) / sd(predictor)" in first.advice
    assert [gate.advice for gate in others] == ["", ""]


def test_the_summary_says_whether_the_documented_limit_is_reached() -> None:
    matrix = market()
    sy, sx = matrix.response.std(ddof=1), matrix.values[:, 1:].std(axis=0, ddof=1)
    informed = [Prior(term, 0.0, sy / x) for term, x in zip(matrix.terms[1:], sx, strict=True)]
    for priors, reached in (([*informed, Prior("noise_sd", 0.0, sy)], True), ([], False)):
        design = build_linear_design(matrix, scale=True, priors=priors)
        tables = prior_predictive(design, labels(matrix), FitSection(), "publish", PriorRunner())
        summary = tables["prior_predictive_summary"].set_index("metric")
        assert summary["documented_limit"].dropna().to_dict() == {"share_inside": 0.5}
        assert summary["reaches_limit"].dropna().to_dict() == {"share_inside": reached}
        assert (summary["value"]["share_inside"] >= 0.5) == reached
        assert prior_predictive_facts(tables)["reaches_limit"] is reached
        for name, table in tables.items():
            validate(TABLES[name], table)


def test_the_prior_is_drawn_with_the_config_s_seed_and_judged_by_the_mode() -> None:
    design = build_linear_design(market(), scale=True)
    runner, seeded = PriorRunner(), FitSection.model_validate({"mcmc": {"seed": 41}})
    first, again, other = (
        prior_predictive(design, labels(design.matrix), section, "strict", runner)
        for section in (seeded, seeded, FitSection())
    )
    assert [data["prior_only"] for _, data in runner.calls] == [1, 1, 1]
    own = sample_prior(design, prior_settings(seeded), PriorRunner())
    drawn = all_at_once(own, design.matrix, 41)[1]  # the noise has the config's seed, too
    np.testing.assert_allclose(first["prior_predictive_rows"]["q50"], np.median(drawn, axis=0))
    pd.testing.assert_frame_equal(first["prior_predictive_rows"], again["prior_predictive_rows"])
    assert not first["prior_predictive_rows"].equals(other["prior_predictive_rows"])
    assert first["prior_predictive_checks"]["status"].tolist() == ["warn", "pass", "pass"]
    optimised = FitSection.model_validate({"method": "optimise", "mcmc": {"seed": 41}})
    point = prior_predictive(design, labels(design.matrix), optimised, "strict", runner)
    pd.testing.assert_frame_equal(first["prior_predictive_rows"], point["prior_predictive_rows"])


def test_what_is_missing_is_not_a_pass() -> None:
    absent = prior_predictive_gates(None, "publish", "Stan is not there")
    assert [gate.check_id for gate in absent] == list(CHECK_METRICS)
    assert {gate.status for gate in absent} == {"not_computed"}
    assert "Stan is not there" in absent[0].message
    assert statuses({"share_inside": math.nan}) == ["not_computed"] * 3
    flat = replace(market(), response=np.full(120, 3.0))
    assert statuses(numbers_of(build_linear_design(flat, scale=False)))[2] == "not_computed"


def test_pooled_quantiles_of_long_data_use_part_of_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = market()
    prior = sample_prior(build_linear_design(matrix, scale=True), SETTINGS, PriorRunner())
    monkeypatch.setattr(module, "_POOLED_VALUES", 120 * 400)
    table = prior_predictive_tables(prior, matrix, labels(matrix), seed=1)["prior_predictive_summary"]
    found = table.set_index("metric")["value"]
    _, drawn = all_at_once(prior, matrix, 1)
    few = drawn[np.linspace(0, 3999, 400).round().astype(int)]
    assert found["prior_q975"] == pytest.approx(np.quantile(few, 0.975))
