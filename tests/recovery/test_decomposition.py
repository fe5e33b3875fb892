"""The demos' decompositions with real Stan against contributions and returns worked out from what generated them.

True parts of a log response come from quadrature along the documented path, row by row, and not from the product's
closed form. An interval of 90 % may miss; how many may is the binomial's 0.5 % quantile, hits taken as independent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dsam_assets.config.slices import decomposition_slice
from dsam_assets.decomposition.decompose import decompose
from dsam_assets.design.labels import row_labels
from dsam_assets.design.model_design import design_prior_table
from dsam_assets.diagnostics.report import build_report
from dsam_assets.fit.model import sample_model
from dsam_assets.fit.sample import mcmc_settings
from dsam_assets.preflight import Preflight, load_checked, preflight
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner

pytestmark = [pytest.mark.stan, pytest.mark.slow]

CONFIGS = Path(__file__).parents[2] / "configs"
DATA = {"blm_demo": "blm_demo", "pooled_demo": "pooled_demo", "cre_demo": "panel_demo"}
FALSE_ALARM = 0.005


@dataclass(frozen=True)
class Case:
    """A demo's tables beside the true contribution of every channel."""

    ready: Preflight
    tables: dict[str, pd.DataFrame]
    truth: dict[str, Any]

    @property
    def channels(self) -> pd.DataFrame:
        """Rows of single channels with `true`, their true contribution."""
        table = self.tables["decomp_channels"].query("channel != 'TOTAL'")
        parts, units = true_parts(self.ready, self.truth), self.units
        true = [
            parts[row.term][np.ones(len(units), bool) if row.group == "all" else units == row.group].sum()
            for row in table.itertuples()
        ]
        return table.assign(true=true)

    @property
    def units(self) -> FloatArray:
        matrix = self.ready.design.matrix
        labels = row_labels(self.ready.dataset.frame, "date", matrix)
        return labels["group"].to_numpy() if "group" in labels else np.full(len(labels), "all")


def true_parts(ready: Preflight, truth: dict[str, Any]) -> dict[str, FloatArray]:
    """The true contribution of each media term in each row."""
    matrix = ready.design.matrix
    beta = np.tile([truth["coefficients"][term] for term in matrix.terms], (len(matrix.response), 1))
    for group in matrix.groups:
        for row, code in enumerate(group.codes):
            for term, value in truth["market_coefficients"][group.levels[code]].items():
                beta[row, matrix.terms.index(term)] = value
    effect = beta * matrix.values
    media = [j for j, term in enumerate(matrix.terms) if term.startswith("m_")]
    if matrix.response_scale == "identity":
        return {matrix.terms[j]: effect[:, j] for j in media}
    nodes, weights = np.polynomial.legendre.leggauss(40)
    step = effect[:, media].sum(axis=1)
    below = effect.sum(axis=1) - step + 0.5 * truth["noise_sd"] ** 2
    mean = (np.exp(below[:, None] + step[:, None] * (nodes + 1) / 2) * weights).sum(axis=1) / 2
    return {matrix.terms[j]: effect[:, j] * mean for j in media}


@pytest.fixture(scope="module", params=list(DATA))
def case(request: pytest.FixtureRequest, stan: CmdStanRunner) -> Case:
    ready = preflight(load_checked(CONFIGS / f"{request.param}.yaml"))
    truth = json.loads((CONFIGS / f"data/{DATA[request.param]}.true_parameters.json").read_text())
    draws = sample_model(ready.design, mcmc_settings(ready.loaded.config.fit), stan)
    matrix, frame = ready.design.matrix, ready.dataset.frame
    report = build_report((), "publish", "warn", enforce_publish_gate=False)
    tables = decompose(
        draws, matrix, row_labels(frame, "date", matrix), frame, decomposition_slice(ready.loaded.config),
        design_prior_table(ready.design), report,
    )  # fmt: skip
    return Case(ready, tables, truth)


def test_intervals_hold_the_true_contributions(case: Case) -> None:
    table = case.channels
    inside = (table["q05"] < table["true"]) & (table["true"] < table["q95"])
    assert inside.sum() >= stats.binom.ppf(FALSE_ALARM, len(table), 0.9), table[["group", "channel", "true"]][~inside]


def test_media_as_a_whole_are_found(case: Case) -> None:
    """What all channels together brought, within the interval of 99.9 %, taken as normal."""
    total = case.tables["decomp_channels"].query("channel == 'TOTAL' and group == 'all'").iloc[0]
    true = case.channels.query("group == 'all'")["true"].sum()
    sd = (total["q95"] - total["q05"]) / (2 * stats.norm.ppf(0.95))
    assert abs(total["contribution"] - true) < 3.3 * sd
    assert sd < 0.3 * true


def test_returns_are_those_of_the_true_effects(case: Case) -> None:
    """Where the data say much, the ROI is near the truth; so are its order and the true shares of effect."""
    table = case.channels.query("group == 'all'")
    sure = table[(table["q95"] - table["q05"]) < 0.35 * table["true"]]
    assert len(sure) > 0
    np.testing.assert_allclose(sure["metric_value"], sure["true"] / sure["money"], rtol=0.25)
    true_share = table["true"] / table["true"].sum()
    assert np.abs(table["share_of_effect"] - true_share).max() < 0.15
    assert set(table["assumption"].str[:13]) == {"the column is"}
    assert not table["assumption"].str.contains("not").any()


def test_no_channel_of_the_demos_is_held_up_by_its_prior(case: Case) -> None:
    evidence = case.tables["channel_evidence"]
    assert (evidence["contraction"] > 0.9).all()
    assert (evidence["max_baseline_corr"] < 0.8).all()
