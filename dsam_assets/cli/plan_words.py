"""A budget plan on a terminal: its table, what it is expected to bring, and what to beware of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dsam_assets.cli.question_words import question_lines, scenario_lines, weak_lines
from dsam_assets.cli.words import COLOURS, MARKS, paint, wrapped

if TYPE_CHECKING:
    import pandas as pd

Row = tuple[str, float, float, str]
CHANNEL_WIDTH = 24
MOST_ROWS = 40  # channels of every group can be many
PARTS = 50  # the last part of a budget is a round amount of about so many
SURE = 0.995  # shares of draws beyond this are not rounded to certainty


def plan_lines(plan: pd.DataFrame, tables: Any) -> list[str]:
    """Whose effects the plan is made from, its table, the expected change, its last spend's return, and warnings."""
    return [
        *question_lines(tables),
        plan_table(plan),
        *scenario_lines(tables),
        "",
        expected_change(tables),
        *last_of_budget(tables),
        *weak_lines(plan),
        *_warnings(tables),
    ]


def plan_table(plan: pd.DataFrame) -> str:
    """Reference and recommended spend by channel, and their sums."""
    records: list[dict[Any, Any]] = plan.to_dict("records")
    rows: list[Row] = [(row["channel"], row["spend_reference"], row["spend_optimised"], _limit(row)) for row in records]
    rows.append(("all channels", plan["spend_reference"].sum(), plan["spend_optimised"].sum(), ""))
    name_width = min(max(len(row[0]) for row in rows), CHANNEL_WIDTH)
    decimals = _decimals(max(abs(spend) for row in rows for spend in row[1:3]), 4)
    lines = [f"  {'channel':<{name_width}} {'reference':>14} {'plan':>14} {'change':>8}"]
    for name, reference, planned, limit in _shown(rows):
        if not name:
            lines.append(f"  {limit}")
            continue
        change = signed(planned / reference - 1) if reference else "new" if planned else "none"
        spends = f"{reference:>14,.{decimals}f} {planned:>14,.{decimals}f} {change:>8}"
        lines.append(f"  {_short(name, name_width):<{name_width}} {spends}{limit}")
    return "\n".join(lines)


def _shown(rows: list[Row]) -> list[Row]:
    """The rows, of very many the first and the sums; a row without a name says how many are missing."""
    if len(rows) <= MOST_ROWS:
        return rows
    missing = len(rows) - MOST_ROWS
    return [*rows[: MOST_ROWS - 1], ("", 0.0, 0.0, f"… and {missing} more in budget_allocation.csv"), rows[-1]]


def signed(change: float) -> str:
    """A relative change in whole percent; what rounds to nothing has no sign."""
    text = f"{change:+.0%}"
    return "0%" if text in ("+0%", "-0%") else text


def _decimals(largest: float, digits: int) -> int:
    """Decimals that show the largest number with so many digits: spend may be counted in millions or thousandths."""
    return min(max(digits - 1 - math.floor(math.log10(largest)), 0), 9) if largest > 0 else 0


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _limit(row: dict[Any, Any]) -> str:
    if row.get("held"):
        return "  held"
    return "  minimum" if row["at_lower"] else "  maximum" if row["at_upper"] else ""


def expected_change(tables: Any) -> str:
    """What the plan is expected to bring over the reference, with its uncertainty; a point estimate has none."""
    row = tables["budget_summary"].iloc[0]
    relative, quantity, unit = row["response_unit"] == "relative", "delta_kpi", " KPI units"
    if row["target"] == "profit":
        quantity, unit = "delta_profit", " profit"
    numbers = [float(row[f"{quantity}_{part}"]) for part in ("mean", "lower", "upper")]
    decimals = _decimals(max(abs(number) for number in numbers if not math.isnan(number)), 3)
    form, unit = ("{:+.1%}", " of the KPI") if relative else (f"{{:+,.{decimals}f}}", unit)
    mean, low, high = (form.format(number) for number in numbers)
    if row["estimate"] == "point":
        from dsam_assets.diagnostics.report import POINT_ESTIMATE

        sureness = f"; {POINT_ESTIMATE}."
    else:
        parts = (f"90% interval {low} to {high}", _chance(row, "reference"))
        sureness = f" ({'; '.join(part for part in parts if part)})."
    text = f"Expected change over the reference: {mean}{unit} per period{sureness}"
    return wrapped(text + _same_budget(row), "  ")


def last_of_budget(tables: Any) -> list[str]:
    """What the last part of the budget brings, beside the average: whether more or less of it is worth asking for."""
    rows = tables["budget_efficient_frontier"]
    row = rows[rows["point"] == "plan"].iloc[0]
    if math.isnan(row["marginal_response"]) or row["budget"] <= 0:
        return []
    part = 10.0 ** math.floor(math.log10(row["budget"] / PARTS))
    last, average = part * row["marginal_response"], part * row["response_mean"] / row["budget"]
    relative = row["response_unit"] == "relative"
    decimals = _decimals(100 * abs(last) if relative else abs(last), 3)
    form = f"{{:.{decimals}%}}" if relative else f"{{:,.{decimals}f}}"
    unit = " of the KPI" if relative else " KPI units"
    amount = f"{part:,.{_decimals(part, 1)}f}"
    text = f"The last {amount} of the budget brings {form.format(last)}{unit}; on average {amount} brings"
    return [wrapped(f"{text} {form.format(average)}.", "  ")]


def _chance(row: Any, rival: str) -> str:
    """In which share of the draws the plan beats its rival; empty where there is none to give."""
    chance = float(row[f"probability_beats_{rival}"])
    if math.isnan(chance):
        return ""
    text = "above 99%" if chance > SURE else "below 1%" if chance < 1 - SURE else f"{chance:.0%}"
    return f"better with probability {text}"


def _same_budget(row: Any) -> str:
    """A plan that spends more or less than the reference is compared at its own budget as well."""
    from dsam_assets.forecast.totals import SAME_BUDGET

    reference, planned, gain = row["spend_reference"], row["spend_optimised"], float(row["gain_over_split"])
    if abs(planned - reference) <= SAME_BUDGET * planned or math.isnan(gain):
        return ""
    unit = {"currency": "currency units", "relative": "of the KPI"}.get(row["objective_unit"], "KPI units")
    amount = f"{gain:+.1%}" if row["objective_unit"] == "relative" else f"{gain:+,.0f}"
    split = f" The plan spends {signed(planned / reference - 1)}" if reference else " The reference spends nothing"
    chance = _chance(row, "split")
    beats = f"{amount} {unit}" + (f" ({chance})" if chance else "")
    return f"{split}; over the reference's split of the same budget: {beats}."


def _warnings(tables: Any) -> list[str]:
    from dsam_assets.diagnostics.stamped import CAVEAT

    rows = tables["budget_diagnostics"]
    messages = dict.fromkeys(rows.loc[rows["status"].isin(["warn", "fail", "not_computed"]), "message"])
    mark = paint(MARKS["warn"], COLOURS["warn"])
    return [*(f"  {mark} {wrapped(text, '    ').lstrip()}" for text in messages), paint(wrapped(CAVEAT, "  "), "2")]
