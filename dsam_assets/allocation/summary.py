"""An allocation as tables. `columns.COLUMNS` says what each column means and in which unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.allocation.allocate import Allocation
from dsam_assets.allocation.channel_response import joint_marginal, joint_response, responses_at
from dsam_assets.allocation.columns import COLUMNS
from dsam_assets.allocation.comparison import confidence_rows, share_rows
from dsam_assets.allocation.efficiency import metric_value, metric_words, roi_cpa_rows
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.rows import LOWER, UPPER, budget_table, estimate, finite
from dsam_assets.allocation.waterfall import waterfall_rows
from dsam_assets.scales import FloatArray


def allocation_tables(allocation: Allocation, evidence: pd.DataFrame | None = None) -> Mapping[str, pd.DataFrame]:
    """Every allocation table by artefact name, with the columns and dtypes of `COLUMNS`.

    Args:
        allocation: the plan.
        evidence: `contraction`, `boundary_share`, `max_baseline_corr`, `weak` and `why` by model term; unknown without.
    """
    builders: Mapping[str, Callable[[Allocation], Mapping[str, Any]]] = {
        "budget_summary": summary_rows,
        "budget_allocation": lambda found: {**allocation_rows(found), **_evidence(found, evidence)},
        "budget_diagnostics": diagnostics_rows,
        "budget_roi_cpa": _efficiency_rows,
        "budget_impact": impact_rows,
        "budget_kpi_waterfall": waterfall_rows,
        "budget_confidence_comparison": confidence_rows,
        "budget_spend_share": share_rows,
    }
    return {name: budget_table(name, build(allocation)) for name, build in builders.items()}


def _spends(problem: Problem, spend: FloatArray) -> dict[str, FloatArray]:
    """Spend columns per channel, in spend units and in money."""
    rates = problem.money_rates
    return {
        "spend_reference": problem.reference,
        "spend_optimised": spend,
        "delta_spend": spend - problem.reference,
        "spend_reference_currency": rates * problem.reference,
        "spend_optimised_currency": rates * spend,
        "delta_spend_currency": rates * (spend - problem.reference),
    }


def summary_rows(allocation: Allocation) -> Mapping[str, Any]:
    """One row: the question, the answer and the state of the evidence."""
    problem, evidence = allocation.problem, allocation.certificate
    outcome = allocation.outcome
    worst = "warn" if any(check.status in ("warn", "not_computed") for check in allocation.checks) else "pass"
    profit = np.full_like(outcome.kpi, np.nan)
    if problem.value_per_kpi is not None and not problem.relative:
        profit = problem.value_per_kpi * outcome.kpi - outcome.spend
    return {
        "scenario": [problem.scenario],
        "target": problem.target,
        "risk": problem.risk,
        "risk_parameter": {"mean_minus_sd": problem.risk_lambda, "quantile": problem.risk_quantile}.get(
            problem.risk, np.nan
        ),
        "target_value": np.nan if problem.target_value is None else problem.target_value,
        "method": allocation.method,
        "concave": evidence.concave,
        "n_channels": len(problem.channels),
        "n_draws": len(problem.coefficients),
        "n_candidates": problem.n_candidates,
        "seed": problem.seed,
        "budget_total": problem.total,
        **{key: [float(column.sum())] for key, column in _spends(problem, allocation.best_spend).items()},
        "score": allocation.score,
        "objective_unit": problem.objective_unit,
        **estimate(outcome.kpi[:, None], "delta_kpi"),
        "delta_kpi_p50": float(np.median(outcome.kpi)),
        "response_unit": problem.response_unit,
        **estimate(profit[:, None], "delta_profit"),
        **_metrics(allocation),
        "probability_beats_reference": evidence.probability_beats_reference,
        "probability_beats_split": evidence.probability_beats_split,
        "gain_over_split": evidence.gain_over_split,
        "shadow_price": evidence.shadow_price,
        "kkt_gap_share": evidence.kkt_gap_share,
        "optimality_gap_share": evidence.optimality_gap_share,
        "candidate_regret_share": evidence.candidate_regret_share,
        "n_extrapolated": sum(bool(flag) for flag in evidence.extrapolated),
        "status": worst,
    }


def _metrics(allocation: Allocation) -> dict[str, Any]:
    """ROI or CPA of all channels together, against no spend."""
    problem, plan = allocation.problem, allocation.best_spend
    metric, unit = metric_words(problem)
    values = {
        f"metric_{when}": float(
            metric_value(problem, joint_response(problem, spend).mean(keepdims=True), problem.money_rates @ spend)[0]
        )
        for when, spend in (("reference", problem.reference), ("optimised", plan))
    }
    return {"metric": metric, "metric_unit": unit, **values}


def allocation_rows(allocation: Allocation) -> Mapping[str, Any]:
    """One row per channel: spends, responses, efficiency and marginals."""
    problem, evidence, spend = allocation.problem, allocation.certificate, allocation.best_spend
    before, after = responses_at(problem, problem.reference), responses_at(problem, spend)
    spends = _spends(problem, spend)
    metric, unit = metric_words(problem)
    total = float(problem.reference.sum())
    return {
        "channel": list(problem.names),
        "term": [channel.term for channel in problem.channels],
        "unit": [channel.unit for channel in problem.channels],
        **spends,
        "spend_min": problem.lower,
        "spend_max": problem.upper,
        "at_lower": evidence.at_lower,
        "at_upper": evidence.at_upper,
        "share_reference": problem.reference / total if total > 0.0 else np.full_like(spend, np.nan),
        "share_optimised": spend / problem.total,
        **estimate(before, "response_reference"),
        **estimate(after, "response_optimised"),
        **estimate(after - before, "delta_response"),
        "response_unit": problem.response_unit,
        "metric": metric,
        "metric_unit": unit,
        "metric_reference": metric_value(problem, before.mean(axis=0), spends["spend_reference_currency"]),
        "metric_optimised": metric_value(problem, after.mean(axis=0), spends["spend_optimised_currency"]),
        "marginal_response_reference": finite(joint_marginal(problem, problem.reference)),
        "marginal_response_optimised": finite(joint_marginal(problem, spend)),
        "marginal_score": finite(evidence.marginals),
        "observed_max_spend": problem.observed_max,
        "extrapolated": evidence.extrapolated,
    }


def _evidence(allocation: Allocation, evidence: pd.DataFrame | None) -> Mapping[str, Any]:
    """What the data say about each channel, and whether it was held for that."""
    channels = allocation.problem.channels
    numbers, held = ("contraction", "boundary_share", "max_baseline_corr"), [bool(channel.held) for channel in channels]
    if evidence is None:
        return {**dict.fromkeys(numbers, np.nan), "evidence": "unknown", "evidence_why": "", "held": held}
    known = evidence.loc[[channel.term for channel in channels]]
    return {
        **{name: known[name].to_numpy() for name in numbers},
        "evidence": np.where(known["weak"], "weak", "ok"),
        "evidence_why": known["why"].to_numpy(),
        "held": held,
    }


def diagnostics_rows(allocation: Allocation) -> Mapping[str, Any]:
    """The judged certificate, then where each start led, then the random audit's scores."""
    unit, evidence = allocation.judged.objective_unit, allocation.certificate
    judged = [
        ("certificate", check.name, "plan", check.value, "", check.threshold, check.status, check.message)
        for check in allocation.checks
    ]
    plain = ("", "", "")
    further = [
        ("certificate", "shadow_price", "plan", evidence.shadow_price, f"{unit} per spend", *plain),
        ("certificate", "gain_over_split", "plan", evidence.gain_over_split, unit, *plain),
        ("certificate", "candidate_regret", "plan", evidence.candidate_regret, unit, *plain),
        ("certificate", "kkt_gap", "plan", evidence.kkt_gap, f"{unit} per spend", *plain),
    ]
    starts = [("start", "score_reached", climb.name, climb.score, unit, *plain) for climb in allocation.climbs]
    scores = allocation.candidate_scores
    audit = [
        ("candidates", "count", "candidates", float(len(scores)), "", *plain),
        *(
            ("candidates", f"score_{name}", "candidates", float(np.quantile(scores, level)), unit, *plain)
            for name, level in (("worst", 0.0), ("p50", 0.5), ("p95", 0.95), ("best", 1.0))
        ),
    ]
    names = [column.name for column in COLUMNS["budget_diagnostics"]]
    return dict(zip(names, map(list, zip(*judged, *further, *starts, *audit, strict=True)), strict=True))


def _efficiency_rows(allocation: Allocation) -> Mapping[str, Any]:
    return roi_cpa_rows(allocation.problem, _spends(allocation.problem, allocation.best_spend), (LOWER, UPPER))


def impact_rows(allocation: Allocation) -> Mapping[str, Any]:
    """The KPI change channel by channel; under a log response an interaction row makes the rows add up to the total."""
    problem, total = allocation.problem, allocation.outcome.kpi
    single = responses_at(problem, allocation.best_spend) - responses_at(problem, problem.reference)
    spends = np.stack(list(_spends(problem, allocation.best_spend).values()))
    names, kinds = list(problem.names), ["channel"] * len(problem.names)
    draws = [single]
    if problem.response_scale == "log":
        names, kinds = [*names, "INTERACTION"], [*kinds, "interaction"]
        draws.append((total - single.sum(axis=1))[:, None])
        spends = np.column_stack([spends, np.zeros(len(spends))])
    columns = np.column_stack([spends, spends.sum(axis=1)])
    return {
        "channel": [*names, "TOTAL"],
        "kind": [*kinds, "total"],
        **dict(zip(_spends(problem, allocation.best_spend), columns, strict=True)),
        **estimate(np.column_stack([*draws, total]), "delta_response"),
        "response_unit": problem.response_unit,
    }
