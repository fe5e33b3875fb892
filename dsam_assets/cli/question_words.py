"""What a budget plan was asked for, in words: whose effects, which target, how cautious, and which other budgets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dsam_assets.cli.words import wrapped

if TYPE_CHECKING:
    import pandas as pd

LEVELS = {
    "population": "Effects are those of the average group of the panel ({groups}): the population's.",
    "unit": "Effects and reference spends are those of {groups}.",
    "group": "Every group decides on its own spend under one budget of all ({groups}).",
}
RISKS = {
    "mean_minus_sd": "The plan is the best by its mean outcome less {parameter:g} standard deviations.",
    "quantile": "The plan is the best by the {parameter:.0%} quantile of its outcome: what {rest:.0%} of draws exceed.",
}
METRICS = {"roi": ("ROI", "at least"), "cpa": ("a cost per KPI unit", "at most")}


def question_lines(tables: Any) -> list[str]:
    """Sentences about whatever is not the ordinary question: one set of effects, a fixed budget, the mean."""
    row = tables["budget_summary"].iloc[0]
    lines = []
    if row["level"] in LEVELS:
        lines.append(LEVELS[row["level"]].format(groups=row["groups"]))
    if row.get("risk") in RISKS:
        share = float(row["risk_parameter"])
        lines.append(RISKS[row["risk"]].format(parameter=share, rest=1.0 - share))
    if row.get("scenario") == "target_efficiency":
        name, sign = METRICS[row["metric"]]
        start = "By that score, the plan" if row.get("risk") in RISKS else "The plan"
        lines.append(
            f"{start} spends as much as {name} of {sign} {row['target_value']:g}, the bounds and the budget allow; "
            f"on average it reaches {row['metric_optimised']:.4g}."
        )
    return [wrapped(line, "  ") for line in lines]


def weak_lines(plan: pd.DataFrame) -> list[str]:
    """Which channels the data say little about, and which of them keep their reference spend."""
    if "evidence" not in plan:
        return []
    weak = plan[plan["evidence"] == "weak"].drop_duplicates("term")
    return [wrapped(_weak(rows), "  ") for _, rows in weak.groupby(["evidence_why", "held"], sort=False)]


def _weak(rows: pd.DataFrame) -> str:
    """Channels of which the same is to be said, in one sentence."""
    keep = "it keeps its" if len(rows) == 1 else "they keep their"
    kept = f"; {keep} reference spend" if rows["held"].iloc[0] else ""
    return f"Weak evidence for {', '.join(rows['term'])}: {rows['evidence_why'].iloc[0]}{kept}."


def scenario_lines(tables: Any) -> list[str]:
    """The budgets that the config names, beside the plan's; none when it names none."""
    rows: pd.DataFrame | None = tables.get("budget_scenarios")
    if rows is None or not (rows["kind"] == "named").any():
        return []
    width = min(max(8, *(len(name) for name in rows["scenario"])), 24)
    form = _form(rows)
    header = f"  {'scenario':<{width}} {'budget':>14} {'KPI change':>12} {'90% interval':>23} {'better':>7}"
    return ["", header, *(_scenario(row, width, form) for row in rows.to_dict("records"))]


def _form(rows: pd.DataFrame) -> str:
    """Shares in percent; amounts with as many decimals as show the largest change with four digits."""
    if (rows["response_unit"] == "relative").any():
        return "{:+.2%}"
    largest = float(rows["delta_kpi_mean"].abs().max())
    decimals = min(max(3 - math.floor(math.log10(largest)), 0), 9) if largest > 0.0 else 0
    return f"{{:+,.{decimals}f}}"


def _scenario(row: dict[Any, Any], width: int, form: str) -> str:
    start = f"  {row['scenario'][:width]:<{width}} {row['budget']:>14,.6g}"
    if row["status"] != "ok":
        return f"{start} {row['reason']}"
    change, low, high = (form.format(row[f"delta_kpi_{part}"]) for part in ("mean", "lower", "upper"))
    between = "" if math.isnan(row["delta_kpi_lower"]) else f"{low} to {high}"
    chance = row["probability_beats_reference"]
    return f"{start} {change:>12} {between:>23} {'' if math.isnan(chance) else f'{chance:.0%}':>7}"
