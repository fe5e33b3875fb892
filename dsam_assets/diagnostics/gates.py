"""The gates of the fit: one small function per check, each compute → judge → phrase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.diagnostics.convergence import MIN_CHAINS, Convergence, convergence, ebfmi
from dsam_assets.diagnostics.rows import judged, not_computed, row, worst_row
from dsam_assets.diagnostics.thresholds import Threshold, describe, judge
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws


def sampler_gates(draws: Draws, mode: PolicyMode, numbers: Convergence | None = None) -> tuple[GateResult, ...]:
    """g2, g3, g4 and g7: the six sampler checks of an MCMC fit.

    Args:
        draws: the posterior.
        mode: the policy that chooses the thresholds.
        numbers: `convergence(draws)`, when the caller has it already.
    """
    numbers = convergence(draws) if numbers is None else numbers
    return (
        rhat_gate(numbers, mode),
        ess_bulk_gate(numbers, mode),
        ess_tail_gate(numbers, mode),
        divergence_gate(draws, mode),
        treedepth_gate(draws, mode),
        ebfmi_gate(draws, mode),
    )


def skipped_gates(check_ids: Sequence[str], reason: str) -> tuple[GateResult, ...]:
    """Rows for checks that do not apply, e.g. R-hat of a point estimate."""
    message = f"Does not apply: {reason}."
    return tuple(row(check_id, "skipped", None, "does not apply", "model", message) for check_id in check_ids)


def optimiser_gate(draws: Draws, mode: PolicyMode) -> GateResult:
    """p1: whether the start that the point estimate comes from ended at a mode (1) or was cut off (0)."""
    check_id, facts = "optimiser_converged", draws.attributes
    if "converged" not in facts:
        return not_computed(check_id, mode, "the fit does not say whether its optimiser converged")
    converged = int(facts["converged"])
    what = "converged" if converged else "did not converge, so the estimates need not be the mode"
    return judged(check_id, converged, mode, "model", f"The best start {what} ({_starts(facts)}).")


def _starts(facts: Mapping[str, str | int | float]) -> str:
    """How the other starts did, as far as it is known."""
    if "starts" not in facts or "starts_converged" not in facts:
        return "nothing is known of other starts"
    failed = int(facts.get("starts_failed", 0))
    text = f"{facts['starts_converged']} of {facts['starts']} starts converged"
    return f"{text}, {failed} failed" if failed else text


def rhat_gate(numbers: Convergence, mode: PolicyMode) -> GateResult:
    """g2: largest rank-normalised split R-hat over coefficients and noise_sd; a single chain is `not_computed`."""
    if numbers.chains < MIN_CHAINS:
        reason = f"R-hat needs at least {MIN_CHAINS} chains, got {numbers.chains}"
        return not_computed("sampler_rhat_max", mode, reason)
    return _parameter_gate("sampler_rhat_max", "Largest R-hat", numbers.rhat, numbers, mode)


def ess_bulk_gate(numbers: Convergence, mode: PolicyMode) -> GateResult:
    """g3: smallest bulk effective sample size."""
    return _parameter_gate("sampler_ess_bulk_min", "Smallest bulk ESS", numbers.ess_bulk, numbers, mode)


def ess_tail_gate(numbers: Convergence, mode: PolicyMode) -> GateResult:
    """g3: smallest tail effective sample size (5 % and 95 % quantiles)."""
    return _parameter_gate("sampler_ess_tail_min", "Smallest tail ESS", numbers.ess_tail, numbers, mode)


def divergence_gate(draws: Draws, mode: PolicyMode) -> GateResult:
    """g4: fraction of draws that ended in a divergent transition."""
    check_id = "sampler_divergences"
    diverging = _statistic(draws, "diverging")
    if isinstance(diverging, str):
        return not_computed(check_id, mode, diverging)
    hits = int(np.count_nonzero(diverging))
    message = f"{hits:,} of {diverging.size:,} draws diverged ({hits / diverging.size:.2%})."
    return judged(check_id, hits / diverging.size, mode, "model", message)


def treedepth_gate(draws: Draws, mode: PolicyMode) -> GateResult:
    """g4: fraction of draws whose trajectory was cut off at the maximum tree depth."""
    check_id = "sampler_treedepth_frac"
    depth = _statistic(draws, "tree_depth")
    if isinstance(depth, str):
        return not_computed(check_id, mode, depth)
    hits = int(np.count_nonzero(depth >= draws.max_treedepth))
    message = f"{hits:,} of {depth.size:,} draws reached the maximum tree depth of {draws.max_treedepth}."
    return judged(check_id, hits / depth.size, mode, "model", message)


def ebfmi_gate(draws: Draws, mode: PolicyMode) -> GateResult:
    """g7: smallest E-BFMI over chains."""
    check_id = "sampler_ebfmi_min"
    energy = _statistic(draws, "energy")
    if isinstance(energy, str):
        return not_computed(check_id, mode, energy)
    values = ebfmi(energy)
    names = [f"chain {index + 1}" for index in range(len(values))]
    notes = ["its energy never changes or has too few draws" if np.isnan(value) else "" for value in values]
    return worst_row(check_id, "Smallest E-BFMI", values, names, notes, mode)


def pareto_k_gate(
    pareto_k: FloatArray | None,
    *,
    warn: float,
    fail: float,
    n_rows: int | None = None,
    places: Sequence[str] = (),
    reason: str = "PSIS-LOO has no result",
) -> GateResult:
    """g6: largest Pareto k of PSIS-LOO.

    Args:
        pareto_k: one k per scored row; `None` when LOO was not computed.
        warn, fail: `diagnostics.model_selection.pareto_k_warn` and `pareto_k_fail`.
        n_rows: rows of the model when only a sample of them was scored.
        places: what the scored rows are called, e.g. by their date; they are counted where there is nothing.
        reason: why there is no result.
    """
    check_id, threshold = "loo_pareto_k", Threshold("above", warn, fail)
    rule = describe(threshold)
    if pareto_k is None or not pareto_k.size:
        return row(check_id, "not_computed", None, rule, "model", f"Not computed: {reason}.")
    missing = np.flatnonzero(np.isnan(pareto_k))
    if missing.size == pareto_k.size:
        return row(check_id, "not_computed", None, rule, "model", "Not computed: Pareto k is NaN in every row.")
    worst = int(np.nanargmax(pareto_k))
    value, above = float(pareto_k[worst]), int(np.count_nonzero(pareto_k > warn))
    sampled = f" (a sample of {n_rows:,})" if n_rows is not None and n_rows > pareto_k.size else ""
    place = places[worst] if places else f"observation {worst + 1} of those scored"
    counted = f"{above:,} of {pareto_k.size:,} rows{sampled} are above {warn:g}"
    message = f"Largest Pareto k is {value:.3g} ({place}); {counted}."
    status = judge(value, threshold)
    if missing.size and status != "fail":
        message = f"Not computed: Pareto k is NaN in {missing.size:,} rows. Of the others: {message}"
        return row(check_id, "not_computed", None, rule, "model", message)
    return row(check_id, status, value, rule, place, message)


def _parameter_gate(
    check_id: str, label: str, values: FloatArray, numbers: Convergence, mode: PolicyMode
) -> GateResult:
    return worst_row(check_id, label, values, numbers.parameters, numbers.notes, mode)


def _statistic(draws: Draws, name: str) -> FloatArray | str:
    """A sampler statistic as floats, or the reason why it cannot be used."""
    if name not in draws.sampler:
        return f"the sampler statistic {name!r} is missing"
    values = np.asarray(draws.sampler[name], dtype=np.float64)
    if not values.size:
        return f"the sampler statistic {name!r} is empty"
    return values if np.isfinite(values).all() else f"the sampler statistic {name!r} has values that are not finite"
