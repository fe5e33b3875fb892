"""The per-parameter table of chain diagnostics, and its text form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.convergence import Convergence, convergence, ebfmi
from dsam_assets.diagnostics.verdicts import POINT

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws


def chain_table(numbers: Convergence) -> pd.DataFrame:
    """One row per parameter: parameter, mean, sd, mcse_mean, ess_bulk, ess_tail, rhat, note.

    Means and standard deviations are on the original scale; NaN where not computed, and then `note` says why.
    """
    return pd.DataFrame(
        {
            "parameter": numbers.parameters,
            "mean": numbers.mean,
            "sd": numbers.sd,
            "mcse_mean": numbers.mcse_mean,
            "ess_bulk": numbers.ess_bulk,
            "ess_tail": numbers.ess_tail,
            "rhat": numbers.rhat,
            "note": numbers.notes,
        }
    )


def chain_diagnostics_text(draws: Draws) -> str:
    """Text of `chain_diagnostics.txt`: counts of the run, what each chain did, and the parameter table."""
    if draws.is_point:
        return f"Chain diagnostics do not apply: {POINT}. How its starts ended is in optimisation_runs.\n"
    numbers = convergence(draws)
    header = f"{numbers.chains} chains, {numbers.draws} draws each, maximum tree depth {draws.max_treedepth}"
    table = chain_table(numbers).to_string(index=False, float_format=lambda value: f"{value:.5g}")
    return "\n\n".join([header, _per_chain(draws, numbers.chains).to_string(index=False), table]) + "\n"


def _per_chain(draws: Draws, chains: int) -> pd.DataFrame:
    columns: dict[str, object] = {"chain": np.arange(1, chains + 1)}
    sampler = draws.sampler
    if "diverging" in sampler:
        columns["divergences"] = np.count_nonzero(sampler["diverging"], axis=1)
    if "tree_depth" in sampler:
        columns["max_treedepth_hits"] = np.count_nonzero(sampler["tree_depth"] >= draws.max_treedepth, axis=1)
    if "energy" in sampler:
        columns["ebfmi"] = np.round(ebfmi(np.asarray(sampler["energy"], dtype=np.float64)), 3)
    if "step_size" in sampler:
        columns["step_size"] = np.round(sampler["step_size"][:, -1], 5)
    return pd.DataFrame(columns)
