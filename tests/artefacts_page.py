"""docs/artefacts.md, made from the tables of the product: every file of a run folder, and every column in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from dsam_assets.report.artefact_notes import NOTES
from dsam_assets.report.artefacts import ARTEFACTS, DECISIONS, STAGE_GATED_FOLDERS, STAGED_FOLDERS, Artefact
from dsam_assets.report.conditions import CONDITIONS
from dsam_assets.report.figures.catalogue import DRAWINGS
from dsam_assets.report.stages import Stage
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import Column, Table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "artefacts.md"
FIGURES = {f"{drawing.name}.{kind}" for drawing in DRAWINGS for kind in ("html", "png")}
KINDS = {"flag": "true/false"}

HEAD = """\
# Files of a run

<!-- Written by tests/write_docs.py from the product's tables; a test compares it. -->

A run folder holds everything about one run of one market. It can be copied, zipped and mailed: nothing in it points
outside. `run_manifest.json` is written last, so a folder with a manifest is complete.

## Where it is

The first of these that is given:

1. `dsam run --run-dir FOLDER`,
2. `outputs.run_dir` in the config (relative to `outputs.root_dir`),
3. a dated folder below `outputs.root_dir`: `results/20260105_090000_uk`. The default root is `results` beside the
   config.

A folder that exists and is not empty is kept. With `outputs.overwrite: true` it is replaced, if it holds nothing but a
run's files: a file of yours in it is never deleted, the run is refused. The new folder is built beside its place and
renamed, so there is always a whole one. `dsam validate` writes nothing, or with a run folder (1 or 2) the files of
`run_metadata` alone.

## Layouts

`outputs.layout` chooses the folders. `flat` has none.
"""

READING = """\
## Reading them

CSV files are UTF-8 with a header; numbers are written so that reading gives the same number back. Text that a
spreadsheet would run as a formula has an apostrophe in front. Missing values are empty.

```python
import dsam_assets

run = dsam_assets.load_run("results/20260105_090000_uk")
print(run.summary())  # posterior_summary.csv, from the draws
print(run.report.overall, run.report.reliability)  # the verdict
print(run.table("decomp_channels"))  # any table, checked against the manifest
```

`load_run` needs the folder alone: no config, no data file, no store. It gives a fitted model with every verb of the
Python API.

## The manifest

`run_manifest.json` says `market`, `model_name`, `status` (`complete`, or `halted` by a gate), `created` (UTC),
`verdict` (`overall`, `reliability`, `converged`, `waivers`), `data_sha256`, and

| Part | What it holds |
|---|---|
| `stages` | by stage: `folder`, `status` (`complete`, or `withheld` by a gate), number of `files`, `seconds` |
| `assets` | by asset: `data_version` (hash of its content), `code_version`, `seconds` (a reused asset keeps its own) |
| `files` | by path: `sha256` and `bytes` |

A halted run has no files of the assets marked † below.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, _layouts(), READING, "## Files by stage\n", *map(_stage, get_args(Stage)), _columns()]
    return "\n".join(parts).rstrip() + "\n"


def _layouts() -> str:
    rows = [f"| `{stage}` | `{STAGED_FOLDERS[stage]}` | `{STAGE_GATED_FOLDERS[stage]}` |" for stage in get_args(Stage)]
    return "\n".join(["| Stage | `staged` (default) | `stage_gated` |", "|---|---|---|", *rows, ""])


def _stage(stage: Stage) -> str:
    mine = [artefact for artefact in ARTEFACTS if artefact.stage == stage]
    files = [artefact for artefact in mine if artefact.file not in FIGURES]
    rows = ["| File | Asset | Switch in `outputs` | Written when | What it is |", "|---|---|---|---|---|"]
    rows += [
        f"| {_linked(each.file)} | {_asset(each)} | {_switches(each)} | {CONDITIONS[each.condition]} | "
        f"{NOTES[each.file]} |"
        for each in files
    ]
    return "\n".join([f"### {STAGED_FOLDERS[stage]}: {stage}\n", *(rows if files else []), *_figures(stage), ""])


def _figures(stage: Stage) -> Iterator[str]:
    drawings = [drawing for drawing in DRAWINGS if drawing.stage == stage]
    if not drawings:
        return
    yield "\nFigures, each as a page (`.html`, always) and as an image (`.png`, where a browser is found):\n"
    yield "| Figure | Asset | Switch of the image | Drawn when | What it shows |"
    yield "|---|---|---|---|---|"
    for each in drawings:
        switch = f"`{each.switch}`" if each.switch else "–"
        mark = " †" if each.asset in DECISIONS else ""
        yield f"| `{each.name}` | `{each.asset}`{mark} | {switch} | {CONDITIONS[each.when]} | {each.shows}. |"


def _asset(artefact: Artefact) -> str:
    return f"`{artefact.asset}`" + (" †" if artefact.asset in DECISIONS else "")


def _switches(artefact: Artefact) -> str:
    return " or ".join(f"`{switch}`" for switch in artefact.switches) or "–"


def _linked(file: str) -> str:
    return f"[`{file}`](#{file.replace('.', '')})" if file.endswith(".csv") else f"`{file}`"


def _columns() -> str:
    tables = [artefact for artefact in ARTEFACTS if artefact.file.endswith(".csv")]
    parts = ["## Columns\n", "“May be missing” says that a cell can be empty; what has no number is left empty.\n"]
    parts += [_table(artefact.file, TABLES[artefact.member.removesuffix(".csv")]) for artefact in tables]
    return "\n".join(parts)


def _table(file: str, table: Table) -> str:
    more = ", and a column for each of what it names" if table.open else ""
    rows = [f"| `{c.name}` | {KINDS.get(c.kind, c.kind)} | {_unit(c)} | {_meaning(c)} |" for c in table.columns]
    head = [
        f"### {file}\n",
        f"One row: {table.row}{more}.\n",
        "| Column | Kind | Unit | What it is |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def _unit(column: Column) -> str:
    plain = column.unit in (column.kind, KINDS.get(column.kind))
    return "–" if plain else _escaped(column.unit)


def _meaning(column: Column) -> str:
    choices = "" if column.one_of is None else "; one of " + ", ".join(f"`{choice}`" for choice in column.one_of)
    limits = [] if column.at_least is None else [f"≥ {column.at_least:g}"]
    limits += [] if column.at_most is None else [f"≤ {column.at_most:g}"]
    bounds = f"; {', '.join(limits)}" if limits else ""
    absent = "; may be missing" if column.nullable else ""
    present = "" if column.required else "; not in every table"
    return _escaped(f"{column.description}{choices}{bounds}{absent}{present}")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
