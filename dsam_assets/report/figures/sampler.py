"""Stage 40: how the chains behaved: rank plots of the worst parameters, and energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, place, rule
from dsam_assets.report.figures.style import CATEGORIES, FAINT, ZERO, translucent

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from dsam_assets.diagnostics.convergence import Convergence
    from dsam_assets.fit.draws import Draws
    from dsam_assets.scales import FloatArray

SHOWN = 6
RANK_BINS = 20
ENERGY_BINS = 40
HEADROOM = 1.12


def rank_trace(draws: Draws, numbers: Convergence, stamp: Stamp) -> go.Figure:
    """Rank histograms by chain of the parameters with the largest R-hat: flat when the chains agree.

    After Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Bayesian Analysis 16, section 4.

    Args:
        draws: the posterior, several chains.
        numbers: `diagnostics.convergence.convergence(draws)`.
        stamp: market and reliability.
    """
    order = np.argsort(-np.nan_to_num(numbers.rhat, nan=np.inf))[:SHOWN]
    values = draws.parameters
    names = [numbers.parameters[index] for index in order]
    words = Words(
        "Do the chains agree? Ranks of the parameters with the largest R-hat",
        f"Each line is a chain; flat between the dashed lines means agreement. Largest R-hat"
        f" {np.nanmax(numbers.rhat):.4f}.", "rank of the draw among all chains", "draws",
    )  # fmt: skip
    figure = facets(
        words, stamp, [f"{names[i]}: R-hat {numbers.rhat[order[i]]:.3f}" for i in range(len(names))], columns=3
    )
    bands: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        where = place(index, min(3, len(names)))
        counts, expected = rank_counts(np.asarray(values[name]))
        for chain, row in enumerate(counts):
            figure.add_scatter(
                x=(np.arange(RANK_BINS) + 0.5) / RANK_BINS, y=row, mode="lines", line_shape="hvh",
                name=f"chain {chain + 1}",
                line={"color": CATEGORIES[chain % len(CATEGORIES)], "width": 1.4}, legendgroup=str(chain),
                showlegend=index == 0, **where,
            )  # fmt: skip
        reach = 2.6 * np.sqrt(expected)
        figure.update_yaxes(range=[0, HEADROOM * max(counts.max(), expected + reach)], **where)
        levels = (expected - reach, expected + reach)
        bands += [rule("y", level, index, color=FAINT, dash="dash", width=1) for level in levels]
    return figure.update_layout(shapes=bands).update_xaxes(tickformat=".0%", range=[0, 1])


def rank_counts(values: FloatArray) -> tuple[FloatArray, float]:
    """Draws per rank bin and chain, shape (chains, bins), and the count expected of chains that agree.

    Args:
        values: draws of one parameter, shape (chains, draws).
    """
    chains, size = values.shape
    ranks = np.empty(values.size)
    ranks[np.argsort(values, axis=None, kind="stable")] = np.arange(values.size)
    bins = (ranks.reshape(chains, size) * RANK_BINS / values.size).astype(int)
    return np.stack([np.bincount(row, minlength=RANK_BINS) for row in bins]).astype(float), size / RANK_BINS


def energy(draws: Draws, fraction: FloatArray, stamp: Stamp) -> go.Figure:
    """Distribution of the energy and of its changes: alike when the sampler explores freely (Betancourt, 2017).

    Args:
        draws: the posterior with the sampler statistic `energy`.
        fraction: E-BFMI by chain.
        stamp: market and reliability.
    """
    level = draws.sampler["energy"]
    centred, change = (level - level.mean(axis=1, keepdims=True)).ravel(), np.diff(level, axis=1).ravel()
    words = Words(
        "Does the sampler reach all energies?",
        f"E-BFMI by chain: {', '.join(f'{value:.2f}' for value in fraction)} (below 0.3 the chains explore the tails"
        " too slowly). The two curves should be about as wide.", "energy", "density",
    )  # fmt: skip
    figure = canvas(words, stamp)
    edges = np.linspace(min(centred.min(), change.min()), max(centred.max(), change.max()), ENERGY_BINS + 1)
    for name, values, colour in (
        ("energy (centred)", centred, CATEGORIES[0]),
        ("change of energy", change, CATEGORIES[1]),
    ):
        density, _ = np.histogram(values, edges, density=True)
        figure.add_scatter(
            x=(edges[1:] + edges[:-1]) / 2, y=density, mode="lines", fill="tozeroy", name=name, line_shape="spline",
            fillcolor=translucent(colour, 0.25), line={"color": colour, "width": 1.6},
        )  # fmt: skip
    return figure.add_vline(x=0, line={"color": ZERO, "width": 1}).update_yaxes(showticklabels=False)
