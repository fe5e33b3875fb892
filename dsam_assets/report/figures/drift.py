"""What changed since the last fit, by channel: the return then and now, or the coefficient where there is no return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas, row_height
from dsam_assets.report.figures.intervals import error_bars, spread_words
from dsam_assets.report.figures.labels import label
from dsam_assets.report.figures.style import BLUE, FAINT, VERMILION, ZERO

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Z90 = 1.645
THEN, NOW = "fit before", "this fit"
APART = 0.17  # of a row, so that two intervals do not cover each other


def channel_drift(channels: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Return of each channel under the fit before and under this one, with 90 % intervals, the best on top.

    Args:
        channels: table `drift_channels`; the rows of all panel units together with a return in one of the fits.
        stamp: market and reliability.
    """
    rows = channels[(channels["group"] == "all") & channels[["return", "return_previous"]].notna().any(axis=1)]
    rows = rows.sort_values("return", na_position="first")
    metric, unit = str(rows["metric"].iloc[0]).upper(), str(rows["metric_unit"].iloc[0])
    changed = int(rows["story_changed"].sum())
    words = Words(
        f"{metric} by channel, before and now",
        f"{spread_words(rows[['return_q05', 'return_q05_previous']], 'Posterior means and 90 % intervals')},"
        f" over the data of each fit. {_marked(changed)}", f"{metric} ({unit})", "",
    )  # fmt: skip
    columns = (
        ("return_previous", "return_q05_previous", "return_q95_previous"),
        ("return", "return_q05", "return_q95"),
    )
    return _dumbbell(rows, rows["channel"], columns, words, stamp)


def coefficient_drift(parameters: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Coefficients under the fit before and under this one, from the mean and in sd of the fit before.

    Args:
        parameters: table `drift_parameters`; the population's coefficients that both fits have, with a spread.
        stamp: market and reliability.
    """
    both = parameters[(parameters["group"] == "all") & (parameters["kind"] == "coefficient")]
    rows = both[both["sd_previous"] > 0].sort_values("shift_previous_sd", key=np.abs)
    sd = rows["sd_previous"]
    rows = rows.assign(
        then=0.0, then_low=-Z90, then_high=Z90, now=rows["shift_previous_sd"],
        now_low=(rows["shift"] - Z90 * rows["sd"]) / sd, now_high=(rows["shift"] + Z90 * rows["sd"]) / sd,
        story_changed=False,
    )  # fmt: skip
    words = Words(
        "Coefficients, before and now",
        "Shifts of the estimate in standard deviations of the fit before, the largest on top."
        f" {spread_words(rows['sd'], 'Intervals are 90 %')}.",
        "sd of the previous posterior", "",
    )  # fmt: skip
    columns = (("then", "then_low", "then_high"), ("now", "now_low", "now_high"))
    return _dumbbell(rows, rows["parameter"], columns, words, stamp)


def _marked(changed: int) -> str:
    if not changed:
        return "No channel's story changed."
    return f"{'One channel' if changed == 1 else f'{changed} channels'} marked with ●: the story changed."


def _dumbbell(
    rows: pd.DataFrame,
    names: pd.Series,
    columns: tuple[tuple[str, str, str], tuple[str, str, str]],
    words: Words,
    stamp: Stamp,
) -> go.Figure:
    figure = canvas(words, stamp, height=row_height(len(rows), 40))
    at = np.arange(len(rows))
    for (middle, low, high), name, colour, symbol, offset in (
        (columns[0], THEN, FAINT, "circle-open", APART),
        (columns[1], NOW, BLUE, "circle", -APART),
    ):
        values, lower, upper = (rows[each].to_numpy(dtype=np.float64) for each in (middle, low, high))
        figure.add_scatter(
            x=values, y=at + offset, mode="markers", name=name, customdata=[label(each) for each in names],
            error_x=error_bars(values, lower, upper, colour, thickness=1.6, width=0),
            hovertemplate=f"%{{customdata}}, {name}: %{{x:,.3g}}<extra></extra>",
            marker={"color": colour, "size": 9, "symbol": symbol, "line": {"width": 2, "color": colour}},
        )  # fmt: skip
    marks = ["● " if changed else "" for changed in rows["story_changed"]]
    texts = [mark + label(name) for mark, name in zip(marks, names, strict=True)]
    figure.update_yaxes(showgrid=False, zeroline=False, tickvals=at, ticktext=texts, range=[-0.6, len(rows) - 0.4])
    if _crosses_zero(rows, columns):
        figure.add_vline(x=0, line={"color": ZERO, "width": 1})
    for place in at[rows["story_changed"].to_numpy(dtype=bool)]:
        figure.add_hrect(y0=place - 0.5, y1=place + 0.5, fillcolor=VERMILION, opacity=0.07, line_width=0, layer="below")
    return figure


def _crosses_zero(rows: pd.DataFrame, columns: tuple[tuple[str, str, str], tuple[str, str, str]]) -> bool:
    values = rows[[name for each in columns for name in each]].to_numpy(dtype=np.float64)
    return bool(np.nanmin(values) <= 0 <= np.nanmax(values))


def drift_figures(tables: Mapping[str, pd.DataFrame], stamp: Stamp) -> dict[str, go.Figure]:
    """`refresh_drift`, when there is a fit before; of returns where a channel has one, else of coefficients.

    Args:
        tables: the tables of the asset `refresh_drift`.
        stamp: market and reliability.
    """
    channels, parameters = tables.get("drift_channels"), tables.get("drift_parameters")
    if channels is not None:
        returns = channels.loc[channels["group"] == "all", ["return", "return_previous"]]
        if bool(returns.notna().to_numpy().any()):
            return {"refresh_drift": channel_drift(channels, stamp)}
    if parameters is not None and bool(((parameters["sd_previous"] > 0) & parameters["shift"].notna()).any()):
        return {"refresh_drift": coefficient_drift(parameters, stamp)}
    return {}
