"""A figure as a page of its own, which shares one copy of plotly.js with the other pages of its run folder."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files

SCRIPT = "plotly.min.js"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ margin: 0; background: #fff; font-family: Inter, "Segoe UI", Helvetica, Arial, sans-serif; }}
  #figure {{ max-width: 1200px; margin: 0 auto; }}
</style>
<script src="{script}"></script>
</head>
<body>
<div id="figure"></div>
<script>
  const figure = {figure};
  delete figure.layout.width;
  Plotly.newPlot("figure", figure.data, figure.layout, {{responsive: true, displaylogo: false}});
</script>
</body>
</html>
"""


def figure_page(figure_json: str, title: str, script: str) -> str:
    """An HTML page that draws a figure.

    Args:
        figure_json: the figure as plotly writes it.
        title: the page's title.
        script: path of plotly.js, relative to the page.
    """
    return _PAGE.format(
        title=html.escape(title), script=html.escape(script), figure=script_safe(json.dumps(json.loads(figure_json)))
    )


def figure_of(page: str) -> str:
    """The figure of such a page, as JSON.

    Raises:
        ValueError: the page is not one that `figure_page` wrote.
    """
    found = re.search(r"^  const figure = (\{.*\});$", page, re.MULTILINE)
    if found is None:
        raise ValueError("the page holds no figure")
    return found[1]


def script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in: a column may be called `</script>`."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def plotly_script() -> bytes:
    """The plotly.js that belongs to the installed plotly."""
    return files("plotly").joinpath("package_data", SCRIPT).read_bytes()
