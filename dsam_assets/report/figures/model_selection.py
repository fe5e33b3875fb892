"""Stage 50: which rows the model predicts badly, which ones it leans on, and how well it predicts later weeks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas
from dsam_assets.report.figures.series import axis_of, shown_rows
from dsam_assets.report.figures.style import BLUE, FAINT, GREEN, ORANGE, SEVERITY, VERMILION, ZERO, translucent

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

K_BANDS = (
    ("good: k < 0.5", -np.inf, 0.5, GREEN),
    ("acceptable: 0.5 to 0.7", 0.5, 0.7, ORANGE),
    ("unreliable: 0.7 to 1", 0.7, 1.0, VERMILION),
    ("failed: k ≥ 1", 1.0, np.inf, "#7A4F9A"),
)
K_LIMITS = (0.5, 0.7, 1.0)
PIT_BINS = 20


def pareto_k(pointwise: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Pareto k of each row, coloured by what it means for PSIS-LOO.

    Args:
        pointwise: table `loo_pointwise`.
        stamp: market and reliability.
    """
    known = pointwise[pointwise["pareto_k"].notna()]
    above = int((known["pareto_k"] >= K_LIMITS[1]).sum())
    words = Words(
        "How much single rows sway the fit (Pareto k)",
        f"{above} of {len(known):,} rows are at 0.7 or above: there PSIS cannot stand in for a refit without the row.",
        axis_of(pointwise), "Pareto k",
    )  # fmt: skip
    figure = canvas(words, stamp)
    for name, low, high, colour in K_BANDS:
        rows = known[(known["pareto_k"] >= low) & (known["pareto_k"] < high)]
        figure.add_scatter(
            x=shown_rows(rows) if len(rows) else [None], y=rows["pareto_k"] if len(rows) else [None], mode="markers",
            marker={"color": colour, "size": 6.5}, name=name, text=_row_words(rows),
            hovertemplate="%{text}<br>k %{y:.2f}<extra></extra>",
        )  # fmt: skip
    for limit in K_LIMITS:
        figure.add_hline(y=limit, line={"color": FAINT, "dash": "dash", "width": 1})
    return figure


def _row_words(rows: pd.DataFrame) -> list[str]:
    where = rows["group"].astype(str) + ", " if "group" in rows else ""
    return list(where + shown_rows(rows).astype(str).str.slice(0, 10))


def loo_pit(pit: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Histogram of the leave-one-out probability integral transform, 20 bins, with the uniform expectation.

    Args:
        pit: table `calibration_pit`.
        stamp: market and reliability.
    """
    counts, edges = np.histogram(pit["pit"], PIT_BINS, (0.0, 1.0))
    expected = len(pit) / PIT_BINS
    reach = 1.96 * np.sqrt(expected * (1 - 1 / PIT_BINS))
    words = Words(
        "Where observations fall in their predictions (LOO-PIT)",
        "Flat is calibrated. U-shaped: intervals too narrow; hump: too wide; sloped: biased. Shaded: 95 % of each bar"
        f" when calibrated ({len(pit):,} rows).", "probability integral transform, row left out", "rows",
    )  # fmt: skip
    figure = canvas(words, stamp, bargap=0.06, showlegend=False)
    figure.add_hrect(y0=max(0, expected - reach), y1=expected + reach, fillcolor=translucent(ZERO, 0.18), line_width=0)
    figure.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=counts, marker_color=BLUE, width=0.94 / PIT_BINS)
    figure.add_hline(y=expected, line={"color": VERMILION, "dash": "dash", "width": 1.4})
    return figure.update_xaxes(range=[0, 1])


def elpd_influence(pointwise: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Each row's expected log predictive density as a stem from zero; rows that sway the fit (k > 0.7) in red.

    Args:
        pointwise: table `loo_pointwise`.
        stamp: market and reliability.
    """
    heavy = (pointwise["pareto_k"] > K_LIMITS[1]).fillna(value=False).astype(bool)
    worst = pointwise.nsmallest(1, "elpd_loo")
    words = Words(
        "How well each row is predicted without itself",
        f"Low stems are badly predicted (lowest: {_row_words(worst)[0]}). Red: the row also sways"
        f" the fit, so that its score is uncertain ({int(heavy.sum())} rows).",
        axis_of(pointwise), "ELPD of the row (nats, model scale)",
    )  # fmt: skip
    figure = canvas(words, stamp)
    for name, rows, colour, size in (
        ("k ≤ 0.7", pointwise[~heavy], BLUE, 4.5), ("k > 0.7", pointwise[heavy], VERMILION, 9),
    ):  # fmt: skip
        if rows.empty:
            continue
        x, y = _stems(rows)
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": translucent(colour, 0.45), "width": 1},
                           hoverinfo="skip", showlegend=False)  # fmt: skip
        figure.add_scatter(
            x=shown_rows(rows), y=rows["elpd_loo"], mode="markers", marker={"color": colour, "size": size}, name=name,
            text=_row_words(rows), hovertemplate="%{text}<br>ELPD %{y:.2f}<extra></extra>",
        )  # fmt: skip
    return figure.add_hline(y=0, line={"color": ZERO, "width": 1})


def _stems(rows: pd.DataFrame) -> tuple[list[object], list[float | None]]:
    x: list[object] = []
    y: list[float | None] = []
    for at, value in zip(shown_rows(rows), rows["elpd_loo"], strict=True):
        x += [at, at, None]
        y += [0.0, float(value), None]
    return x, y


def tscv_elpd_by_fold(folds: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """ELPD per held-out row of each fold, with its standard error, by the first held-out date.

    Args:
        folds: table `tscv_folds`.
        stamp: market and reliability.
    """
    scored = folds[folds["elpd"].notna()]
    rows = scored["holdout_rows"]
    words = Words(
        "How well later weeks are predicted",
        f"{len(scored)} of {len(folds)} folds scored; mean log predictive density of a held-out row, ± one standard"
        " error. A fall from left to right says that the model ages.", "first held-out date", "ELPD per row (nats)",
    )  # fmt: skip
    figure = canvas(words, stamp, showlegend=False)
    colours = [SEVERITY["pass" if status == "ok" else "warn"] for status in scored["status"]]
    figure.add_scatter(
        x=scored["holdout_start"], y=scored["elpd"] / rows, mode="lines+markers",
        line={"color": FAINT, "width": 1.2}, marker={"color": colours, "size": 10},
        error_y={"type": "data", "array": scored["se_elpd"] / rows, "color": FAINT, "width": 4},
        text=[f"fold {fold}: {count} rows, RMSE {rmse:.4g}, {status}" for fold, count, rmse, status in
              scored[["fold", "holdout_rows", "rmse", "status"]].itertuples(index=False)],
        hovertemplate="%{text}<br>%{y:.3f} nats per row<extra></extra>",
    )  # fmt: skip
    return figure


def model_selection_figures(
    loo: Mapping[str, pd.DataFrame], folds: pd.DataFrame | None, stamp: Stamp
) -> dict[str, go.Figure]:
    """The figures of the stage that the evidence allows.

    Args:
        loo: tables of the asset `loo`.
        folds: table `tscv_folds`, where there is one.
        stamp: market and reliability.
    """
    figures = {}
    pointwise, pit = loo.get("loo_pointwise"), loo.get("calibration_pit")
    if pointwise is not None and pointwise["pareto_k"].notna().any():
        figures = {"pareto_k": pareto_k(pointwise, stamp), "elpd_influence": elpd_influence(pointwise, stamp)}
    if pit is not None and len(pit):
        figures["loo_pit"] = loo_pit(pit, stamp)
    if folds is not None and folds["elpd"].notna().any():
        figures["tscv_elpd_by_fold"] = tscv_elpd_by_fold(folds, stamp)
    return figures
