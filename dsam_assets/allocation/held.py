"""Channels that stay at their reference spend, because the data say too little about them to move money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dsam_assets.allocation.feasibility import SUM_TOLERANCE
from dsam_assets.allocation.problem import Channel, Problem
from dsam_assets.errors import AllocationError

# A reference may miss its bound by this share of it: means of columns are rounded.
_ROUNDING = 1e-9


def hold(problem: Problem, reasons: Mapping[str, str]) -> Problem:
    """The problem with some channels kept at their reference spend.

    Args:
        problem: the question.
        reasons: why, by model term.

    Raises:
        AllocationError: a reference is outside its bounds, or the other channels cannot make up the budget.
    """
    if not any(channel.term in reasons for channel in problem.channels):
        return problem
    channels = tuple(
        _held(channel, reasons[channel.term]) if channel.term in reasons else channel for channel in problem.channels
    )
    _require_budget(problem, channels)
    return replace(problem, channels=channels)


def _held(channel: Channel, why: str) -> Channel:
    slack = _ROUNDING * channel.reference
    if not channel.lower - slack <= channel.reference <= channel.upper + slack:
        raise AllocationError(
            f"Channel `{channel.name}` cannot be held at its reference spend: its bounds exclude it.",
            where="allocation.hold_weak",
            got=f"reference {channel.reference:,.12g}, bounds {channel.lower:,.12g} to {channel.upper:,.12g}; {why}",
            wanted="bounds that contain the reference of every channel with weak evidence",
            fix="Widen its bounds, set another reference_spend, or use hold_weak: false.",
        )
    return replace(channel, lower=channel.reference, upper=channel.reference, held=why)


def _require_budget(problem: Problem, channels: tuple[Channel, ...]) -> None:
    least, most = sum(channel.lower for channel in channels), sum(channel.upper for channel in channels)
    total, slack = problem.total, SUM_TOLERANCE * problem.most
    too_much, left_over = least - total > slack, total - most > slack and problem.scenario == "max_response"
    if not too_much and not left_over:
        return
    held = [channel for channel in channels if channel.held]
    names = ", ".join(channel.name for channel in held)
    fixed = sum(channel.reference for channel in held)
    raise AllocationError(
        "The channels with weak evidence stay at their reference spend, and the others cannot make up the budget.",
        where="allocation.hold_weak",
        got=f"{names} held at {fixed:,.12g} in all; with the others between {least:,.12g} and {most:,.12g}, "
        f"budget {total:,.12g}",
        wanted="a budget between the two",
        fix="Change budget.total, widen the bounds of the other channels, or use hold_weak: false.",
    )
