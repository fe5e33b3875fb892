"""Convergence numbers of a set of draws: R-hat, effective sample sizes, Monte Carlo error, E-BFMI.

Numbers only; `gates` judges them. R-hat and ESS are ArviZ's (rank-normalised split R-hat, bulk and tail ESS of Vehtari,
Gelman, Simpson, Carpenter and Bürkner, 2021). ArviZ costs about 0.8 s to import, so it is imported where it is used.

Three cases are decided here because a naive call gives them a clean bill of health or a misleading number:

- *constant parameter*: ArviZ reports ESS = number of draws. Here all its statistics are NaN, with a note.
- *stuck chain* (one chain never moves in a parameter while the others do): with many chains the average hides it and
  R-hat can stay below 1.05. Here R-hat is infinite.
- *one chain*: a split R-hat could be computed from its halves, but it cannot see what that chain never visited, so it
  is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws

MIN_CHAINS = 2
# Below this the half-chains have no variance to speak of; ArviZ refuses as well.
MIN_DRAWS = 4
TAIL = (0.05, 0.95)


@dataclass(frozen=True)
class Convergence:
    """Statistics per parameter, all arrays of shape (parameters,), NaN where not computed.

    Attributes:
        parameters: names, coefficients first, then `noise_sd`, then group standard deviations or pooled labels.
        chains, draws: number of chains and draws per chain.
        mean, sd, mcse_mean: posterior mean and standard deviation, and the mean's Monte Carlo standard error, on the
            original scale.
        rhat, ess_bulk, ess_tail: convergence statistics; R-hat is inf for a parameter with a stuck chain.
        notes: per parameter, why it has no statistics or what is odd about it; empty when nothing is.
    """

    parameters: tuple[str, ...]
    chains: int
    draws: int
    mean: FloatArray
    sd: FloatArray
    mcse_mean: FloatArray
    rhat: FloatArray
    ess_bulk: FloatArray
    ess_tail: FloatArray
    notes: tuple[str, ...]


def parameter_draws(draws: Draws) -> tuple[tuple[str, ...], FloatArray]:
    """Names and draws of every sampled parameter, shape (parameters, chains, draws)."""
    parameters = draws.parameters
    return tuple(parameters), np.stack(list(parameters.values())).astype(np.float64)


def defect(sample: FloatArray) -> str:
    """Why one parameter's draws, shape (chains, draws), have no convergence statistics; empty when they have."""
    if sample.shape[1] < MIN_DRAWS:
        return f"fewer than {MIN_DRAWS} draws per chain"
    if not np.isfinite(sample).all():
        return "draws are not finite"
    return "every draw is the same" if np.ptp(sample) == 0 else ""


def stuck_chains(sample: FloatArray) -> list[int]:
    """Chains (from 1) that never move in this parameter."""
    return [chain + 1 for chain in range(len(sample)) if np.ptp(sample[chain]) == 0]


def convergence(draws: Draws) -> Convergence:
    """Convergence statistics of every parameter; group deviations are exact draws given these, and have none."""
    names, samples = parameter_draws(draws)
    defects = [defect(sample) for sample in samples]
    stuck = [[] if text else stuck_chains(sample) for sample, text in zip(samples, defects, strict=True)]
    rows = [
        (*_moments(sample), *((np.nan,) * 4 if text else _statistics(sample, bool(chains))))
        for sample, text, chains in zip(samples, defects, stuck, strict=True)
    ]
    mean, sd, mcse, rhat, bulk, tail = np.array(rows).T
    notes = tuple(text or _stuck_note(chains) for text, chains in zip(defects, stuck, strict=True))
    return Convergence(names, samples.shape[1], samples.shape[2], mean, sd, mcse, rhat, bulk, tail, notes)


def _stuck_note(chains: list[int]) -> str:
    return f"never moved in chain {', '.join(map(str, chains))}" if chains else ""


def _statistics(sample: FloatArray, is_stuck: bool) -> tuple[float, float, float, float]:
    """(mcse, rhat, ess_bulk, ess_tail) of one parameter."""
    arviz = arviz_statistics()
    rhat = np.nan if len(sample) < MIN_CHAINS else np.inf if is_stuck else float(arviz.rhat(sample))
    return (
        float(arviz.mcse(sample, method="mean")),
        rhat,
        float(arviz.ess(sample, method="bulk")),
        float(arviz.ess(sample, method="tail", prob=TAIL)),
    )


def arviz_statistics() -> Any:
    """ArviZ's statistics of arrays.

    As it is imported, ArviZ has the file of every module looked up that is loaded by then: a program that will need it
    saves a quarter of a second by asking for it before Dagster is imported.
    """
    from arviz_stats.base.array import array_stats

    return array_stats


def _moments(sample: FloatArray) -> tuple[float, float]:
    if not np.isfinite(sample).all() or sample.size < 2:
        return np.nan, np.nan
    return float(sample.mean()), float(sample.std(ddof=1))


def ess_mean(draws: Draws) -> FloatArray:
    """Effective sample size for the mean of each parameter that has one, shape (computable parameters,)."""
    _, samples = parameter_draws(draws)
    usable = samples[[not defect(sample) for sample in samples]]
    return np.asarray(arviz_statistics().ess(usable, method="mean"), dtype=np.float64)


def mcse_means(samples: FloatArray) -> FloatArray:
    """Monte Carlo standard error of the mean of each parameter's draws, shape (P, chain, draw) → (P,).

    NaN where there is none (`defect`): a point, or draws that are all the same.
    """
    result = np.full(len(samples), np.nan)
    usable = np.array([not defect(sample) for sample in samples], dtype=bool)
    if usable.any():
        sizes = np.asarray(arviz_statistics().ess(samples[usable], method="mean"), dtype=np.float64)
        result[usable] = samples[usable].std(axis=(1, 2), ddof=1) / np.sqrt(sizes)
    return result


def ebfmi(energy: FloatArray) -> FloatArray:
    """Energy Bayesian fraction of missing information per chain (Betancourt, 2016, arXiv:1604.00695).

    Args:
        energy: Hamiltonian after each transition, shape (chains, draws).

    Returns:
        Sum of squared steps of the energy over its sum of squares, shape (chains,); NaN for a chain whose energy is not
        finite, never changes, or has fewer than four draws.
    """
    usable = np.isfinite(energy).all(axis=1) & (energy.shape[1] >= MIN_DRAWS)
    result = np.full(energy.shape[0], np.nan)
    values = energy[usable]
    if not values.size:
        return result
    spread = np.square(values - values.mean(axis=1, keepdims=True)).sum(axis=1)
    steps = np.square(np.diff(values, axis=1)).sum(axis=1)
    result[usable] = np.divide(steps, spread, out=np.full(len(values), np.nan), where=np.ptp(values, axis=1) > 0)
    return result
