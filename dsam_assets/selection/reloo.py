"""Exact leave-one-out for a few rows: refit the model without each of them.

With draws θ_s of the fit without row i, p(y_i | y₋ᵢ) is the mean of f(θ_s) = p(y_i | y₋ᵢ, θ_s). Of a row far from where
the others expect it that mean hangs on a few draws, and it is such rows that are refitted. Therefore coefficients
without bounds are integrated out in closed form (`LeftOutRow.collapsed`), and the draws of the fit *with* the row are
used as well: their density is that without it times f, so the mean of f is the ratio of the two normalising constants,
which Bennett's estimator takes from both sides (Meng and Wong, 1996, "Simulating ratios of normalizing constants via a
simple identity", Statistica Sinica 6:831). Scaling and priors stay those of the full data; from the sufficient
statistics of the other rows such a fit costs what any fit costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dsam_assets.design.model_design import ModelDesign
from dsam_assets.diagnostics.convergence import MIN_CHAINS, convergence
from dsam_assets.diagnostics.thresholds import THRESHOLDS
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.model import sample_model
from dsam_assets.fit.runner import McmcSettings, StanRunner
from dsam_assets.fit.stan_input import PositivePriors
from dsam_assets.scales import FloatArray
from dsam_assets.selection.left_out import leave_out, posterior_points
from dsam_assets.selection.psis import logsumexp

MAX_REFITS = 50
# Nats: with more Monte Carlo error than this the weights, whose k says that they are wrong, are not replaced.
MOST_ERROR = 0.5
_ROUNDS = 1000
_TOLERANCE = 1e-10
_LARGEST_SEED = 2**31 - 1

type Refit = Callable[[ModelDesign, int], Draws]


@dataclass(frozen=True)
class ExactRow:
    """Exact leave-one-out of a row: log density with its Monte Carlo error, distribution function, and the largest
    R-hat of the refit."""

    elpd: float
    error: float
    pit: float
    rhat: float

    @property
    def reliable(self) -> bool:
        """Whether the refit has been shown to converge and the density is known well enough; an R-hat or an error that
        was not computed shows nothing."""
        return self.rhat <= THRESHOLDS["publish"]["sampler_rhat_max"].fail and self.error <= MOST_ERROR


def refitter(settings: McmcSettings, runner: StanRunner, *, positive_priors: PositivePriors = "centered") -> Refit:
    """What fits a design without a row: as the model was fitted, with a seed of its own and at least two chains.

    Args:
        settings: of the model's own fit; the refit without row i has its seed plus i + 1.
        runner: what runs Stan.
        positive_priors: as for the model's own fit.
    """

    def refit(design: ModelDesign, row: int) -> Draws:
        seed = (settings.seed + row + 1) % _LARGEST_SEED
        own = replace(settings, seed=seed, chains=max(settings.chains, MIN_CHAINS))
        return sample_model(design, own, runner, positive_priors=positive_priors)

    return refit


def exact_row(design: ModelDesign, row: int, refit: Refit, points: FloatArray) -> ExactRow:
    """Leave a row out and refit.

    Args:
        design: the model on all rows.
        row: position in its model matrix.
        refit: see `refitter`.
        points: draws of the posterior of all rows on Stan's scale, shape (S, P), see `left_out.posterior_points`.

    Raises:
        FitError, ToolchainError: the refit fails.
    """
    left_out = leave_out(design, row)
    draws = refit(left_out.design, row)
    without, cdf = left_out.collapsed(posterior_points(left_out.design, draws))
    elpd, error = bridge(without, left_out.collapsed(points)[0])
    return ExactRow(elpd, error, float(cdf.mean()), _largest_rhat(draws))


def bridge(without: FloatArray, with_row: FloatArray) -> tuple[float, float]:
    """log mean of f over the posterior without the row, and its standard error for independent draws.

    Args:
        without: log f at draws of the posterior without the row.
        with_row: log f at draws of the posterior with it, whose density is f times the other's.

    Returns:
        The fixed point r of mean[f / (a + b f/r)] / mean'[1 / (a + b f/r)], a and b the shares of the two sets of
        draws, and the root of the sum of the squared relative errors of the two means. NaN where log f is not finite.
    """
    if not (np.isfinite(without).all() and np.isfinite(with_row).all()):
        return float("nan"), float("nan")
    share = np.log([without.size, with_row.size]) - np.log(without.size + with_row.size)
    guess = 0.5 * float(np.median(without) + np.median(with_row))
    for _ in range(_ROUNDS):
        upper = without - np.logaddexp(share[0], share[1] + without - guess)
        lower = -np.logaddexp(share[0], share[1] + with_row - guess)
        before, guess = guess, _log_mean(upper) - _log_mean(lower)
        if abs(guess - before) < _TOLERANCE:
            break
    return guess, float(np.hypot(_relative_error(upper), _relative_error(lower)))


def _log_mean(values: FloatArray) -> float:
    return float(logsumexp(values) - np.log(values.size))


def _relative_error(values: FloatArray) -> float:
    """Standard error of the mean of exp(values) relative to it."""
    scaled = np.exp(values - values.max())
    return float(scaled.std(ddof=1) / scaled.mean() / np.sqrt(values.size))


def _largest_rhat(draws: Draws) -> float:
    """NaN as soon as one parameter has none."""
    return float(np.max(convergence(draws).rhat))
