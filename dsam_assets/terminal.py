"""What a run looks like on a terminal. Words only: every number comes from the run's result."""

from __future__ import annotations

import logging
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.running import RunResult

COLOURS = {"pass": "32", "warn": "33", "fail": "31", "not_computed": "31", "skipped": "2"}
MARKS = {"pass": "✓", "warn": "!", "fail": "✗", "not_computed": "?", "skipped": "–"}
WIDTH = 24


def paint(text: str, code: str, stream: TextIO | None = None) -> str:
    """Colour on terminals only."""
    return f"\033[{code}m{text}\033[0m" if (stream or sys.stdout).isatty() else text


class StepLines(logging.Handler):
    """Prints one line per computed step; runs of reused steps share a line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.INFO)
        self.stream = stream
        self.computed: list[str] = []
        self.reused: list[str] = []
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        event, asset = record.getMessage(), getattr(record, "asset", "")
        if event in ("reused", "unchanged"):
            self.reused.append(asset)
            self._waiting.append(asset)
        elif event == "computed":
            self.flush_reused()
            self.computed.append(asset)
            self._line(asset, f"{getattr(record, 'seconds', 0.0):7.2f} s")
        elif event != "started":
            self._line("stan", event)

    def flush_reused(self) -> None:
        """Print the reused steps since the last line, if any."""
        if self._waiting:
            names = ", ".join(self._waiting)
            text = f"reused, inputs unchanged: {names}"
            lines = textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="    ")
            print(paint("\n".join(lines), "2", self.stream), file=self.stream, flush=True)
            self._waiting.clear()

    def _line(self, name: str, text: str) -> None:
        print(f"  {name:<{WIDTH}} {text}", file=self.stream, flush=True)


def listen(stream: TextIO) -> StepLines:
    """Print the progress of the graph's steps and of compiling."""
    handler = StepLines(stream)
    for name in ("dsam.progress", "dsam.stan"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return handler


def summary(result: RunResult, handler: StepLines) -> str:
    """The end of a run: steps, verdict, plan, where things are, what to do next."""
    handler.flush_reused()
    parts = [
        f"\n{len(handler.computed)} steps computed, {len(handler.reused)} reused",
        _verdict(result),
        _plan(result),
        _places(result),
    ]
    return "\n".join(part for part in parts if part)


def _verdict(result: RunResult) -> str:
    facts = result.facts["diagnostics_report"]
    counts = Counter(result.checks["status"])
    counted = ", ".join(f"{counts[status]} {status.replace('_', ' ')}" for status in MARKS if counts[status])
    overall = str(facts["overall"])
    lines = [f"\nVerdict: {paint(overall.upper(), COLOURS[overall])} ({counted}); results are {facts['reliability']}"]
    for row in result.checks.itertuples():
        if row.status in ("pass", "skipped"):
            continue
        mark = paint(MARKS[str(row.status)], COLOURS[str(row.status)])
        lines += [f"  {mark} {row.check_id}: {row.message}", f"      {row.advice}"]
    return "\n".join(lines)


def _plan(result: RunResult) -> str:
    if result.status == "halted":
        return "\n" + paint(result.halted_by, COLOURS["fail"]) + "\n\nNo budget plan is given."
    if result.plan.empty:
        return ""
    stamp = result.facts["diagnostics_report"]["reliability"]
    return f"\nBudget plan ({stamp}; spend per period)\n" + plan_table(result.plan)


def plan_table(plan: pd.DataFrame) -> str:
    """Reference and recommended spend by channel."""
    lines = [f"  {'channel':<{WIDTH}} {'reference':>12} {'plan':>12} {'change':>9}"]
    for row in plan.itertuples():
        change = row.delta_spend / row.spend_reference if row.spend_reference else float("nan")
        limit = " at its minimum" if row.at_lower else " at its maximum" if row.at_upper else ""
        lines.append(
            f"  {row.channel:<{WIDTH}} {row.spend_reference:>12,.0f} {row.spend_optimised:>12,.0f} {change:>+9.0%}{limit}"
        )
    return "\n".join(lines)


def _places(result: RunResult) -> str:
    folder = shown_path(result.path)
    return (
        f"\nRun folder: {folder} ({result.files} files)\n"
        f"Next: open the checks in {folder}/run_manifest.json and the diagnostics folder, or `dsam ui` for the graph."
    )


def shown_path(path: Path) -> str:
    """A path relative to the working folder when it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
