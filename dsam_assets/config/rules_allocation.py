"""Rules of the `allocation` section. Spends and budgets are compared in the units of the spend columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dsam_assets.config.key_paths import KeyPath
from dsam_assets.config.problems import Problem
from dsam_assets.config.schema import Config
from dsam_assets.config.schema_allocation import AllocationSection, ResponseSection

_PARAMETERS = {"identity": (), "atan": ("scale",), "log1p": ("scale",), "hill": ("k", "n")}
# sums of decimal fractions are compared up to rounding
_ROUNDING = 1e-9
PLAN = "plan"


def _unique_channels(allocation: AllocationSection) -> Iterator[Problem]:
    terms: set[str] = set()
    names: set[str] = set()
    for position, channel in enumerate(allocation.channels):
        path: KeyPath = ("allocation", "channels", position)
        if channel.term in terms:
            yield Problem((*path, "term"), "must be unique across channels", channel.term)
        elif channel.name in names:
            yield Problem((*path, "name"), "must be unique across channels", channel.name)
        terms.add(channel.term)
        names.add(channel.name)


def _response(path: KeyPath, response: ResponseSection) -> Iterator[Problem]:
    wanted = _PARAMETERS[response.type]
    for name in ("scale", "k", "n"):
        value = getattr(response, name)
        if name in wanted and value is None:
            yield Problem((*path, name), f"is required for response type {response.type}", fix="give a number > 0")
        if name not in wanted and value is not None:
            rule = f"has no effect for response type {response.type}"
            users = " or ".join(kind for kind, names in _PARAMETERS.items() if name in names)
            yield Problem((*path, name), rule, value, f"remove it, or use type {users}")


def _channel_bounds(allocation: AllocationSection) -> Iterator[Problem]:
    for position, channel in enumerate(allocation.channels):
        path: KeyPath = ("allocation", "channels", position)
        low, high = channel.bounds.min, channel.bounds.max
        if high < low:
            yield Problem((*path, "bounds", "max"), f"must be at least bounds.min ({low:g})", high)
        elif allocation.enabled and not math.isfinite(high):
            fix = f"write the largest spend that {channel.name} could take"
            yield Problem((*path, "bounds", "max"), "must be finite when allocation is enabled", high, fix)
        yield from _response((*path, "response"), channel.response)


def _budget(allocation: AllocationSection) -> Iterator[Problem]:
    path, total = ("allocation", "budget", "total"), allocation.budget.total
    if total is None:
        if allocation.scenario == "max_response":
            yield Problem(path, "is required for scenario max_response", fix="write the total spend to allocate")
        return
    if allocation.level == "group":
        # bounds are those of one group, the budget is that of all: the data say how many there are
        return
    least = math.fsum(channel.bounds.min for channel in allocation.channels)
    most = math.fsum(channel.bounds.max for channel in allocation.channels)
    if least > total * (1 + _ROUNDING):
        fix = f"lower some bounds.min, or raise the total to {least:g}"
        yield Problem(path, f"must be at least the sum of bounds.min ({least:g})", total, fix)
    # for target_efficiency the total only caps the plan, so it may exceed what the channels can take
    if allocation.scenario == "max_response" and total > most * (1 + _ROUNDING):
        fix = f"raise some bounds.max, or lower the total to {most:g}"
        yield Problem(path, f"must be at most the sum of bounds.max ({most:g})", total, fix)


def _question(allocation: AllocationSection) -> Iterator[Problem]:
    if not allocation.channels:
        yield Problem(("allocation", "channels"), "must have at least one row when allocation is enabled")
    else:
        yield from _budget(allocation)
    if allocation.scenario == "target_efficiency" and allocation.target_value is None:
        yield Problem(("allocation", "target_value"), "is required for scenario target_efficiency")
    if allocation.objective.target == "profit" and allocation.objective.value_per_kpi is None:
        path = ("allocation", "objective", "value_per_kpi")
        yield Problem(path, "is required for objective target profit", fix="write the currency value of one KPI unit")


def _level(allocation: AllocationSection) -> Iterator[Problem]:
    level = allocation.level
    key, _, name = (part.strip() for part in level.partition("="))
    if level not in ("population", "group") and not (key and name):
        fix = "write the grouping key and the group's name, as in market=north"
        yield Problem(
            ("allocation", "level"), "must be population, group, or one group such as market=north", level, fix
        )


def _risk(allocation: AllocationSection) -> Iterator[Problem]:
    """A number of another risk type would be ignored."""
    risk, path = allocation.objective.risk, ("allocation", "objective", "risk")
    default = type(risk)()
    for key, value, idle, owner in (
        ("lambda", risk.lambda_, default.lambda_, "mean_minus_sd"),
        ("quantile", risk.quantile, default.quantile, "quantile"),
    ):
        if value != idle and risk.type != owner:
            yield Problem((*path, key), f"has no effect for risk type {risk.type}", value, f"use type {owner}")
    if allocation.target_value is not None and allocation.scenario != "target_efficiency":
        rule, fix = f"has no effect for scenario {allocation.scenario}", "remove it, or use scenario target_efficiency"
        yield Problem(("allocation", "target_value"), rule, allocation.target_value, fix)


def _reference(allocation: AllocationSection) -> Iterator[Problem]:
    path, spend = ("allocation", "reference_spend"), allocation.reference_spend
    names = [channel.name for channel in allocation.channels]
    if spend is None or not names:
        return
    if isinstance(spend, Mapping):
        for name in sorted(set(spend) ^ set(names)):
            rule = "has no value for channel" if name in names else "names an unknown channel"
            yield Problem(path, f"{rule} {name}", fix=f"give one spend for each of {', '.join(names)}")
        return
    count = len(spend) if isinstance(spend, tuple) else 1
    if count != len(names):
        rule = f"must hold one spend per channel ({len(names)})"
        yield Problem(path, rule, spend, f"write a mapping with the keys {', '.join(names)}")


def _named_budgets(allocation: AllocationSection) -> Iterator[Problem]:
    seen: set[str] = set()
    for position, scenario in enumerate(allocation.scenarios):
        if scenario.name in seen:
            yield Problem(("allocation", "scenarios", position, "name"), "must be unique", scenario.name)
        if scenario.name == PLAN:
            rule = "is what the recommended plan is called"
            yield Problem(("allocation", "scenarios", position, "name"), rule, scenario.name, "choose another name")
        seen.add(scenario.name)


def allocation_rules(config: Config) -> Iterator[Problem]:
    """What is wrong with the budget question; what it needs is only asked for when it is enabled."""
    allocation = config.allocation
    yield from _unique_channels(allocation)
    yield from _channel_bounds(allocation)
    yield from _reference(allocation)
    yield from _named_budgets(allocation)
    yield from _risk(allocation)
    yield from _level(allocation)
    if allocation.enabled:
        yield from _question(allocation)
