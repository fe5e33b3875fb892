"""What a run looks like on a terminal. Words only: every number comes from the run's result."""

from __future__ import annotations

import logging
import math
import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.cli.validating import Validation
    from dsam_assets.running import RunResult
    from dsam_assets.verdict import GateResult

COLOURS = {"pass": "32", "warn": "33", "fail": "31", "not_computed": "31", "skipped": "2"}
MARKS = {"pass": "✓", "warn": "!", "fail": "✗", "not_computed": "?", "skipped": "–"}
VERBS = {"warn": "warns", "fail": "fails", "not_computed": "was not computed"}
STEP_WIDTH, CHANNEL_WIDTH = 24, 24
NARROWEST, WIDEST = 40, 100
SAME_BUDGET = 0.005  # totals that differ by less than this share count as one
# Files that a reader opens first, as far as the run has them.
REPORTS = ("diagnostics_summary.txt", "budget_allocation.csv", "posterior_summary.csv")
_LABELLED = re.compile(r"  (where|got|wanted|do this): +")


def paint(text: str, code: str, stream: TextIO | None = None) -> str:
    """Colour on terminals only."""
    return f"\033[{code}m{text}\033[0m" if (stream or sys.stdout).isatty() else text


def width() -> int:
    """Columns to fill: the terminal's, within reason."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, NARROWEST), WIDEST)


def wrapped(text: str, first: str = "", rest: str | None = None) -> str:
    """Text in lines that fit; words such as paths are never broken."""
    return "\n".join(
        textwrap.wrap(
            text, width(), initial_indent=first, subsequent_indent=first if rest is None else rest,
            break_long_words=False, break_on_hyphens=False,
        )
    )  # fmt: skip


def message(text: str) -> str:
    """An error's message with its sentence and its labelled lines wrapped; indented lines are left alone."""
    lines = []
    for line in text.splitlines():
        label = _LABELLED.match(line)
        if label and len(line) > width():
            lines.append(wrapped(line[label.end() :], label.group(), " " * label.end()))
        else:
            lines.append(line if line.startswith(" ") else wrapped(line, "", "  "))
    return "\n".join(lines)


def count(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class StepLines(logging.Handler):
    """Prints one line per computed step; reused steps share a line. Without a stream it only keeps the names."""

    def __init__(self, stream: TextIO | None, *, forced: bool = False) -> None:
        super().__init__(logging.INFO)
        self.stream = stream
        self.forced = forced
        self.computed: list[str] = []
        self.reused: list[str] = []
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        event, asset = record.getMessage(), getattr(record, "asset", "")
        # Config and data file are read in every run; that they say the same as before is no news unless all is forced.
        if event == "reused" or (event == "unchanged" and not self.forced):
            self.reused.append(asset)
            self._waiting.append(asset)
        elif event in ("computed", "unchanged"):
            self.flush_reused()
            self.computed.append(asset)
            same = ", same result as before" if event == "unchanged" else ""
            self._print(f"  {asset:<{STEP_WIDTH}} {getattr(record, 'seconds', 0.0):7.2f} s{same}")
        elif event != "started":
            self._print(wrapped(event, "  ", "    "))

    def flush_reused(self) -> None:
        """Print the reused steps since the last line, if any."""
        if self._waiting:
            text = wrapped(f"reused, inputs unchanged: {', '.join(self._waiting)}", "  ", "    ")
            self._waiting.clear()
            if self.stream is not None:
                self._print(paint(text, "2", self.stream))

    def _print(self, text: str) -> None:
        if self.stream is None:
            return
        try:
            print(text, file=self.stream, flush=True)
        except BrokenPipeError:
            self.stream = None  # the reader has gone; the run goes on


def listen(stream: TextIO | None, *, forced: bool = False) -> StepLines:
    """Follow the graph's steps and Stan's compiling; prints them unless there is no stream."""
    handler = StepLines(stream, forced=forced)
    for name in ("dsam.progress", "dsam.stan"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return handler


def summary(result: RunResult, handler: StepLines) -> str:
    """The end of a run: steps, verdict, plan, where things are, what to do next."""
    handler.flush_reused()
    steps = f"{count(len(handler.computed), 'step')} computed, {len(handler.reused)} reused"
    parts = [f"{steps}, {result.seconds:.1f} s in all", _verdict(result), _plan(result), _places(result)]
    return "\n" + "\n\n".join(part for part in parts if part)


def _verdict(result: RunResult) -> str:
    report = result.report
    counts = Counter[str](row.status for row in report.results)
    counted = ", ".join(f"{counts[status]} {status.replace('_', ' ')}" for status in MARKS if counts[status])
    head = f"Verdict: {paint(report.overall.upper(), COLOURS[report.overall])} ({counted})"
    return "\n".join([head, wrapped(reliability_sentence(result)), *gate_lines(report.results)])


def reliability_sentence(result: RunResult) -> str:
    """Whether the results are final, and if not, why."""
    report = result.report
    if report.reliability == "final":
        return "The results are final: every check that applies passes."
    because = [f"{row.check_id} {VERBS[row.status]}" for row in report.results if row.status in VERBS]
    if report.converged is None:
        because.append("convergence checks do not apply to this fit")
    reasons = joined(because) if because else " ".join(report.reasons)
    return f"The results are {report.reliability} because {reasons.rstrip('.')}."


def joined(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(items[:-1]), items[-1]) if part)


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
    head = f"Budget plan ({result.report.reliability}), spend per period"
    return "\n".join(
        [head, plan_table(result.plan), "", expected_change(result.tables), *_plan_warnings(result.tables)]
    )


def plan_table(plan: pd.DataFrame) -> str:
    """Reference and recommended spend by channel, and their sums."""
    records: list[dict[Any, Any]] = plan.to_dict("records")
    rows = [(row["channel"], row["spend_reference"], row["spend_optimised"], _limit(row)) for row in records]
    rows.append(("all channels", plan["spend_reference"].sum(), plan["spend_optimised"].sum(), ""))
    name_width = min(max(len(row[0]) for row in rows), CHANNEL_WIDTH)
    decimals = _decimals(max(abs(spend) for row in rows for spend in row[1:3]), 4)
    lines = [f"  {'channel':<{name_width}} {'reference':>14} {'plan':>14} {'change':>8}"]
    for name, reference, planned, limit in rows:
        change = f"{planned / reference - 1:+.0%}" if reference else "new" if planned else "none"
        spends = f"{reference:>14,.{decimals}f} {planned:>14,.{decimals}f} {change:>8}"
        lines.append(f"  {_short(name, name_width):<{name_width}} {spends}{limit}")
    return "\n".join(lines)


def _decimals(largest: float, digits: int) -> int:
    """Decimals that show the largest number with so many digits: spend may be counted in millions or thousandths."""
    return min(max(digits - 1 - math.floor(math.log10(largest)), 0), 9) if largest > 0 else 0


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _limit(row: dict[Any, Any]) -> str:
    return "  minimum" if row["at_lower"] else "  maximum" if row["at_upper"] else ""


def expected_change(tables: Any) -> str:
    """What the plan is expected to bring over the reference, with its uncertainty."""
    row = tables["budget_summary"].iloc[0]
    relative, quantity, unit = row["response_unit"] == "relative", "delta_kpi", " KPI units"
    if row["target"] == "profit":
        quantity, unit = "delta_profit", " profit"
    decimals = _decimals(max(abs(float(row[f"{quantity}_{part}"])) for part in ("mean", "lower", "upper")), 3)
    form, unit = ("{:+.1%}", " of the KPI") if relative else (f"{{:+,.{decimals}f}}", unit)
    mean, low, high = (form.format(row[f"{quantity}_{part}"]) for part in ("mean", "lower", "upper"))
    text = f"Expected change over the reference: {mean}{unit} per period (90% interval {low} to {high}"
    chance = float(row["probability_beats_reference"])
    text += f"; better with probability {chance:.0%})." if chance == chance else ")."
    return wrapped(text + _same_budget(row), "  ")


def _same_budget(row: Any) -> str:
    """A plan that spends more or less than the reference is compared at its own budget as well."""
    reference, planned = row["spend_reference"], row["spend_optimised"]
    gain, chance = float(row["gain_over_split"]), float(row["probability_beats_split"])
    if abs(planned - reference) <= SAME_BUDGET * planned or gain != gain:
        return ""
    unit = {"currency": "currency units", "relative": "of the KPI"}.get(row["objective_unit"], "KPI units")
    amount = f"{gain:+.1%}" if row["objective_unit"] == "relative" else f"{gain:+,.0f}"
    split = f" The plan spends {planned / reference - 1:+.0%}" if reference else " The reference spends nothing"
    beats = f"{amount} {unit} (better with probability {chance:.0%})"
    return f"{split}; over the reference's split of the same budget: {beats}."


def _plan_warnings(tables: Any) -> list[str]:
    from dsam_assets.allocation.plan import CAVEAT

    rows = tables["budget_diagnostics"]
    messages = dict.fromkeys(rows.loc[rows["status"].isin(["warn", "fail", "not_computed"]), "message"])
    mark = paint(MARKS["warn"], COLOURS["warn"])
    return [*(f"  {mark} {wrapped(text, '    ').lstrip()}" for text in messages), paint(wrapped(CAVEAT, "  "), "2")]


def _places(result: RunResult) -> str:
    folder = shown_path(result.path)
    found = {path.name: path.relative_to(result.path) for path in result.path.rglob("*") if path.name in REPORTS}
    names = [str(found[name]) for name in REPORTS if name in found] or ["run_manifest.json"]
    head = f"Run folder: {folder} ({count(result.files, 'file')})"
    return "\n".join([head, "Next: read in it", *(f"  {name}" for name in names)])


def validation_summary(validation: Validation, path: Path) -> str:
    """What a valid config amounts to, what to look at, and what to do next."""
    checked = validation.checked
    config, matrix = checked.loaded.config, checked.design.matrix
    facts = [
        ("model", f"{config.model.type}, {matrix.response_name} on the {matrix.response_scale} scale"),
        (
            "data",
            f"{shown_path(Path(config.data.path))}, {count(len(checked.dataset.frame), 'row')}{_period(validation)}",
        ),
        ("design", f"{count(matrix.values.shape[0], 'row')}, {count(matrix.values.shape[1], 'coefficient')}"),
    ]
    if matrix.dropped:
        dropped = ", ".join(f"{name} ({number:,})" for name, number in matrix.dropped.items())
        facts.append(("dropped", f"rows with missing values in {dropped}"))
    if config.allocation.enabled and config.allocation.budget.total is not None:
        channels = count(len(config.allocation.channels), "channel")
        facts.append(("budget", f"{config.allocation.budget.total:,.0f} over {channels}"))
    lines = [f"{path} is valid", *(wrapped(text, f"  {name:<8}", " " * 10) for name, text in facts)]
    if validation.run_dir is not None:
        lines.append(wrapped(f"{shown_path(validation.run_dir)} (the run's metadata)", f"  {'wrote':<8}", " " * 10))
    return "\n".join([*lines, *gate_lines(checked.gates), f"Next: dsam run --config {path}"])


def _period(validation: Validation) -> str:
    dataset = validation.checked.dataset
    if dataset.date_var is None:
        return ""
    dates = dataset.frame[dataset.date_var]
    return f", {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}"


def shown_path(path: Path) -> str:
    """A path relative to the working folder when it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
