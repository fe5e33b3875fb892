"""Evidence per channel against variances, shares and correlations worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from pooled_markets import TWO, market

from dsam_assets.decomposition.evidence import COLUMNS, channel_evidence
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws

INF = np.inf


@dataclass(frozen=True)
class Asked:
    name: str
    term: str


def draws_of(matrix: ModelMatrix, columns: Mapping[str, np.ndarray], *, point: bool = False) -> Draws:
    size = len(next(iter(columns.values())))
    coef = np.zeros((1, size, len(matrix.terms)))
    for term, values in columns.items():
        coef[0, :, matrix.terms.index(term)] = values
    attributes = {"method": "optimise"} if point else {}
    return Draws(matrix.terms, coef, np.ones((1, size)), {}, 10, attributes)


def priors(rows: Mapping[str, tuple[float, float, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd", "lower", "upper"])
    return table.rename_axis("parameter").reset_index().assign(family="normal")


def spread_out(mean: float, sd: float, size: int = 400) -> np.ndarray:
    """Draws with exactly this mean and standard deviation."""
    values = np.linspace(-1, 1, size)
    return mean + sd * values / values.std(ddof=1)


def linear() -> ModelMatrix:
    return replace(market(), pooling=None)


def one(matrix: ModelMatrix, draws: Draws, prior: pd.DataFrame, term: str, baseline: tuple[str, ...] = ()) -> pd.Series:
    table = channel_evidence([Asked("Channel", term)], draws, matrix, prior, baseline)
    assert tuple(table.columns) == COLUMNS
    return table.iloc[0]


@pytest.mark.parametrize(("sd", "weak"), [(1.0, False), (1.41, False), (1.42, True), (2.0, True)])
def test_contraction_of_a_normal_prior(sd: float, weak: bool) -> None:
    """The limit is where the data's precision equals the prior's: posterior variance half of the prior's, 2 of 4."""
    matrix = linear()
    row = one(
        matrix, draws_of(matrix, {"m_search": spread_out(8, sd)}), priors({"m_search": (0, 2, -INF, INF)}), "m_search"
    )
    assert row["contraction"] == pytest.approx(1 - sd**2 / 4)
    assert row["weak"] == weak
    assert ("prior weighs more" in row["why"]) == weak
    assert np.isnan(row["boundary_share"])
    assert np.isnan(row["max_baseline_corr"])


def test_a_boundary_narrows_the_prior() -> None:
    """Half-normal: variance s² (1 − 2/π)."""
    matrix = linear()
    draws = draws_of(matrix, {"m_search": spread_out(8, 1.0)})
    row = one(matrix, draws, priors({"m_search": (0, 2, 0, INF)}), "m_search")
    assert row["contraction"] == pytest.approx(1 - 1 / (4 * (1 - 2 / np.pi)))


def test_draws_next_to_a_boundary_make_a_channel_weak() -> None:
    matrix, prior = linear(), priors({"m_search": (0, 100, 0, INF)})
    exponential = -np.log(np.linspace(0.999, 0.001, 999))  # 1 − exp(−0.3) = 26 % lie within 0.3 sd of zero
    row = one(matrix, draws_of(matrix, {"m_search": exponential}), prior, "m_search")
    assert row["boundary_share"] == pytest.approx(0.26, abs=0.005)
    assert row["weak"]
    assert "boundary" in row["why"]
    assert "prior" not in row["why"]


def test_a_column_that_moves_with_the_baseline_is_weak() -> None:
    matrix, prior = linear(), priors({"m_search": (0, 100, -INF, INF)})
    trend, rng = matrix.values[:, matrix.terms.index("trend")], np.random.default_rng(1)
    values = matrix.values.copy()
    values[:, matrix.terms.index("m_search")] = -trend + 0.05 * rng.normal(size=len(trend))
    moved = replace(matrix, values=values)
    draws = draws_of(matrix, {"m_search": spread_out(5, 1)})
    row = one(moved, draws, prior, "m_search", ("trend", "(Intercept)"))
    assert row["max_baseline_corr"] == pytest.approx(
        abs(np.corrcoef(values[:, matrix.terms.index("m_search")], trend)[0, 1])
    )
    assert row["weak"]
    assert not one(matrix, draws, prior, "m_search", ("trend",))["weak"]


def test_a_pooled_channel_has_the_prior_of_the_sum_of_its_labels() -> None:
    matrix = replace(market(), pooling=TWO)
    prior = priors({name: (0, sd, -INF, INF) for name, sd in {"channel[tv]": 3, "owner[us]": 4}.items()})
    row = one(matrix, draws_of(matrix, {"m_tv_a": spread_out(9, 2)}), prior, "m_tv_a")
    assert row["contraction"] == pytest.approx(1 - 4 / 25)
    assert not row["weak"]


def test_what_a_point_estimate_owes_its_prior_is_not_known() -> None:
    matrix = linear()
    draws = draws_of(matrix, {"m_search": np.array([8.0])}, point=True)
    row = one(matrix, draws, priors({"m_search": (0, 2, 0, INF)}), "m_search")
    assert np.isnan(row["contraction"])
    assert row["weak"]
    assert "point estimate" in row["why"]


def test_a_term_without_a_prior_of_its_own_is_weak() -> None:
    matrix = linear()
    row = one(matrix, draws_of(matrix, {"m_search": spread_out(8, 1)}), priors({"price": (0, 2, 0, 9)}), "m_search")
    assert row["weak"]
    assert "could not be computed" in row["why"]


def test_rows_are_the_channels_in_their_order() -> None:
    matrix = linear()
    draws = draws_of(matrix, {"m_search": spread_out(8, 1), "m_social": spread_out(8, 3)})
    prior = priors({"m_search": (0, 2, -INF, INF), "m_social": (0, 2, -INF, INF)})
    table = channel_evidence([Asked("B", "m_social"), Asked("A", "m_search")], draws, matrix, prior)
    assert list(table["channel"]) == ["B", "A"]
    assert list(table["weak"]) == [True, False]
    assert table["weak"].dtype == bool
