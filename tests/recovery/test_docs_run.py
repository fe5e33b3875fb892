"""Every command and every Python block of README and docs runs as it is written, page by page.

A page starts in a project with the demo configs, in which the demo market has been run, as the README begins. Its
blocks run in their order: shell by shell, Python in one process, and YAML that names its file is written there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs_blocks import PYTHON, ROOT, SHELL, YAML, Block, blocks, excuse, pages

pytestmark = [pytest.mark.stan, pytest.mark.slow]

RUNNABLE = [page for page in pages() if any(block.language in (SHELL, PYTHON) for block in blocks(page))]
# What pages take for granted: a run folder of that name, and for fragments the names that they use.
RUNS = {"docs/artefacts.md": ("results/20260105_090000_uk",), "docs/drift.md": ("runs/may", "runs/june")}
PRELUDES = {
    "docs/decomposition.md": "import dsam_assets\nfitted = dsam_assets.load_run('results/demo')\n",
}
DRIVER = """\
import subprocess

def sh(place, text, status):
    print(f"--- {place}", flush=True)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"{place} ended with {done.returncode} instead of {status}"

"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `dsam` and `python` are this project's."""
    folder = tmp_path_factory.mktemp("bin")
    for name, call in {"dsam": "-m dsam_assets.cli", "python": ""}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {call} "$@"\n')
        (folder / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DSAM_CONF", "DSAM_ST", "DAGST"))}
    return kept | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tools: dict[str, str]) -> Path:
    """The demo configs, with the demo market already run into results/demo, which is kept in `demo` as well."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "configs", folder / "configs", ignore=shutil.ignore_patterns(".dsam", "results"))
    command = "dsam run --config configs/blm_demo.yaml --run-dir demo --quiet"
    subprocess.run(["bash", "-c", command], cwd=folder, env=tools, check=True, timeout=600)
    return folder


def tidy(project: Path, page: Path) -> None:
    """The project as a page finds it; the store stays, so that pages reuse each other's fits."""
    for made in ("results", "runs"):
        shutil.rmtree(project / made, ignore_errors=True)
    for path in (project / "configs").rglob("*"):
        inside = path.relative_to(project)
        if inside.parts[1] != ".dsam" and path.is_file() and not (ROOT / inside).exists():
            path.unlink()
    for run in ("results/demo", *RUNS.get(str(page.relative_to(ROOT)), ())):
        if not re.search(rf"--run-dir {run}\b(?!_)", page.read_text()):  # else the page makes it itself
            shutil.copytree(project / "demo", project / run)


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_runs(page: Path, project: Path, tools: dict[str, str]) -> None:
    tidy(project, page)
    (project / "page.py").write_text(script(page))
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=project, env=tools, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    if page.name == "use-from-python.md":
        check_search(done.stdout)


def script(page: Path) -> str:
    """A page as one program."""
    name = str(page.relative_to(ROOT))
    parts = [DRIVER, PRELUDES.get(name, "")]
    return "\n".join([*parts, *(step(block) for block in blocks(page) if not excuse(block))])


def step(block: Block) -> str:
    """What a block does in the program."""
    if block.language == SHELL:
        return f"sh({str(block)!r}, {block.text!r}, {block.status})\n"
    if block.language == YAML and block.file:
        return f"from pathlib import Path\nPath({block.file!r}).write_text({json.dumps(block.text)})\n"
    return f"print('--- {block}', flush=True)\n{block.text}" if block.language == PYTHON else ""


def check_search(printed: str) -> None:
    """Group means take back what search got from strong markets, as the page says."""
    found = {name: float(mean) for name, mean in re.findall(r"^(re|cre) \{'mean': ([0-9.]+)", printed, re.MULTILINE)}
    assert found["cre"] < found["re"]
