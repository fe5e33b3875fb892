"""A market of two years and its exact posterior, broken in known ways and judged by everything that judges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from made_up_draws import with_coef, with_sampler

from dsam_assets.config.schema_diagnostics import DiagnosticsSection
from dsam_assets.design.checks import design_checks
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics.gate_table import gate_frame
from dsam_assets.diagnostics.postfit import postfit_checks
from dsam_assets.diagnostics.prefit import prefit_gates
from dsam_assets.diagnostics.prior_predictive import prior_predictive_gates, prior_predictive_tables
from dsam_assets.diagnostics.report import DiagnosticsReport
from dsam_assets.diagnostics.verdicts import fit_checks, verdict
from dsam_assets.fit.draws import Draws
from dsam_assets.selection.evidence import selection_tables
from dsam_assets.verdict import Gating, PolicyMode

WEEKS = 104
TERMS = ("(Intercept)", "m_tv")
DAY = dt.date(2026, 1, 1)
LABELS = pd.DataFrame({"row": np.arange(WEEKS), "date": pd.date_range("2023-01-02", periods=WEEKS, freq="7D")})
PRIORS = pd.DataFrame(
    {
        "parameter": [*TERMS, "noise_sd"],
        "family": "normal",
        "mean": [3.0, 0.0, 1.0],
        "sd": [1.0, 1.0, 0.2],
        "lower": -np.inf,
        "upper": np.inf,
    }
)


def market() -> ModelMatrix:
    rng = np.random.default_rng(4)  # residuals as white as the noise is
    values = np.column_stack([np.ones(WEEKS), rng.normal(size=WEEKS)])
    response = values @ [3.0, 0.5] + rng.normal(size=WEEKS)
    return ModelMatrix(TERMS, values, response, np.zeros(WEEKS), "kpi", "identity", np.arange(WEEKS), {})


def exact(chains: int = 4, size: int = 1000) -> Draws:
    """Independent draws under flat priors on the coefficients and on log noise_sd."""
    matrix, rng = market(), np.random.default_rng(1)
    X, y, shape = matrix.values, matrix.response, (chains, size)
    estimate = np.linalg.lstsq(X, y, rcond=None)[0]
    rest = y - X @ estimate
    noise = np.sqrt(rest @ rest / rng.chisquare(WEEKS - 2, shape))
    root = np.linalg.inv(np.linalg.qr(X, mode="r"))
    coef = estimate + noise[..., np.newaxis] * (rng.normal(size=(*shape, 2)) @ root.T)
    sampler = {
        "energy": rng.normal(size=shape),
        "diverging": np.zeros(shape, dtype=bool),
        "tree_depth": np.full(shape, 3.0),
    }
    return Draws(TERMS, coef, noise, sampler, 10, {"method": "mcmc"})


def prior() -> Draws:
    """Draws of `PRIORS`."""
    values = np.random.default_rng(2).normal(PRIORS["mean"], PRIORS["sd"], size=(4, 500, 3))
    return Draws(TERMS, values[..., :2], values[..., 2], {}, 10, {"prior_only": True})


def two_peaks() -> Draws:
    """Half of the chains around another value of the slope."""
    draws = exact()
    coef = draws.coef.copy()
    coef[:2, :, 1] += 2.0
    return replace(draws, coef=coef)


POSTERIORS: Mapping[str, Callable[[], Draws]] = {
    "healthy": exact,
    "divergent": lambda: with_sampler(exact(), "diverging", 1, slice(0, 40), True),
    "stuck in one chain": lambda: with_coef(exact(), 1, 0, 0.6),
    "two peaks": two_peaks,
    "NaN": lambda: with_coef(exact(), 1, 2, np.nan),
    "constant": lambda: with_coef(exact(), 1, slice(None), 0.5),
    "single chain": lambda: exact(1, 4000),
    "too short": lambda: exact(4, 20),
    "three draws": lambda: exact(4, 3),
}


@dataclass(frozen=True)
class Evidence:
    """A verdict, and the tables of model selection that its documents quote."""

    report: DiagnosticsReport
    loo: Mapping[str, pd.DataFrame]


@cache
def _loo(name: str) -> Mapping[str, pd.DataFrame]:
    return selection_tables(POSTERIORS[name](), market(), LABELS, DiagnosticsSection())


@cache
def _prior_summary() -> pd.DataFrame:
    return prior_predictive_tables(prior(), market(), LABELS, seed=1)["prior_predictive_summary"]


def judged(name: str, mode: PolicyMode, gating: Gating = "warn", **keys: Any) -> Evidence:
    """The verdict of a made-up posterior, by the functions that the assets call."""
    section = DiagnosticsSection(policy_mode=mode, gating=gating, **keys)
    draws, matrix = POSTERIORS[name](), market()
    before = gate_frame(prefit_gates(design_checks(matrix), mode))
    after = gate_frame(postfit_checks(draws, matrix, LABELS, PRIORS, section.identifiability, mode).gates)
    first = gate_frame(prior_predictive_gates(_prior_summary(), mode))
    fit = gate_frame(fit_checks(draws, _loo(name), section))
    return Evidence(verdict((before, first, fit, after), section, DAY), _loo(name))
