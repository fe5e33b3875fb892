"""Short forms of the columns that budget tables share; `columns` says what their units mean."""

from __future__ import annotations

from dsam_assets.tables import Column


def text(name: str, description: str, nullable: bool = False) -> Column:
    return Column(name, "text", "text", description, nullable)


def one_of(name: str, description: str, *values: str) -> Column:
    return Column(name, "text", "text", description, one_of=values)


def number(name: str, unit: str, description: str, nullable: bool = False) -> Column:
    return Column(name, "number", unit, description, nullable)


def flag(name: str, description: str, nullable: bool = False) -> Column:
    return Column(name, "flag", "true/false", description, nullable)


def interval(name: str, unit: str, description: str) -> tuple[Column, ...]:
    return (
        number(f"{name}_lower", unit, f"{description}: 5 % quantile; missing for a point.", True),
        number(f"{name}_upper", unit, f"{description}: 95 % quantile; missing for a point.", True),
    )


def estimate(name: str, unit: str, description: str, nullable: bool = False) -> tuple[Column, ...]:
    mean = number(f"{name}_mean", unit, f"{description}: posterior mean.", nullable)
    return (mean, *interval(name, unit, description))


CHANNEL = text("channel", "Channel name.")
RESPONSE_UNIT = text("response_unit", "Unit of responses: kpi (per period) or relative (share of the KPI).")
METRIC = text("metric", "roi (response value per money) or cpa (money per KPI unit).")
METRIC_UNIT = text("metric_unit", "Unit of the metric.")
EXTRAPOLATED = flag("extrapolated", "Spend exceeds the largest one in the modelled rows; missing when not known.", True)
