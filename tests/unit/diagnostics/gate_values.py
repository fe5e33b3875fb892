"""Every check's gate with a chosen number: what a check looks at is made so that its metric is exactly that number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
from made_up_draws import healthy_draws, point_estimate

from dsam_assets.config.schema_diagnostics import IdentifiabilitySection
from dsam_assets.data.findings import Finding
from dsam_assets.design.checks import DesignChecks
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics import gates, prefit
from dsam_assets.diagnostics.boundary_hits import boundary_gate, boundary_hits
from dsam_assets.diagnostics.calibration import calibration_gate
from dsam_assets.diagnostics.convergence import Convergence
from dsam_assets.diagnostics.data_checks import DataFacts, data_gates
from dsam_assets.diagnostics.identifiability import identifiability_gate
from dsam_assets.diagnostics.leverage import leverage_gate
from dsam_assets.diagnostics.prior_predictive import CHECK_METRICS, prior_predictive_gates
from dsam_assets.diagnostics.residual_gates import residual_gates
from dsam_assets.diagnostics.within_variation import within_variation_gate
from dsam_assets.fit.draws import Draws
from dsam_assets.verdict import GateResult, PolicyMode

type At = Callable[[float, PolicyMode], GateResult]

CLEAN = DesignChecks("kpi", 100, 3, 0, (), (), (), 3, (), 12.0)
DRAWS = 10_000
FINE = 1e-9  # a step of numbers that are no counts


@dataclass(frozen=True)
class Gate:
    """A gate as a function of its metric.

    Attributes:
        at: the row for this value.
        step: the smallest step that the metric can make here.
        best: the metric's best value, beyond which there is none.
    """

    at: At
    step: float = FINE
    best: float = 0.0


def chains(name: str) -> At:
    """R-hat or an effective sample size: one parameter has the value, another is healthy."""

    def at(value: float, mode: PolicyMode) -> GateResult:
        healthy = {"rhat": np.ones(2), "ess_bulk": np.full(2, 4e3), "ess_tail": np.full(2, 4e3)}
        healthy[name] = np.array([healthy[name][0], value])
        rest = dict.fromkeys(("mean", "sd", "mcse_mean"), np.ones(2))
        numbers = Convergence(("a", "b"), 4, 1000, notes=("", ""), **rest, **healthy)
        gate = {"rhat": gates.rhat_gate, "ess_bulk": gates.ess_bulk_gate, "ess_tail": gates.ess_tail_gate}[name]
        return gate(numbers, mode)

    return at


def share_of_draws(name: str, hit: float, gate: Callable[[Draws, PolicyMode], GateResult]) -> At:
    """A share of draws with this sampler statistic."""

    def at(value: float, mode: PolicyMode) -> GateResult:
        values = np.zeros((2, DRAWS // 2))
        values.flat[: round(value * DRAWS)] = hit
        draws = healthy_draws(2, 4)
        return gate(replace(draws, sampler={**draws.sampler, name: values}), mode)

    return at


def energy(value: float, mode: PolicyMode) -> GateResult:
    """An energy with two levels, as long on each: its E-BFMI is four times the share of draws at which it changes."""
    switches, half = round(value * DRAWS), 2 * DRAWS
    runs = np.full(switches + 1, 1)
    runs[0] += half - runs[::2].sum()
    runs[1] += half - runs[1::2].sum()
    levels = np.repeat(np.arange(switches + 1) % 2, runs) * 2.0
    draws = healthy_draws(2, 4)
    other = np.resize([0.0, 2.0], levels.size)
    return gates.ebfmi_gate(replace(draws, sampler={"energy": np.stack([other, levels])}), mode)


def design(gate: Callable[[DesignChecks, PolicyMode], GateResult], changed: Callable[[float], dict[str, object]]) -> At:
    return lambda value, mode: gate(replace(CLEAN, **changed(value)), mode)  # type: ignore[arg-type]


def names(value: float) -> tuple[str, ...]:
    return tuple(f"x{j}" for j in range(round(value)))


def findings(value: float) -> dict[str, object]:
    return {"findings": tuple(Finding("kind", name, 0.0, 1.0, "Something weak.") for name in names(value))}


def residuals(position: int, column: str) -> At:
    """Ljung–Box (0) or the ACF (1) of a single series."""

    def at(value: float, mode: PolicyMode) -> GateResult:
        table = pd.DataFrame({"lag": range(1, 11), "acf": 0.0, "lb_p": 0.9, "lb_p_holm": np.nan})
        table = table.assign(group="all", state="ok", note="", n=100)
        table.loc[9, "lb_p_holm"] = 0.9
        table.loc[9 if column == "lb_p_holm" else 3, column] = value
        return residual_gates(table, mode)[position]

    return at


def boundary(value: float, mode: PolicyMode) -> GateResult:
    """This share of the draws at a bound, the others far from it."""
    sample = np.full(DRAWS, 100.0)
    sample[: round(value * DRAWS)] = 0.0
    sample[-1] = 101.0  # so that it varies without any at the bound
    draws = Draws(("x",), sample.reshape(2, -1, 1), np.ones((2, DRAWS // 2)), {}, 10, {})
    bounds = pd.DataFrame({"parameter": ["x"], "lower": [0.0], "upper": [np.inf]})
    return boundary_gate(boundary_hits(draws, bounds, mode), mode)


def within(value: float, mode: PolicyMode) -> GateResult:
    table = pd.DataFrame({"term": ["x", "z"], "grouping": "market", "ratio": [value, 0.9], "status": "pass"})
    return within_variation_gate(table, mode)


def identifiability(value: float, mode: PolicyMode) -> GateResult:
    section = IdentifiabilitySection(media_terms=("m",), baseline_terms=("b",))
    table = pd.DataFrame({"media": ["m"], "baseline": "b", "correlation": -value, "abs_correlation": value})
    return identifiability_gate(table, ("m", "b"), section, mode)


def leverage(value: float, mode: PolicyMode) -> GateResult:
    return leverage_gate(pd.DataFrame([{"row": j, "columns": "x"} for j in range(round(value))]), mode)


def calibration(value: float, mode: PolicyMode) -> GateResult:
    summary = {
        "status": "ok", "reason": "", "diagnosis": "biased", "meaning": "off", "p_value": value, "n_rows": 100,
        "largest_ecdf_difference": 0.2, "largest_coverage_error": 0.2, "n_scored": 100,
    }  # fmt: skip
    return calibration_gate({"calibration_summary": pd.DataFrame([summary])}, mode)


def prior(check_id: str) -> At:
    position = list(CHECK_METRICS).index(check_id)

    def at(value: float, mode: PolicyMode) -> GateResult:
        metrics = {"inside_low": 0.0, "inside_high": 1.0, "sd_ratio": 2.0, CHECK_METRICS[check_id]: value}
        summary = pd.DataFrame({"metric": list(metrics), "value": list(metrics.values())})
        return prior_predictive_gates(summary, mode)[position]

    return at


def data(check_id: str, changed: Callable[[int], dict[str, object]]) -> At:
    """The gate of the data with this id, for 200 weeks in which that many things are wrong."""

    def at(value: float, mode: PolicyMode) -> GateResult:
        found = {row.check_id: row for row in data_gates(data_facts(**changed(round(value))), mode)}
        return found[check_id]

    return at


def data_facts(weeks: int = 200, off: int = 0, gaps: int = 0, idle: int = 0, words: int = 0) -> DataFacts:
    """Weekly data with rows on a Tuesday, weeks left out, spend without exposure, and words for missing values."""
    kept = np.delete(np.arange(weeks + gaps), [2 * j + 1 for j in range(gaps)])
    dates = np.datetime64("2021-01-04", "ns") + (7 * kept + (np.arange(weeks) < off)).astype("timedelta64[D]")
    media = np.ones(weeks)
    media[:idle] = 0.0
    notes = ["N/A"] * words + ["fine"] * (weeks - words)
    frame = pd.DataFrame({"date": dates, "spend": 1.0, "m": media, "note": pd.Series(notes, dtype=object)})
    rows = np.arange(weeks)
    matrix = ModelMatrix(("m",), media[:, np.newaxis], np.ones(weeks), np.zeros(weeks), "kpi", "identity", rows, {})
    labels = pd.DataFrame({"row": rows, "date": dates})
    return DataFacts(matrix, CLEAN, frame, labels, (SimpleNamespace(term="m", spend_col="spend"),), set(frame.columns))


def rows_per_coefficient(value: float, mode: PolicyMode) -> GateResult:
    checks = replace(CLEAN, n_rows=round(16 * value), n_terms=16)
    return data_gates(replace(data_facts(), checks=checks), mode)[0]


GATES: Mapping[str, Gate] = {
    "pre_response_finite": Gate(design(prefit.response_gate, lambda v: {"non_finite_response": round(v)}), 1),
    "pre_design_constants_duplicates": Gate(design(prefit.redundant_columns_gate, lambda v: {"constant": names(v)}), 1),
    "pre_design_rank_deficit": Gate(design(prefit.rank_gate, lambda v: {"dependent": names(v)}), 1),
    "pre_design_condition_number": Gate(design(prefit.condition_gate, lambda v: {"condition_number": v})),
    "pre_identification": Gate(design(prefit.findings_gate, findings), 1),
    "sampler_rhat_max": Gate(chains("rhat")),
    "sampler_ess_bulk_min": Gate(chains("ess_bulk")),
    "sampler_ess_tail_min": Gate(chains("ess_tail")),
    "sampler_divergences": Gate(share_of_draws("diverging", 1, gates.divergence_gate), 1 / DRAWS),
    "sampler_treedepth_frac": Gate(share_of_draws("tree_depth", 10, gates.treedepth_gate), 1 / DRAWS),
    "sampler_ebfmi_min": Gate(energy, 1 / DRAWS),
    "optimiser_converged": Gate(lambda v, mode: gates.optimiser_gate(point_estimate(round(v)), mode), 1, 1),
    "calibration_loo_pit": Gate(calibration),
    "resid_ljung_box_p": Gate(residuals(0, "lb_p_holm")),
    "resid_acf_max": Gate(residuals(1, "acf")),
    "boundary_hit_fraction": Gate(boundary, 1 / DRAWS),
    "within_var_ratio": Gate(within),
    "pre_identifiability_baseline_media_corr": Gate(identifiability),
    "loo_leverage_one": Gate(leverage, 1),
    **{check_id: Gate(prior(check_id)) for check_id in CHECK_METRICS},
    "pre_weeks_per_parameter": Gate(rows_per_coefficient, 1 / 16),
    "pre_weeks_of_data": Gate(data("pre_weeks_of_data", lambda v: {"weeks": v}), 1),
    "pre_spend_without_exposure": Gate(data("pre_spend_without_exposure", lambda v: {"idle": v}), 1),
    "pre_literal_missing": Gate(data("pre_literal_missing", lambda v: {"words": v}), 1),
    "pre_week_anchor": Gate(data("pre_week_anchor", lambda v: {"off": v}), 1),
    "pre_week_gaps": Gate(data("pre_week_gaps", lambda v: {"gaps": v}), 1),
}
