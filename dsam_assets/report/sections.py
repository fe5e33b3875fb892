"""The report's sections, phrased from `interpretation.json` alone: whoever has the facts gets the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dsam_assets.report.drift_words import drift_table, drift_text
from dsam_assets.report.numbers import between, compact, percent, plain, signed

type Facts = Mapping[str, Any]

STATE = {
    "final": "Every check that applies passes: the numbers below may be used.",
    "provisional": "Some checks do not pass: use the numbers below with the reservations listed here.",
    "blocked": "A gate halts this run: nothing that rests on the fit may be used for a decision.",
}
PATHS = {
    "base": "as the future data say",
    "plan": "the budget plan",
    "plan_minus_base": "plan minus future data",
    "plan_minus_even": "plan minus even spending",
}
NEGLIGIBLE_SHARE = 1e-9
CONVERGED = {
    True: "The chains agree.",
    False: "Convergence was not shown.",
    None: "This is a point estimate: nothing says how sure its numbers are.",
}
UNIT = {"kpi": "KPI units per period", "relative": "as a share of the KPI", "currency": "in money"}


@dataclass(frozen=True)
class TableView:
    """A small table of text; columns named in `numeric` are set flush right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[str, ...] = ()

    @property
    def filled(self) -> TableView:
        """The same without columns that are empty in every row, as those of intervals are for a point estimate."""
        if not self.rows:
            return self
        kept = [index for index in range(len(self.columns)) if any(row[index] for row in self.rows)]
        names = tuple(self.columns[index] for index in kept)
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        return TableView(names, rows, tuple(name for name in self.numeric if name in names))


@dataclass(frozen=True)
class Section:
    """One section of the report.

    Attributes:
        key: anchor.
        title: heading.
        paragraphs: plain text.
        table: a table below the text.
        figures: names of figures, in order; those that were not drawn are left out by the page.
        source: the artefacts that it rests on.
        withheld: why it is kept back; empty when it is shown.
        folded: whether the table is long and waits for a click.
    """

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    table: TableView | None = None
    figures: tuple[str, ...] = ()
    source: str = ""
    withheld: str = ""
    folded: bool = False


def sections(facts: Facts) -> tuple[Section, ...]:
    """The sections of a run, the verdict first; what a gate withholds is a section that says so."""
    withheld = {row["section"]: row["reason"] for row in facts["withheld"]}
    built = [_verdict(facts), _model(facts), _fit(facts)]
    for key, title, build in _DECISIONS:
        if key in withheld:
            built.append(Section(key, title, withheld=withheld[key]))
        elif facts[key] is not None:
            built.append(build(facts, title))
    return (*built, _evidence(), _checks(facts), _caveats(facts))


def lead(facts: Facts) -> str:
    """What the report is about, in a line."""
    model = facts["model"]
    span = f", {model['first_date']} to {model['last_date']}" if model["first_date"] else ""
    return f"{model['response']}{span}, {model['rows']:,} rows"


def _verdict(facts: Facts) -> Section:
    verdict = facts["verdict"]
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in verdict["counts"].items())
    converged = CONVERGED[verdict["converged"]]
    rows = tuple(
        (row["status"].replace("_", " "), row["check"], row["message"], row["advice"]) for row in verdict["findings"]
    )
    table = TableView(("Status", "Check", "What was found", "What to do"), rows) if rows else None
    text = (STATE[verdict["reliability"]], f"Checks: {counts}. {converged} Policy: {verdict['policy_mode']}.")
    extra = tuple(reason for reason in verdict["reasons"] if "waive" in reason.lower())
    return Section("verdict", "Verdict", (*text, *extra), table, source=verdict["source"])


def _model(facts: Facts) -> Section:
    model = facts["model"]
    span = f" from {model['first_date']} to {model['last_date']}" if model["first_date"] else ""
    units = f" in {model['panel_units']} panel units" if model["panel_units"] else ""
    scale = "its logarithm" if model["response_scale"] == "log" else "its own scale"
    how = "a point estimate (MAP)" if model["estimate"] == "point" else "draws from the posterior (MCMC)"
    return Section(
        "model", "What was run",
        (
            f"{model['response']} was modelled on {scale} with {model['rows']:,} rows{span}{units}: class"
            f" {model['class']}, {how}.",
            f"Formula: {' '.join(model['formula'].split())}",
        ),
        source=f"{model['source']}, config.resolved.yaml",
    )  # fmt: skip


def _fit(facts: Facts) -> Section:
    fit, metrics = facts["fit"], facts["fit"]["metrics"]
    parts = [f"R² is {metrics['r2']['value']:.3f}"] if _known(metrics, "r2") else []
    if _known(metrics, "smape"):
        parts.append(f"the mean relative error (sMAPE) is {metrics['smape']['value']:.1%}")
    text = [f"In sample, on the model scale, {' and '.join(parts)}."] if parts else []
    if _known(metrics, "coverage_95"):
        text.append(f"The 95 % predictive intervals hold {metrics['coverage_95']['value']:.1%} of the observed values.")
    text.append(
        f"Log predictive density of left-out rows (PSIS-LOO): {fit['elpd_loo']:.1f} ± {fit['se_elpd_loo']:.1f}."
        if fit["elpd_loo"] is not None
        else f"PSIS-LOO was not computed ({fit['loo_status']})."
    )
    figures = ("fit_timeseries", "ppc", "residuals_timeseries")
    return Section("fit", "Does the model follow the KPI?", tuple(text), figures=figures, source=fit["source"])


def _drift(facts: Facts, title: str) -> Section:
    drift = facts["drift"]
    table = drift_table(drift)
    view = None if table is None else TableView(*table, numeric=table[0][1:-1])
    return Section("drift", title, drift_text(drift), view, ("refresh_drift",), drift["source"])


def _drivers(facts: Facts, title: str) -> Section:
    rows = facts["drivers"]["rows"]
    largest = max(rows, key=lambda row: row["share"] or 0.0)
    media = next((row for row in rows if row["kind"] == "media"), None)
    text = f"The largest part of the fitted KPI is {largest['kind']} ({percent(largest['share'])})."
    if media is not None and media is not largest:
        text += f" Media account for {percent(media['share'])}{_range(media, 'share', percent)}."
    table = TableView(
        ("Driver", "Contribution", "90 % interval", "Share"),
        tuple(
            (row["kind"], compact(row["contribution"]), _range(row, "", compact), percent(row["share"]))
            for row in map(_cleared, rows)
        ),
        ("Contribution", "90 % interval", "Share"),
    )
    figures = ("decomp_waterfall", "decomp_predictor_impact", "decomp_timeseries")
    return Section("drivers", title, (text,), table.filled, figures, facts["drivers"]["source"])


def _cleared(row: Facts) -> Facts:
    """A driver whose parts cancel out, as harmonics do over whole years, without the crumbs of rounding."""
    crumbs = abs(row["share"] or 0.0) < NEGLIGIBLE_SHARE
    return {name: 0.0 if crumbs and isinstance(value, float) else value for name, value in row.items()}


def _channels(facts: Facts, title: str) -> Section:
    channels = facts["channels"]
    metric = str(channels["metric"] or "return").upper()
    rows = channels["rows"]
    weak = [row for row in rows if row["weak"] is not None]
    text = ["Returns are averages over all money spent; the marginal return is that of the next unit."]
    if weak:
        names = ", ".join(str(row["channel"]) for row in weak)
        text.append(f"The data say little about {names}: their numbers lean on the priors.")
    else:
        text.append("The data add to the prior of every channel.")
    table = TableView(
        ("Channel", "Effect", "Share of effect", "Share of spend", metric, "90 % interval", f"Marginal {metric}"),
        tuple(
            (
                str(row["channel"]), compact(row["contribution"]), percent(row["share_of_effect"]),
                percent(row["share_of_spend"]), plain(row["return"]), _range(row, "return", plain),
                plain(row["marginal_return"]),
            )
            for row in rows
        ),
        ("Effect", "Share of effect", "Share of spend", metric, "90 % interval", f"Marginal {metric}"),
    )  # fmt: skip
    figures = ("channel_returns", "prior_posterior", "budget_response_curves", "budget_marginal_roi")
    unit = f" ({channels['metric_unit']})" if channels["metric_unit"] else ""
    return Section("channels", title, (*text, f"{metric}{unit}."), table.filled, figures, channels["source"])


def _plan(facts: Facts, title: str) -> Section:
    plan = facts["plan"]
    unit = UNIT.get(plan["response_unit"], plan["response_unit"])
    change = f"Over the reference, the plan is expected to change the KPI by {signed(plan['delta_kpi_mean'])} {unit}"
    change += f"{_range(plan, 'delta_kpi', signed)}."
    chance = plan["probability_beats_reference"]
    sure = f" It is better in {chance:.0%} of the draws." if chance is not None else ""
    asked = f"Budget per period: {compact(plan['budget_total'])}; scenario {plan['scenario']}"
    text = [
        f"{change}{sure}",
        f"{asked}, objective {plan['target']}, risk {plan['risk']}; found by {plan['method'].replace('_', ' ')}.",
    ]
    text += list(plan["warnings"])
    table = TableView(
        ("Channel", "Reference", "Plan", "Change", "Note"),
        tuple(
            (str(row["channel"]), compact(row["reference"]), compact(row["plan"]), _change(row), _note(row))
            for row in plan["channels"]
        ),
        ("Reference", "Plan", "Change"),
    )
    figures = (
        "budget_spend_share", "budget_impact", "budget_confidence_comparison", "budget_efficient_frontier",
        "budget_scenarios", "budget_sensitivity", "budget_kpi_waterfall",
    )  # fmt: skip
    return Section("plan", title, tuple(text), table, figures, plan["source"])


def _forecast(facts: Facts, title: str) -> Section:
    forecast = facts["forecast"]
    rows = [row for row in forecast["rows"] if row["path"] in PATHS]
    first = rows[0]
    text = (
        f"Expected KPI from {first['first_date']} to {first['last_date']} ({first['periods']} periods), if the"
        " predictors go as the future data say."
    )
    if first["lower"] is not None:
        text += " Totals are summed within each draw."
    table = TableView(
        ("Unit", "Path", "Total", "90 % interval", "Better with probability"),
        tuple(
            (
                str(row["group"]), PATHS[row["path"]], compact(row["total"]), _range(row, "", compact),
                "" if row["probability_positive"] is None else percent(row["probability_positive"]),
            )
            for row in rows
        ),
        ("Total", "90 % interval", "Better with probability"),
    )  # fmt: skip
    return Section("forecast", title, (text,), table.filled, ("forecast", "forecast_paths"), forecast["source"])


def _evidence() -> Section:
    return Section(
        "evidence", "The evidence in pictures", (),
        figures=(
            "vif_bar", "prior_predictive", "media_spend_timeseries", "kpi_media_overlay", "posterior_forest",
            "calibration_ecdf", "loo_pit", "pareto_k", "elpd_influence", "tscv_elpd_by_fold", "residuals_acf",
            "residuals_hist", "boundary_hits", "within_variation", "rank_trace", "energy",
        ),
        source="the CSV files of stages 10, 40 and 50",
    )  # fmt: skip


def _checks(facts: Facts) -> Section:
    verdict = facts["verdict"]
    rows = tuple(
        (row["status"].replace("_", " "), row["check"], plain(row["value"]) if row["value"] is not None else "",
         row["rule"], row["message"])
        for row in verdict["checks"]
    )  # fmt: skip
    table = TableView(("Status", "Check", "Value", "Rule", "What was found"), rows, ("Value",))
    text = f"All {len(rows)} checks with their values and rules; docs/gates.md says what each of them means."
    return Section("checks", "Every check", (text,), table, source=verdict["source"], folded=True)


def _caveats(facts: Facts) -> Section:
    return Section("caveats", "What this report cannot say", tuple(facts["caveats"]))


type _Build = Callable[[Facts, str], Section]
_DECISIONS: tuple[tuple[str, str, _Build], ...] = (
    ("drift", "What changed since the last fit?", _drift),
    ("drivers", "What drives the KPI?", _drivers),
    ("channels", "What do the channels return?", _channels),
    ("plan", "Where should the budget go?", _plan),
    ("forecast", "What comes next?", _forecast),
)


def _known(metrics: Facts, name: str) -> bool:
    return name in metrics and metrics[name]["value"] is not None


def _range(row: Facts, name: str, form: Callable[[float | None], str]) -> str:
    """` (low to high)`, empty for a point estimate."""
    found = between(row, name, form)
    return f" ({found})" if found else ""


def _change(row: Facts) -> str:
    if not row["reference"] or row["plan"] is None:
        return ""
    return f"{row['plan'] / row['reference'] - 1:+.0%}"


def _note(row: Facts) -> str:
    notes = (["at a bound"] if row["at_bound"] else []) + (["beyond the data"] if row["extrapolated"] else [])
    return ", ".join(notes)
