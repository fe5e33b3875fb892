"""docs/artefacts.md says what the product's tables say of every file and column."""

from __future__ import annotations

import re

from artefacts_page import FIGURES, PAGE, page

from dsam_assets.config.schema_outputs import OutputsSection
from dsam_assets.report.artefact_notes import NOTES
from dsam_assets.report.artefacts import ARTEFACTS
from dsam_assets.report.conditions import CONDITIONS
from dsam_assets.report.tables import TABLES

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    """If it is not: `PYTHONPATH=. python tests/write_docs.py`."""
    assert page() == TEXT


def test_every_file_is_explained_and_nothing_else_is() -> None:
    files = {artefact.file for artefact in ARTEFACTS}
    assert files - FIGURES == set(NOTES)
    assert all(text.endswith(".") and len(text) > 10 for text in NOTES.values())


def test_every_condition_is_used() -> None:
    assert {artefact.condition for artefact in ARTEFACTS} == set(CONDITIONS)


def test_every_table_of_a_run_has_its_columns_on_the_page() -> None:
    for artefact in ARTEFACTS:
        if artefact.file.endswith(".csv"):
            section = TEXT.split(f"\n### {artefact.file}\n")[1].split("\n### ")[0]
            expected = [column.name for column in TABLES[artefact.member.removesuffix(".csv")].columns]
            assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == expected


def test_links_lead_somewhere() -> None:
    headings = {re.sub(r"[^\w-]", "", line.lower()) for line in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links
    assert links <= headings


def test_switches_on_the_page_are_keys_of_the_config() -> None:
    named = set(re.findall(r"`(save_\w+)`", TEXT))
    assert named
    assert named <= set(OutputsSection.model_fields)
