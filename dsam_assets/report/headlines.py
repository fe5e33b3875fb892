"""The report's headlines: the few numbers that a reader looks for first, from the facts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dsam_assets.report.numbers import ABSENT, between, compact, percent, plain, signed

type Facts = Mapping[str, Any]

LOWER_IS_BETTER = ("cpa",)
TOTAL = "TOTAL"
RESPONSE_UNIT = {"kpi": "KPI units per period", "relative": "of the KPI"}
MEANING = {
    "final": "the results may be used",
    "provisional": "use with the reservations below",
    "blocked": "nothing may be decided on this fit",
}


@dataclass(frozen=True)
class Headline:
    """One number.

    Attributes:
        label: what it is.
        value: the number.
        note: its interval, unit and condition.
    """

    label: str
    value: str
    note: str


def headlines(facts: Facts) -> tuple[Headline, ...]:
    """Verdict, what media bring, the best channel, the plan's gain, the weeks ahead; what is withheld is left out."""
    builders = (_checks, _media, _best_channel, _plan, _ahead)
    return tuple(headline for build in builders for headline in build(facts))


def _checks(facts: Facts) -> Iterator[Headline]:
    verdict = facts["verdict"]
    counts = verdict["counts"]
    judged = sum(counts.values()) - counts.get("skipped", 0)
    value = f"{counts.get('pass', 0)} of {judged} pass"
    yield Headline("Checks that apply", value, MEANING[verdict["reliability"]])


def _media(facts: Facts) -> Iterator[Headline]:
    rows = (facts["drivers"] or {"rows": ()})["rows"]
    for row in rows:
        if row["kind"] == "media" and row["share"] is not None:
            yield Headline("KPI from media", percent(row["share"]), between(row, "share", percent))


def _best_channel(facts: Facts) -> Iterator[Headline]:
    """The channel with the best average return, among those that the data say enough about."""
    channels = facts["channels"]
    if channels is None or channels["metric"] is None:
        return
    known = [
        row for row in channels["rows"]
        if row["channel"] != TOTAL and row["return"] is not None and row["weak"] is None
    ]  # fmt: skip
    if len(known) > 1:
        lower = channels["metric"] in LOWER_IS_BETTER
        best = (min if lower else max)(known, key=lambda row: row["return"])
        words = f"{'Lowest' if lower else 'Highest'} {str(channels['metric']).upper()}: {best['channel']}"
        note = "; ".join(part for part in (between(best, "return", plain), channels["metric_unit"]) if part)
        yield Headline(words, plain(best["return"]), note)


def _plan(facts: Facts) -> Iterator[Headline]:
    plan = facts["plan"]
    if plan is None or plan["delta_kpi_mean"] is None:
        return
    chance = plan["probability_beats_reference"]
    relative = plan["response_unit"] == "relative"
    form = _signed_percent if relative else signed
    parts = (
        RESPONSE_UNIT.get(plan["response_unit"], plan["response_unit"]),
        between(plan, "delta_kpi", form),
        "" if chance is None else f"better in {chance:.0%} of the draws",
    )
    yield Headline("Budget plan against reference", form(plan["delta_kpi_mean"]), "; ".join(filter(None, parts)))


def _ahead(facts: Facts) -> Iterator[Headline]:
    rows = [row for row in (facts["forecast"] or {"rows": ()})["rows"] if row["path"] == "base"]
    row = next((row for row in rows if row["group"] == "all"), rows[0] if len(rows) == 1 else None)
    if row is not None and row["total"] is not None:
        yield Headline(f"KPI of the next {row['periods']} periods", compact(row["total"]), between(row, "", compact))


def _signed_percent(value: float | None) -> str:
    return ABSENT if value is None else f"{value:+.1%}"
