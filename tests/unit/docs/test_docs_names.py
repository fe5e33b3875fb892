"""Names in README and docs are those of the product: files, config keys, checks, and what Python may import."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from docs_blocks import ROOT, pages

import dsam_assets
from dsam_assets.config.key_paths import keys_of, schema_keys
from dsam_assets.fitted_model import FittedModel
from dsam_assets.loaded_run import LoadedRun
from dsam_assets.report.artefacts import ARTEFACTS, STAGED_FOLDERS
from dsam_assets.verdict import CHECKS

TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages()}
FILES = {artefact.file for artefact in ARTEFACTS} | {"run_manifest.json", "plotly.min.js"}
# Pages that are written by hand; the others are made from the product, or speak of files that are no run's.
HAND = sorted(set(TEXTS) - {"docs/artefacts.md", "docs/calibration.md", "docs/fleet.md", "docs/drift.md"})


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL)


def quoted(page: str) -> list[str]:
    """What stands between back-quotes on a page."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def in_runs(name: str) -> bool:
    """Whether a name, with stars for what is left open, is that of a file of a run."""
    return any(fnmatch(file, name) for file in FILES)


@pytest.mark.parametrize("page", HAND)
def test_files_of_a_run_exist(page: str) -> None:
    stages = "|".join(map(re.escape, STAGED_FOLDERS.values()))
    for name in quoted(page):
        found = re.fullmatch(rf"(?:results/\w+/)?(?:(?:{stages})/)?([\w*]+\.(?:csv|html|json|nc))", name)
        # a path of another kind, such as data/uk.csv, does not match
        if found and "/" not in found[1] and found[1] != "pooled_demo.map.csv":
            assert in_runs(found[1]), f"{page}: {name}"


@pytest.mark.parametrize("page", HAND)
def test_config_keys_exist(page: str) -> None:
    known = {re.sub(r"\[\]|\.<term>", "", key) for key in schema_keys()}
    for name in quoted(page):
        key = re.split(r"[:=\s]", name)[0].replace("[]", "").rstrip(".…")
        first, _, rest = key.partition(".")
        if first in keys_of("") and rest and re.fullmatch(r"[\w.]+", key) and not in_runs(key):
            assert key in known, f"{page}: {name}"


@pytest.mark.parametrize("page", [page for page in HAND if "how-to" in page or page == "docs/model.md"])
def test_checks_exist(page: str) -> None:
    for name in quoted(page):
        if re.match(r"(pre|sampler|resid|loo|calibration|boundary|within|prior_predictive|optimiser)_[a-z*_]+$", name):
            files = {Path(file).stem for file in FILES}
            assert any(fnmatch(check, name) for check in CHECKS) or name in files, f"{page}: {name}"


def test_what_can_be_imported_is_told() -> None:
    page = TEXTS["docs/how-to/use-from-python.md"]
    table = page.split("## A model")[0]
    told = {name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == set(dsam_assets.__all__)
    assert f"{['', '', '', '', '', 'Five', 'Six', 'Seven', 'Eight'][len(told)]} names" in page


def test_verbs_exist() -> None:
    verbs = re.findall(
        r"^\| (`.+?) \|", TEXTS["docs/how-to/use-from-python.md"].split("## Fit and look")[1], re.MULTILINE
    )
    names = {name for row in verbs for name in re.findall(r"`(\w+)\(", row)}
    assert len(names) > 10
    assert [name for name in names if not hasattr(FittedModel, name) and not hasattr(LoadedRun, name)] == []
