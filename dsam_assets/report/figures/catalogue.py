"""Every figure of a run: its name, the asset that draws it, its stage, and the switch of its PNG.

The single place that names figures. HTML is always written; a PNG where a browser is found and the switch allows it.
Draws nothing and loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from dsam_assets.report.stages import Stage


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes:
        name: file name without extension.
        asset: the asset that draws it.
        stage: its stage.
        switch: the `outputs` key that turns its PNG off; None where there is none.
        shows: what it shows, for the reference of artefacts.
        when: when it is drawn.
    """

    name: str
    asset: str
    stage: Stage
    switch: str | None
    shows: str
    when: str = "always"


def _of(asset: str, stage: Stage, switch: str | None, *rows: tuple[str, ...]) -> tuple[Drawing, ...]:
    return tuple(Drawing(row[0], asset, stage, switch, *row[1:]) for row in rows)


DRAWINGS: tuple[Drawing, ...] = (
    *_of(
        "model_fit_plots", "model_fit", "save_fit_png",
        ("fit_timeseries", "Observed and fitted KPI over time with the 95 % predictive interval"),
        ("fit_scatter", "Observed against fitted KPI with the line of equality"),
        ("posterior_forest", "Coefficients with 90 % intervals", "the posterior was sampled"),
        ("prior_posterior", "Prior and posterior density of each media coefficient",
         "the posterior was sampled and the model has media terms"),
    ),
)  # fmt: skip

FIGURE_JSON = ".plot.json"


def drawings_of(asset: str) -> dict[str, Drawing]:
    """The figures that an asset may draw, by name."""
    return {drawing.name: drawing for drawing in DRAWINGS if drawing.asset == asset}
