"""Draw the pictures of the README: figures and report of a demo run, its terminal, and the asset graph in the UI.

    python docs/make_pictures.py

It runs the demo in a folder of its own and needs Chrome or Chromium (`DSAM_BROWSER` names one). The pictures go to
docs/images/; look at each before it is committed.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
FIGURES = (
    "20_model_fit/fit_timeseries.png",
    "30_post_run/decomp_waterfall.png",
    "60_optimisation/budget_response_curves.png",
    "70_forecast/forecast.png",
)
MOST_BYTES, MOST_IN_ALL = 150_000, 1_000_000
REPORT_SIZE, UI_SIZE = "1000,860", "1400,780"
SCALE = 0.8
UI_PAGES = {
    "assets.png": "locations/__repository__@dsam_assets.definitions/asset-groups/60_optimisation?",
    "checks.png": "assets/diagnostics_report?view=checks&",
}
# What the terminal picture shows: from the verdict on, without the hints at the end.
FIRST, LAST = "Verdict:", "Run folder:"
CHARACTER, LINE, MARGIN = 8.4, 19.0, 18.0
FONTS = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"


def main() -> None:
    """Make every picture and hold them to their sizes."""
    browser = _browser()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        shutil.copytree(ROOT / "configs", project / "configs", ignore=shutil.ignore_patterns(".dsam", "results"))
        text = _dsam(project, "run", "--config", "configs/blm_demo.yaml", "--run-dir", "results/demo")
        run = project / "results" / "demo"
        for name in FIGURES:
            shutil.copy(run / name, IMAGES / Path(name).name)
        (IMAGES / "run.svg").write_text(terminal(shown_lines(text)), encoding="utf-8")
        page = (run / "80_interpretation" / "report.html").as_uri()
        _shoot(browser, project / "profile", page, IMAGES / "report.png", REPORT_SIZE)
        with _ui(project) as link:
            server, _, token = link.partition("?")
            for name, address in UI_PAGES.items():
                _shoot(browser, project / name, f"{server}{address}{token}", IMAGES / name, UI_SIZE)
    _hold_to_sizes()


def shown_lines(text: str) -> list[str]:
    """The part of a run's output that the picture shows."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(FIRST))
    last = next(number for number, line in enumerate(lines) if line.startswith(LAST))
    return ["$ dsam run --config configs/blm_demo.yaml", "…", *lines[first:last]]


def terminal(lines: list[str]) -> str:
    """Lines of text as a picture of a terminal: an SVG without scripts, fonts of the reader's machine."""
    width = max(map(len, lines)) * CHARACTER + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN:g}" y="{MARGIN + (number + 0.75) * LINE:g}" xml:space="preserve">{html.escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">',
            f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#1f2430"/>',
            f'<g font-family="{FONTS}" font-size="14" fill="#e6e9f0">',
            *rows,
            "</g>",
            "</svg>\n",
        ]
    )


def _browser() -> str:
    chosen = os.environ.get("DSAM_BROWSER", "")
    found = chosen or next(filter(None, map(shutil.which, ("google-chrome", "chromium", "chromium-browser"))), None)
    if not found or found == "none":
        sys.exit("Chrome or Chromium is needed; DSAM_BROWSER names one.")
    return found


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DSAM_STORE", "DAGSTER_HOME")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dsam_assets.cli", *arguments]


def _dsam(project: Path, *arguments: str) -> str:
    done = subprocess.run(_command(*arguments), cwd=project, env=_environment(), stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


@contextmanager
def _ui(project: Path) -> Iterator[str]:
    """The UI of the project; yields the link that it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        _command("ui", "--port", str(port), "--configs", "configs"),
        cwd=project,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield _link(server, port)
    finally:
        server.terminate()
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()


def _link(server: subprocess.Popen[str], port: int) -> str:
    """The link with the token, once the server answers."""
    for line in server.stdout or ():
        if found := re.search(r"http://\S+", line):
            break
    else:
        sys.exit("The UI did not start.")
    for _ in range(120):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return found[0]
        time.sleep(1)
    sys.exit("The UI does not answer.")


def _shoot(browser: str, profile: Path, address: str, target: Path, size: str) -> None:
    """A picture of a page as the browser shows it."""
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
        f"--window-size={size}", f"--force-device-scale-factor={SCALE}", "--virtual-time-budget=25000",
        f"--screenshot={target}", address,
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=180, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _hold_to_sizes() -> None:
    sizes = {path.name: path.stat().st_size for path in sorted(IMAGES.iterdir())}
    for name, size in sizes.items():
        print(f"{name:32} {size / 1000:6.0f} kB")
    too_large = [name for name, size in sizes.items() if size > MOST_BYTES]
    if too_large or sum(sizes.values()) > MOST_IN_ALL:
        sys.exit(f"too large: {', '.join(too_large) or 'all together'}")


if __name__ == "__main__":
    main()
