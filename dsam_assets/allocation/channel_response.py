"""What each channel brings, draw by draw, measured from zero spend.

Under a log response a channel's effect depends on the others; a channel's own response is taken with the others at
their reference spend, and the difference between the joint change and the sum of the single ones is the interaction.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.scales import FloatArray


def channel_response(problem: Problem, channel: int, spends: FloatArray) -> FloatArray:
    """Draws of a channel's KPI per period above its zero spend, others at reference; (G,) → (S, G)."""
    response, beta = problem.channels[channel].response, problem.coefficients[:, channel, None]
    link = beta * response.value(spends)
    if problem.response_scale == "identity":
        return link
    at_reference = beta * response.value(np.array([problem.reference[channel]]))
    level = Objective(problem).channel_levels[channel]
    return np.asarray(level * (np.exp(link - at_reference) - np.exp(-at_reference)))


def marginal_draws(problem: Problem, channel: int, spends: FloatArray) -> FloatArray:
    """Draws of a channel's KPI per further unit of spend, others at reference, (G,) → (S, G).

    Infinite for hill with n < 1 at zero.
    """
    response, beta = problem.channels[channel].response, problem.coefficients[:, channel, None]
    weight = np.broadcast_to(beta, (len(beta), len(spends)))
    if problem.response_scale == "log":
        at_reference = response.value(np.array([problem.reference[channel]]))
        level = Objective(problem).channel_levels[channel]
        weight = level * beta * np.exp(beta * (response.value(spends) - at_reference))
    # A worthless response stays worthless where its slope is infinite.
    slope = np.broadcast_to(response.derivative(spends), weight.shape)
    return np.multiply(weight, slope, out=np.zeros(weight.shape), where=weight != 0.0)


def responses_at(problem: Problem, spend: FloatArray) -> FloatArray:
    """`channel_response` of every channel at one plan, (C,) → (S, C)."""
    columns = [channel_response(problem, c, spend[c : c + 1]) for c in range(len(spend))]
    return np.concatenate(columns, axis=1)


def joint_response(problem: Problem, spend: FloatArray) -> FloatArray:
    """Draws of the KPI per period that the plan brings above no spend in any channel, (C,) → (S,)."""
    objective = Objective(problem)
    return objective.outcome(spend).kpi - objective.outcome(np.zeros_like(spend)).kpi


def joint_marginal(problem: Problem, spend: FloatArray) -> FloatArray:
    """Mean KPI per further unit of each channel's spend, all channels at the plan, (C,) → (C,)."""
    return Objective(replace(problem, target="kpi_uplift", risk="mean", allow_relative_log_uplift=True)).gradient(spend)
