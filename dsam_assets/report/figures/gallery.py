"""The figures of one stage on their way to the store, with the images that a browser made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dsam_assets.report.figures.catalogue import drawings_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Width and height shrink to this share for the small picture that the UI shows inline.
PREVIEW_SCALE = 0.45

type Render = Callable[[Mapping[str, tuple[dict[str, Any], float]]], Mapping[str, bytes]]
"""Name → (figure, scale) to name → PNG; without a browser, nothing."""


@dataclass(frozen=True)
class Gallery:
    """Figures by name, PNGs by name, and one small PNG."""

    figures: Mapping[str, go.Figure]
    images: Mapping[str, bytes] = field(default_factory=dict)
    preview: bytes | None = None

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        return {"figures": len(self.figures), "images": len(self.images)}


def gallery(asset: str, figures: Mapping[str, go.Figure], outputs: Any, render: Render) -> Gallery:
    """Draw the PNGs that the switches ask for, and a preview of the first figure.

    Args:
        asset: the asset that the figures belong to.
        figures: name → figure; names are those of the catalogue.
        outputs: the switches, `config.plots`.
        render: makes PNGs.
    """
    known = drawings_of(asset)
    unknown = set(figures) - set(known)
    if unknown:
        raise ValueError(f"{asset} drew figures that the catalogue does not name: {sorted(unknown)}")
    wanted = {name: (figure.to_plotly_json(), 1.0) for name, figure in figures.items() if _wanted(known[name], outputs)}
    first = next(iter(figures), None)
    if first is not None:
        wanted[""] = (figures[first].to_plotly_json(), PREVIEW_SCALE)
    images = dict(render(wanted))
    preview = images.pop("", None)
    return Gallery(figures, images, preview)


def _wanted(drawing: Any, outputs: Any) -> bool:
    return drawing.switch is None or bool(getattr(outputs, drawing.switch))
