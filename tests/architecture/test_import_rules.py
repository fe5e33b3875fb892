"""Who may import whom."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from source_tree import ROOT, imports, modules, top_level

STAGES = (
    "config",
    "data",
    "design",
    "fit",
    "diagnostics",
    "decomposition",
    "selection",
    "drift",
    "allocation",
    "forecast",
    "report",
)
LEAVES = ("errors", "scales", "verdict", "tables")

DAGSTER = (
    "dsam_assets/assets/", "dsam_assets/definitions", "dsam_assets/running", "dsam_assets/refreshing",
    "dsam_assets/cli/serving",
    "resources/",
)  # fmt: skip
ALLOWED = {
    "dagster": DAGSTER,
    "dagster_pandas": DAGSTER,
    "dagster_webserver": ("resources/web/",),
    "cmdstanpy": ("resources/stan_runner", "resources/toolchain/"),
    "arviz": ("dsam_assets/diagnostics/", "dsam_assets/selection/", "dsam_assets/fit/draws"),
    "arviz_base": ("dsam_assets/diagnostics/", "dsam_assets/selection/", "dsam_assets/fit/draws"),
    "arviz_stats": ("dsam_assets/diagnostics/", "dsam_assets/selection/", "dsam_assets/fit/draws"),
    "xarray": ("dsam_assets/fit/container", "dsam_assets/diagnostics/", "dsam_assets/selection/", "resources/codecs"),
    "yaml": ("dsam_assets/config/",),
    "plotly": ("dsam_assets/report/",),
    "kaleido": ("resources/figure_images",),
    "choreographer": ("resources/figure_images",),
    "pandera": ("dsam_assets/tables",),
    "jinja2": ("dsam_assets/report/",),
    "formulaic": ("dsam_assets/design/",),
    "upath": ("resources/",),
    "subprocess": ("resources/toolchain/", "resources/workers"),
    "pickle": (),
    "marshal": (),
    "shelve": (),
    "dill": (),
    "joblib": (),
    "cloudpickle": (),
}

HEAVY = (
    "pandera",
    "arviz",
    "arviz_stats",
    "scipy",
    "formulaic",
    "cmdstanpy",
    "statsmodels",
    "plotly",
    "kaleido",
    "xarray",
)


def stage_of(module: str) -> str | None:
    """The stage or leaf of a module `dsam_assets/<stage>/…`, else None."""
    _, _, rest = module.partition("/")
    head = rest.partition("/")[0]
    return head if module.startswith("dsam_assets/") and head in (*STAGES, *LEAVES) else None


def imported_parts(module: str) -> set[str]:
    """What a module imports of this project: the name after `dsam_assets.`, and `resources`."""
    names = [name.split(".") for name in imports(module)]
    inner = {parts[1] for parts in names if parts[0] == "dsam_assets" and len(parts) > 1}
    return inner | ({"resources"} if any(parts[0] == "resources" for parts in names) else set())


@pytest.mark.parametrize("stage", STAGES)
def test_stages_import_from_their_left(stage: str) -> None:
    allowed = {*STAGES[: STAGES.index(stage) + 1], *LEAVES}
    for module in modules():
        if stage_of(module) == stage:
            assert imported_parts(module) <= allowed, module


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_import_leaves_only(leaf: str) -> None:
    assert imported_parts(f"dsam_assets/{leaf}") <= set(LEAVES)


def test_every_core_folder_is_a_stage() -> None:
    inner = [module.split("/") for module in modules() if module.startswith("dsam_assets/")]
    folders = {parts[1] for parts in inner if len(parts) > 2}
    assert folders - {"assets", "cli", "demo"} <= set(STAGES)


def test_resources_do_not_import_assets() -> None:
    outer = {"assets", "definitions", "running", "cli"}
    for module in modules():
        if module.startswith("resources/"):
            assert not imported_parts(module) & outer, module


@pytest.mark.parametrize("library", ALLOWED)
def test_libraries_are_imported_where_they_belong(library: str) -> None:
    users = {module for module in modules() if library in top_level(module)}
    assert {module for module in users if not module.startswith(ALLOWED[library])} == set()


def test_no_other_dagster_package_is_used() -> None:
    used = {name for module in modules() for name in top_level(module) if name.startswith("dagster")}
    assert used == {"dagster", "dagster_pandas", "dagster_webserver"}


def loaded_after(module: str) -> set[str]:
    """Top-level packages in a fresh interpreter that has imported a module."""
    code = f"import {module}, sys, json; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_definitions_load_no_heavy_library() -> None:
    loaded = loaded_after("dsam_assets.definitions")
    assert "dagster" in loaded
    assert loaded & set(HEAVY) == set()


def test_the_command_line_loads_neither_dagster_nor_pandas() -> None:
    loaded = loaded_after("dsam_assets.cli")
    assert "argparse" in loaded
    assert loaded & {"dagster", "pandas", "numpy", "pydantic", *HEAVY} == set()
