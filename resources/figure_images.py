"""PNG images of figures, drawn by one headless browser that lives as long as the run."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

PROGRESS = logging.getLogger("dsam.images")
BROWSER = "DSAM_BROWSER"
NONE = "none"


def find_browser(chosen: str = "") -> str | None:
    """Path of the browser that draws images: `chosen`, else `DSAM_BROWSER`, else Chrome or Chromium of this machine.

    `none` in either place stands for no browser.
    """
    name = chosen or os.environ.get(BROWSER, "")
    if name:
        return None if name == NONE else name
    from choreographer.browsers.chromium import Chromium

    return Chromium.find_browser(skip_local=False)


class FigureImages(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Draws PNGs where there is a browser, and says once what is missing where there is none."""

    browser: str = ""
    _open: bool = PrivateAttr(default=False)
    _told: bool = PrivateAttr(default=False)

    def marker(self) -> str:
        """Part of an image's version: without it, figures that were drawn without a browser would stay so."""
        return NONE if find_browser(self.browser) is None else "chrome"

    def render(self, figures: Mapping[str, tuple[dict[str, Any], float]]) -> dict[str, bytes]:
        """PNG of each figure at its scale; nothing without a browser."""
        browser = find_browser(self.browser) if figures else None
        if browser is None:
            if figures and NONE not in (self.browser, os.environ.get(BROWSER)):
                self._tell()
            return {}
        import kaleido

        if not self._open:
            kaleido.start_sync_server(path=browser, mathjax=False, silence_warnings=True)
            self._open = True
        return {name: self._png(figure, scale) for name, (figure, scale) in figures.items()}

    def _png(self, figure: dict[str, Any], scale: float) -> bytes:
        import kaleido

        layout = figure["layout"]
        size = {"width": layout.get("width"), "height": layout.get("height"), "scale": scale}
        return bytes(kaleido.calc_fig_sync(figure, opts={"format": "png", **size}))

    def _tell(self) -> None:
        if not self._told:
            PROGRESS.warning("No Chrome or Chromium was found, so figures are HTML only; %s names one.", BROWSER)
            self._told = True

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._open:
            import kaleido

            kaleido.stop_sync_server(silence_warnings=True)
            self._open = False
