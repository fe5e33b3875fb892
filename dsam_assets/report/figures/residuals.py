"""Stage 40: what the model leaves unexplained, over time, against its fit, in distribution and in autocorrelation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, place
from dsam_assets.report.figures.series import axis_of, panels_of, shown_rows, thinned
from dsam_assets.report.figures.style import BLUE, SEVERITY, ZERO, translucent
from dsam_assets.report.numbers import compact

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

BINS = 40
# More panels of histograms than this say less than one.
MOST_HISTOGRAMS = 6
COLUMNS = 3


def residuals_timeseries(residuals: pd.DataFrame, scale: str, stamp: Stamp) -> go.Figure:
    """Residuals by row around zero; one panel per panel unit.

    Args:
        residuals: table `residuals`, model scale.
        scale: the scale in words, e.g. `log(sales)`.
        stamp: market and reliability.
    """
    words = Words(
        "Residuals over time", f"Observed minus fitted. {_spread(residuals)} A trend, a season or a cluster is"
        " something that the model has missed.", axis_of(residuals), f"residual of {scale}",
    )  # fmt: skip

    def draw(add: Callable[..., Any], frame: pd.DataFrame) -> None:
        add(
            x=shown_rows(frame), y=frame["residual"], mode="lines+markers", marker_size=3.5,
            line={"color": BLUE, "width": 1.1},
        )  # fmt: skip

    return _by_unit(words, stamp, residuals, draw, columns=2, zero="h")


def residuals_vs_fitted(residuals: pd.DataFrame, scale: str, stamp: Stamp) -> go.Figure:
    """Residuals against fitted values; one panel per panel unit. Arguments as `residuals_timeseries`."""
    words = Words(
        "Residuals against fitted values", "A funnel says that the noise grows with the KPI, a curve that the mean is"
        " misspecified.", f"fitted {scale}", f"residual of {scale}",
    )  # fmt: skip

    def draw(add: Callable[..., Any], frame: pd.DataFrame) -> None:
        add(
            x=frame["fitted"], y=frame["residual"], mode="markers",
            marker={"color": translucent(BLUE, 0.55), "size": 6, "line": {"color": BLUE, "width": 0.6}},
        )  # fmt: skip

    return _by_unit(words, stamp, residuals, draw, columns=COLUMNS, zero="h")


def residuals_hist(residuals: pd.DataFrame, scale: str, stamp: Stamp) -> go.Figure:
    """Distribution of the residuals beside the normal curve of the same spread; panels for up to six panel units."""
    frame = residuals
    if "group" in frame and frame["group"].nunique() > MOST_HISTOGRAMS:
        frame = frame.drop(columns="group")
    words = Words(
        "Distribution of the residuals", f"{_shape(residuals)} Line: normal distribution of the same spread.",
        f"residual of {scale}", "rows",
    )  # fmt: skip
    panels = panels_of(frame)
    figure = _panels(words, stamp, panels, COLUMNS)
    for index, part in enumerate(panels.values()):
        values, where = part["residual"].to_numpy(), _where(index, panels, COLUMNS)
        counts, edges = np.histogram(values, BINS)
        middles, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        figure.add_bar(x=middles, y=counts, width=width, marker_color=translucent(BLUE, 0.6), showlegend=False, **where)
        spread = values.std(ddof=1)
        curve = np.exp(-0.5 * ((middles - values.mean()) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
        figure.add_scatter(
            x=middles, y=curve * len(values) * width, mode="lines", line={"color": ZERO, "width": 1.6},
            showlegend=False, hoverinfo="skip", **where,
        )  # fmt: skip
    return figure.update_layout(bargap=0)


def residuals_acf(autocorrelation: pd.DataFrame, scale: str, stamp: Stamp) -> go.Figure:
    """Autocorrelation of the residuals by lag with the 95 % band of white noise; one panel per panel unit.

    Args:
        autocorrelation: group, lag, acf, band.
        scale: the scale in words.
        stamp: market and reliability.
    """
    known = autocorrelation[autocorrelation["lag"].notna()]
    outside = int((known["acf"].abs() > known["band"]).sum())
    words = Words(
        f"Autocorrelation of the residuals of {scale}",
        f"Dashed: 95 % of white noise lies inside; {outside} of {len(known)} bars are outside. Early lags speak of"
        " missing carry-over, lag 52 of missing season.", "lag (steps of the calendar)", "autocorrelation",
    )  # fmt: skip
    names = list(dict.fromkeys(known["group"]))
    panels = {name if len(names) > 1 else "": known[known["group"] == name] for name in names[:24]}
    figure = _panels(words, stamp, panels, 2)
    for index, part in enumerate(panels.values()):
        where = _where(index, panels, 2)
        beyond = part["acf"].abs() > part["band"]
        figure.add_bar(
            x=part["lag"].astype(int), y=part["acf"], showlegend=False, width=0.5,
            marker_color=np.where(beyond, SEVERITY["fail"], BLUE), **where,
        )  # fmt: skip
        for side in (1, -1):
            figure.add_scatter(
                x=part["lag"].astype(int), y=side * part["band"], mode="lines", showlegend=False, hoverinfo="skip",
                line={"color": SEVERITY["fail"], "dash": "dash", "width": 1}, **where,
            )  # fmt: skip
    return figure.update_yaxes(zeroline=True)


def _by_unit(
    words: Words, stamp: Stamp, frame: pd.DataFrame, draw: Callable[..., None], *, columns: int, zero: str
) -> go.Figure:
    panels = panels_of(frame)
    figure = _panels(words, stamp, panels, columns)
    for index, part in enumerate(panels.values()):
        where = _where(index, panels, columns)

        def add(where: Mapping[str, int] = where, **trace: Any) -> None:
            figure.add_scatter(showlegend=False, **trace, **where)

        draw(add, thinned(part))
    if zero == "h":
        figure.add_hline(y=0, line={"color": ZERO, "width": 1})
    return figure


def _panels(words: Words, stamp: Stamp, panels: Mapping[str, pd.DataFrame], columns: int) -> go.Figure:
    return facets(words, stamp, list(panels), columns=columns) if len(panels) > 1 else canvas(words, stamp)


def _where(index: int, panels: Mapping[str, pd.DataFrame], columns: int) -> dict[str, int]:
    return place(index, min(columns, len(panels))) if len(panels) > 1 else {}


def _spread(residuals: pd.DataFrame) -> str:
    values = residuals["residual"].to_numpy()
    worst = int(np.abs(values).argmax())
    when = str(residuals["date"].iloc[worst])[:10] if "date" in residuals else f"row {residuals['row'].iloc[worst]}"
    return f"Standard deviation {compact(values.std(ddof=1))}; the largest, {compact(values[worst])}, is at {when}."


def _shape(residuals: pd.DataFrame) -> str:
    """Skewness and excess kurtosis, 0 for a normal distribution."""
    centred = residuals["residual"].to_numpy() - residuals["residual"].mean()
    second = np.mean(centred**2)
    skewness, kurtosis = np.mean(centred**3) / second**1.5, np.mean(centred**4) / second**2 - 3
    return f"Skewness {skewness:.2f}, excess kurtosis {kurtosis:.2f} (a normal distribution has 0 and 0)."
