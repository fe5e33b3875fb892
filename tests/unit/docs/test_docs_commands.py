"""README and docs: every block is run by a test or excused, commands are commands, YAML is valid, links lead somewhere.

`recovery/test_docs_run.py` runs them; what is here takes a second.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from docs_blocks import (
    EXCUSED,
    PLAIN,
    PYTHON,
    ROOT,
    SHELL,
    YAML,
    Block,
    all_blocks,
    commands,
    excuse,
    first_command,
    pages,
)

from dsam_assets.cli.commands import build_parser
from dsam_assets.config.key_paths import keys_of
from dsam_assets.config.load import load_config

BLOCKS = all_blocks()
HEAD = {
    "data": "data: {path: data.csv, date_var: date}\n",
    "model": "model: {formula: kpi ~ trend + m_tv + m_search}\n",
}
# What a fragment leaves to the config around it.
NEEDED = {
    "allocation": {
        "scenarios": "  enabled: true\n  budget: {total: 71500}\n  channels: [{term: m_tv, bounds: {max: 90000}}]\n",
        "scenario": "  enabled: true\n  channels: [{term: m_tv, bounds: {max: 90000}}]\n",
        "objective": "  enabled: true\n  budget: {total: 9}\n  channels: [{term: m_tv, bounds: {max: 9}}]\n",
    }
}


def test_there_are_blocks_of_every_kind() -> None:
    assert {SHELL, PYTHON, YAML} <= {block.language for block in BLOCKS}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_languages_are_known_and_plain_text_holds_no_commands(block: Block) -> None:
    assert block.language in (SHELL, PYTHON, YAML, *PLAIN)
    if block.language in PLAIN:
        assert not re.search(r"^(\$ )?(dsam|make|python|pip|import) ", block.text, re.MULTILINE)


def test_every_excuse_is_needed() -> None:
    shells = {(block.page, first_command(block)) for block in BLOCKS if block.language == SHELL}
    assert {(page, first) for page, reasons in EXCUSED.items() for first in reasons} <= shells
    assert all(len(reason) > 10 for reasons in EXCUSED.values() for reason in reasons.values())


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == SHELL], ids=str)
def test_commands_parse(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands(block):
        refused = refusal(shlex.split(command)[1:])
        assert not refused, f"{command}\n{capsys.readouterr().err}"


def refusal(arguments: list[str]) -> int:
    """The exit status with which the parser ends a command, such as that of `--help`."""
    try:
        build_parser().parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_blocks_that_call_the_program_show_their_commands() -> None:
    """A command that is written in a way that `commands` does not see would go unchecked."""
    for block in BLOCKS:
        if block.language == SHELL:
            calls = [line for line in block.text.splitlines() if re.search(r"\bdsam [a-z]", line.partition(" #")[0])]
            assert len(calls) == len([command for command in commands(block) if " " in command]), str(block)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == YAML], ids=str)
def test_yaml_is_a_config(block: Block, tmp_path: Path) -> None:
    config = tmp_path / "uk.yaml"
    config.write_text(completed(block.text))
    for name in {"data.csv", *re.findall(r"[\w./]+\.csv", block.text)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("date,kpi\n2024-01-01,1\n")
    load_config(config)


def completed(text: str) -> str:
    """A fragment with what every config needs, and with what its own section needs."""
    sections = re.findall(r"^(\w+):", text, re.MULTILINE)
    assert set(sections) <= set(keys_of(""))
    for section, needs in NEEDED.items():
        own = re.findall(r"^  (\w+):", text, re.MULTILINE)
        if section in sections and "enabled" not in own:
            text = text.replace(f"{section}:\n", f"{section}:\n" + next(needs[key] for key in own if key in needs))
    return "".join(head for name, head in HEAD.items() if name not in sections) + text


def test_shell_blocks_are_not_written_for_one_machine() -> None:
    for block in BLOCKS:
        if block.language == SHELL and not excuse(block):
            assert "sudo" not in block.text
            assert not re.search(r"(^|\s)(/|~/)", block.text), str(block)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target), link


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower().replace("`", "")).replace(" ", "-") for line in found}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in pages():
        if page.parent != ROOT and page.name != "README.md":
            assert f"]({page.relative_to(ROOT / 'docs')})" in index, page.name
