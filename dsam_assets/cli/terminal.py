"""What a run looks like on a terminal. Words only: every number comes from the run's result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dsam_assets.cli.side_results import side_results
from dsam_assets.cli.words import COLOURS, MARKS, count, joined, paint, sentence, shown_path, wrapped

if TYPE_CHECKING:
    from dsam_assets.cli.progress import StepLines
    from dsam_assets.cli.validating import Validation
    from dsam_assets.config.schema import Config
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.running import RunResult
    from dsam_assets.verdict import GateResult

VERBS = {"warn": "warns", "fail": "fails", "not_computed": "was not computed"}
# Files that a reader opens first, as far as the run has them.
PAGE = "report.html"
READ_FIRST = (
    PAGE, "diagnostics_summary.txt", "budget_allocation.csv", "posterior_summary.csv", "optimisation_best.csv",
    "group_coefficients.csv", "transform_sensitivity_summary.csv",
)  # fmt: skip
CLASSES = {
    "blm": "one set of coefficients (blm)",
    "re": "panel with random effects (re)",
    "cre": "panel with correlated random effects (cre)",
    "pooled": "coefficients pooled by labels (pooled)",
}


def summary(result: RunResult, handler: StepLines) -> str:
    """The end of a run: steps, verdict, plan, where things are, what to do next."""
    handler.finish()
    steps = f"{count(len(handler.computed), 'step')} computed, {len(handler.reused)} reused"
    head = f"Run {result.status}\n{steps}, {result.seconds:.1f} s in all"
    story = (_model(result), _verdict(result), side_results(result.facts), _plan(result), _places(result))
    return "\n" + "\n\n".join(part for part in (head, *story) if part)


def _model(result: RunResult) -> str:
    design, fit = result.facts["design_matrix"], result.facts["fit_metrics"]
    facts = [CLASSES[design["model_class"]], count(design["rows"], "row"), count(design["terms"], "coefficient")]
    if fit["groups"]:
        facts.append(count(fit["groups"], "panel unit"))
    text = f"Model: {', '.join(facts)}; in-sample R² {fit['r2']:.3f} on the model scale"
    return "\n".join([wrapped(text, "", "  "), *python_lines(design.get("python", ()))])


def python_lines(pieces: Sequence[str]) -> list[str]:
    """That the formula runs Python, and which."""
    if not pieces:
        return []
    text = f"UNSAFE FORMULA: it runs Python that nobody checks: {'; '.join(pieces)} (security.allow_unsafe_formula)"
    return [f"  {paint(MARKS['warn'], COLOURS['warn'])} {wrapped(text, '    ').lstrip()}"]


def _verdict(result: RunResult) -> str:
    report = result.report
    counts = Counter[str](row.status for row in report.results)
    counted = ", ".join(f"{counts[status]} {status.replace('_', ' ')}" for status in MARKS if counts[status])
    waived = sum(row.waived is not None for row in report.results)
    counted += f"; {_waived_words(waived)}" if waived else ""
    head = f"Verdict: {paint(report.overall.upper(), COLOURS[report.overall])} ({counted})"
    return "\n".join([head, wrapped(reliability_sentence(result)), *gate_lines(report.results), *_idle_waivers(report)])


def _waived_words(number: int) -> str:
    return "1 warning is a waived failure" if number == 1 else f"{number} warnings are waived failures"


def reliability_sentence(result: RunResult) -> str:
    """Whether the results are final, and if not, why."""
    report = result.report
    if report.reliability == "final":
        return "The results are final: every check that applies passes."
    because = [_because(row) for row in report.results if row.status in VERBS]
    if not report.is_point:
        reasons = joined(because) if because else " ".join(report.reasons)
        return f"The results are {report.reliability} because {reasons.rstrip('.')}."
    from dsam_assets.diagnostics.report import POINT_ESTIMATE

    if not because:
        return f"The results are {report.reliability}: {POINT_ESTIMATE}."
    return f"The results are {report.reliability} because {joined(because)}. {sentence(POINT_ESTIMATE)}"


def _because(row: GateResult) -> str:
    waived = "" if row.waived is None else f" (waived by {row.waived.by} until {row.waived.until})"
    return f"{row.check_id} {VERBS[row.judged_status]}{waived}"


def _idle_waivers(report: DiagnosticsReport) -> list[str]:
    """Waivers that did nothing; those that did stand with their checks."""
    return [
        f"  {wrapped(f'waiver {each.line()}', '    ').lstrip()}" for each in report.waivers if each.state != "applied"
    ]


def gate_lines(rows: Sequence[GateResult]) -> list[str]:
    """Message and advice of the checks that do not pass."""
    lines = []
    for row in rows:
        if row.status in VERBS:
            mark = paint(MARKS[row.status], COLOURS[row.status])
            lines.append(f"  {mark} {wrapped(f'{row.check_id}: {row.message}', '    ').lstrip()}")
            lines += [wrapped(row.advice, "      ")] if row.advice else []
    return lines


def _plan(result: RunResult) -> str:
    if result.status == "halted":
        reason = wrapped(result.halted_by.partition("\n")[0])  # what it was, and what to do, stands with the checks
        return paint(reason, COLOURS["fail"]) + "\nNo budget plan is given."
    if result.plan.empty:
        return ""
    from dsam_assets.cli.plan_words import plan_lines

    head = f"Budget plan ({result.report.reliability}), spend per period"
    return "\n".join([head, *plan_lines(result.plan, result.tables)])


def _places(result: RunResult) -> str:
    """Where things are, what to read first, and the next command."""
    folder = shown_path(result.path)
    found = {path.name: path.relative_to(result.path) for path in result.path.rglob("*") if path.name in READ_FIRST}
    names = [str(found[name]) for name in READ_FIRST if name in found] or ["run_manifest.json"]
    lines = [f"Run folder: {folder} ({count(result.files, 'file')}); read first", *(f"  {name}" for name in names)]
    lines += ["For intervals and probabilities set fit.method: mcmc"] if result.report.is_point else []
    return "\n".join([*lines, *([f"Next: dsam report {folder} --open"] if PAGE in found else [])])


def validation_summary(validation: Validation, path: Path) -> str:
    """What a valid config amounts to, what to look at, and what to do next."""
    from dsam_assets.config.slices import formula_slice
    from dsam_assets.design.unsafe import formula_python

    checked = validation.checked
    config, matrix = checked.loaded.config, checked.design.matrix
    facts = [
        ("model", f"{config.model.type}, {matrix.response_name} on the {matrix.response_scale} scale"),
        (
            "data",
            f"{shown_path(Path(config.data.path))}, {count(len(checked.dataset.frame), 'row')}{_period(validation)}",
        ),
        ("design", f"{count(matrix.values.shape[0], 'row')}, {count(matrix.values.shape[1], 'coefficient')}"),
        *_groups(matrix),
        ("fit", _fit(config)),
    ]
    if matrix.dropped:
        dropped = ", ".join(f"{name} ({number:,})" for name, number in matrix.dropped.items())
        facts.append(("dropped", f"rows with missing values in {dropped}"))
    if config.allocation.enabled and config.allocation.budget.total is not None:
        channels = count(len(config.allocation.channels), "channel")
        facts.append(("budget", f"{config.allocation.budget.total:,.0f} over {channels}"))
    if checked.future is not None:
        periods, rows = count(int(checked.future.ahead.max()), "period"), count(len(checked.future.ahead), "row")
        facts.append(("forecast", f"{periods} ahead, {rows}"))
    lines = [f"{path} is valid", *(wrapped(text, f"  {name:<9}", " " * 11) for name, text in facts)]
    if validation.run_dir is not None:
        lines.append(wrapped(f"{shown_path(validation.run_dir)} (the run's metadata)", f"  {'wrote':<9}", " " * 11))
    lines += [*python_lines(formula_python(formula_slice(config))), *gate_lines(checked.gates)]
    return "\n".join([*lines, "Status: ok", f"Next: dsam run --config {path}"])


def _groups(matrix: ModelMatrix) -> Iterator[tuple[str, str]]:
    """How the data are grouped: a panel's units, or the labels that share coefficients."""
    if matrix.groups:
        sizes = {group.key: len(group.levels) for group in matrix.groups}
        yield "panel", ", ".join(f"{number:,} of {key}" for key, number in sizes.items())
    if matrix.pooling is not None:
        pooling = matrix.pooling
        variables = count(len(pooling.variables), "variable")
        yield "pooled", f"{variables} share coefficients by {joined(pooling.grouping_vars)}"


def _fit(config: Config) -> str:
    if config.fit.method == "mcmc":
        chains, kept = config.fit.mcmc.chains, config.fit.mcmc.iter - config.fit.mcmc.warmup
        return f"{count(chains, 'chain')} of {count(kept // config.fit.mcmc.thin, 'draw')}"
    from dsam_assets.diagnostics.report import POINT_ESTIMATE

    starts, sensitivity = count(config.fit.optimise.n_runs, "start"), config.transforms.sensitivity
    more = f"; {count(len(sensitivity.scenarios), 'alternative formula')}" if sensitivity.enabled else ""
    return f"{POINT_ESTIMATE}, {starts}{more}"


def _period(validation: Validation) -> str:
    dataset = validation.checked.dataset
    if dataset.date_var is None:
        return ""
    dates = dataset.frame[dataset.date_var]
    return f", {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}"
