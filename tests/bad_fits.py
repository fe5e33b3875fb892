"""Fits that are bad on purpose, and the checks that must catch them.

One table: `recovery/test_bad_fits.py` fits every row and asks the gates, docs/gates.md shows it to analysts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.fit.runner import StanRunner
from dsam_assets.fitted_model import FittedModel
from dsam_assets.model import Model, blm, lognormal_ms, normal
from dsam_assets.scales import FloatArray

WEEKS = 104
FORMULA = "kpi ~ m_tv + m_search"
MCMC: Mapping[str, Any] = {"chains": 4, "iter": 2000, "warmup": 1000, "cores": 2, "seed": 7}

type Fit = Callable[[StanRunner], FittedModel]


@dataclass(frozen=True)
class BadFit:
    """A problem and what is said about it.

    Attributes:
        problem: what is wrong, for an analyst.
        fit: makes it.
        caught: status under `policy_mode: publish` by check, most telling first.
        says: a part of the first check's message, with `…` for what differs from fit to fit.
        settings: keys of the config's section `diagnostics`.
    """

    problem: str
    fit: Fit
    caught: Mapping[str, str]
    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def weekly(weeks: int = WEEKS, *, noise: FloatArray | None = None, seed: int = 3) -> pd.DataFrame:
    """Two channels that explain a KPI together with white noise of sd 2."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.gamma(3.0, 1.0, size=(weeks, 2)), columns=["m_tv", "m_search"])
    frame.insert(0, "date", pd.date_range("2022-01-03", periods=weeks, freq="7D"))
    noise = 2.0 * rng.normal(size=weeks) if noise is None else noise
    return frame.assign(kpi=50 + 2 * frame["m_tv"] + 3 * frame["m_search"] + noise)


def model(frame: pd.DataFrame, formula: str = FORMULA) -> Model:
    """A model of weekly data."""
    return blm(formula, frame, date="date")


def mcmc(made: Model, **changes: Any) -> Fit:
    """Sampled with the usual settings, some of them changed."""
    return lambda runner: made.fit(runner=runner, **{**MCMC, **changes})


def healthy() -> Model:
    return model(weekly())


def two_peaks() -> Model:
    """Either the prior is right and the noise is large, or the data are and the noise is small."""
    frame = weekly(30)
    rng = np.random.default_rng(2)
    frame["kpi"] = 50 + 20 * frame["m_tv"] + 3 * frame["m_search"] + 2 * rng.normal(size=len(frame))
    return model(frame).set_prior(m_tv=normal(0, 1.8))


def heavy_tails() -> Model:
    rng = np.random.default_rng(4)
    return model(weekly(noise=2.0 * rng.standard_t(1.5, size=WEEKS)))


def autocorrelated() -> Model:
    rng, noise = np.random.default_rng(5), np.zeros(WEEKS)
    for week in range(1, WEEKS):
        noise[week] = 0.8 * noise[week - 1] + 1.2 * rng.normal()
    return model(weekly(noise=noise))


def trending() -> Model:
    """A channel whose spend grows week by week, next to a trend."""
    frame = weekly()
    frame["trend"] = np.arange(WEEKS) / 52
    frame["m_tv"] = 1 + frame["trend"] + 0.1 * np.random.default_rng(6).normal(size=WEEKS)
    return model(frame, "kpi ~ trend + m_tv + m_search")


def total_and_parts() -> Model:
    frame = weekly()
    frame["m_all"] = frame["m_tv"] + frame["m_search"]
    return model(frame, "kpi ~ m_tv + m_search + m_all")


def nearly_twice() -> Model:
    frame = weekly()
    frame["m_tv_grp"] = frame["m_tv"] * (1 + 1e-5 * np.random.default_rng(7).normal(size=WEEKS))
    return model(frame, "kpi ~ m_tv + m_tv_grp + m_search")


def at_its_boundary() -> Model:
    """A channel that seems to cost sales, and may not."""
    frame = weekly()
    frame["kpi"] -= 4 * frame["m_tv"]
    return model(frame).set_boundary("m_tv > 0")


def prices_by_market() -> Model:
    """A price that differs between markets and hardly ever changes within one."""
    rng, parts = np.random.default_rng(8), []
    for number in range(6):
        part = weekly(52, seed=20 + number).assign(market=f"m{number}")
        part["price"] = 10 + number + 0.05 * rng.normal(size=52)
        part["kpi"] += 3 * rng.normal() - 2 * part["price"]
        parts.append(part)
    return model(pd.concat(parts, ignore_index=True), "kpi ~ m_tv + price + (1 | market)")


def over_tight_prior() -> Model:
    """A prior that is sure of hardly any effect of the channel that moves the KPI."""
    frame = weekly()
    frame["kpi"] += 18 * frame["m_tv"]
    return model(frame).set_prior(m_tv=normal(0, 0.5), m_search=normal(0, 0.5))


def impossible_prior() -> Model:
    """A prior in other units than the data: thousands instead of ones."""
    return healthy().set_prior(m_tv=normal(2000, 500))


def holes() -> Model:
    return model(weekly().drop(index=[30, 31, 70]))


def understated_noise() -> Model:
    return healthy().set_prior(noise_sd=lognormal_ms(0.8, 0.02))


def single_week() -> Model:
    frame = weekly()
    frame["launch"] = (np.arange(WEEKS) == 40) * 1.0
    return model(frame, "kpi ~ m_tv + m_search + launch")


def influential_week() -> Model:
    """One week with ten times the usual spend and a KPI that does not fit."""
    frame = weekly()
    frame.loc[60, ["m_tv", "kpi"]] = [30.0, 60.0]
    return model(frame)


def irregular() -> Model:
    frame = weekly()
    frame["date"] += pd.to_timedelta(np.random.default_rng(9).integers(0, 5, WEEKS), unit="D")
    return model(frame)


def collinear() -> Model:
    """Two channels that always run together, as far as campaigns can: a correlation of 0.98."""
    frame = weekly()
    frame["m_radio"] = frame["m_tv"] + 0.35 * np.random.default_rng(10).normal(size=WEEKS)
    return model(frame, "kpi ~ m_tv + m_radio + m_search")


MEDIA = {"identifiability": {"media_terms": ["m_tv", "m_search"], "baseline_terms": ["trend"]}}
NO_STEPS: Mapping[str, Any] = {"warmup": 1, "iter": 1001, "stepsize": 20}

BAD_FITS: Mapping[str, BadFit] = {
    "over_tight_prior": BadFit(
        "Priors that are sure of small effects, against data that show large ones",
        mcmc(over_tight_prior()),
        {"prior_predictive_movement": "fail"},
        "Under a typical draw of the prior, the linear predictor moves … times as much over the rows as the response…",
    ),
    "impossible_prior": BadFit(
        "A prior in other units than the data: thousands instead of ones",
        mcmc(impossible_prior()),
        {"prior_predictive_coverage": "fail", "prior_predictive_plausibility": "fail"},
        "… of the observed values lie in the central 95 % of what the prior expects in their row…",
    ),
    "short_series": BadFit(
        "Nine months of weeks",
        mcmc(model(weekly(40))),
        {"pre_weeks_of_data": "warn"},
        "40 weeks of data.",
    ),
    "holes": BadFit(
        "Weeks that are not in the file",
        mcmc(holes()),
        {"pre_week_gaps": "warn"},
        "Weeks missing between first and last: 3; after 2022-07-25 (2 weeks); after 2023-05-01 (1 week).",
    ),
    "two_peaks": BadFit(
        "The posterior has two peaks: a channel's prior contradicts the data, and either of them may be right",
        mcmc(two_peaks(), chains=8),
        {"sampler_rhat_max": "fail", "sampler_ess_bulk_min": "fail"},
        "Largest R-hat is …",
    ),
    "few_iterations": BadFit(
        "Far too few iterations: 20 draws per chain",
        mcmc(healthy(), iter=60, warmup=40),
        {"sampler_ess_bulk_min": "fail", "sampler_ess_tail_min": "fail", "sampler_rhat_max": "fail"},
        "Smallest bulk ESS is …",
    ),
    "one_chain": BadFit(
        "A single chain, which cannot disagree with another",
        mcmc(healthy(), chains=1),
        {"sampler_rhat_max": "not_computed"},
        "Not computed: R-hat needs at least 2 chains, got 1.",
    ),
    "huge_steps": BadFit(
        "A sampler that was not allowed to adapt and steps far too widely",
        mcmc(healthy(), **NO_STEPS),
        {"sampler_divergences": "fail", "sampler_rhat_max": "fail"},
        "… draws diverged (…",
    ),
    "cut_trajectories": BadFit(
        "Trajectories that are cut off: fit.mcmc.control.max_treedepth: 1",
        mcmc(healthy(), max_treedepth=1),
        {"sampler_treedepth_frac": "fail"},
        "… draws reached the maximum tree depth of 1.",
    ),
    "unfinished_mode": BadFit(
        "A point estimate whose optimiser was stopped after one step",
        lambda runner: healthy().fit_map(runner=runner, iter=1, n_runs=2),
        {"optimiser_converged": "fail"},
        "The best start did not converge, so the estimates need not be the mode (0 of 2 starts converged…",
    ),
    "heavy_tails": BadFit(
        "Noise with heavy tails (Student t): most weeks close to the model, a few far out",
        mcmc(heavy_tails()),
        {"calibration_loo_pit": "fail", "loo_pareto_k": "warn"},
        "Under-confident: rows fall near the centre of the predictive intervals too often…",
    ),
    "understated_noise": BadFit(
        "A prior that holds noise_sd far below the noise of the data",
        mcmc(understated_noise()),
        {"calibration_loo_pit": "fail"},
        "Over-confident: rows fall outside the predictive intervals too often…",
    ),
    "autocorrelated": BadFit(
        "Noise that lasts for weeks: something slow is missing from the model",
        mcmc(autocorrelated()),
        {"resid_ljung_box_p": "fail", "resid_acf_max": "fail"},
        "The smallest Ljung–Box p-value of the residuals is …",
    ),
    "irregular_dates": BadFit(
        "Dates that are on no calendar, so that no row is a week after another",
        mcmc(irregular()),
        {"resid_ljung_box_p": "not_computed", "resid_acf_max": "not_computed"},
        "Not computed: its dates are not …",
    ),
    "trending_channel": BadFit(
        "A channel that grows as the trend does",
        mcmc(trending()),
        {"pre_identifiability_baseline_media_corr": "fail"},
        "The strongest correlation between media and baseline is … (m_tv and trend; …",
        MEDIA,
    ),
    "total_and_parts": BadFit(
        "A total next to its parts",
        mcmc(total_and_parts()),
        {"pre_design_rank_deficit": "warn", "pre_design_condition_number": "warn"},
        "Rank 3 with 4 columns; linear combinations of earlier columns: m_all.",
    ),
    "nearly_the_same": BadFit(
        "The same channel in two measures that agree to five digits",
        mcmc(nearly_twice()),
        {"pre_design_condition_number": "warn"},
        "The condition number of the design matrix (columns scaled to unit length) is …",
    ),
    "at_its_boundary": BadFit(
        "A coefficient that the data push against its boundary",
        mcmc(at_its_boundary()),
        {"boundary_hit_fraction": "fail"},
        "Largest share of draws within 0.3 posterior sd of a boundary is … (m_tv, lower bound 0).",
    ),
    "prices_by_market": BadFit(
        "A predictor that differs between markets and hardly changes within one",
        mcmc(prices_by_market()),
        {"within_var_ratio": "fail"},
        "Smallest share of a predictor's variance within groups is … (price in market).",
    ),
    "single_week": BadFit(
        "A dummy of a single week",
        mcmc(single_week()),
        {"loo_leverage_one": "warn", "loo_pareto_k": "warn"},
        "1 row has a leverage above 0.99, so their LOO says nothing: 2022-10-10 (launch).",
    ),
    "influential_week": BadFit(
        "One week with ten times the usual spend, and a KPI that does not go with it",
        mcmc(influential_week()),
        {"loo_pareto_k": "warn"},
        "Largest Pareto k is …; 1 of 104 rows are above 0.7.",
    ),
}
