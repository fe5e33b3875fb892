"""docs/config.md and the master template say what the config schema says of every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from config_page import MASTER, PAGE, Key, anchor, keys, master, members, page, refusal
from config_words import CONFLICTS, GROUPS, Conflict
from pydantic import TypeAdapter
from pydantic_core import PydanticUndefined

from dsam_assets.config.key_paths import schema_keys
from dsam_assets.config.load import load_config
from dsam_assets.config.rules import RULES
from dsam_assets.config.schema import Config
from dsam_assets.config.yaml_loader import parse_yaml

TEXT = PAGE.read_text(encoding="utf-8")
KEYS = {key.path: key for key in keys()}
# Numbers that count nothing and are ratios of nothing with a unit.
PURE = {
    "seed", "init", "adapt_delta", "max_treedepth", "stepsize", "n", "lambda", "quantile", "pareto_k_warn",
    "pareto_k_fail", "abs_corr_warn", "abs_corr_fail",
}  # fmt: skip


def shown_values(key: Key) -> str:
    """The column Values of a key."""
    section, _, name = key.path.rpartition(".")
    part = TEXT.split(f"# `{section}`\n")[1].split("\n#")[0]
    return str(re.search(rf"^\| `{name}` \| (.+?) \|", part, re.MULTILINE)[1])  # type: ignore[index]


def rows() -> list[Key]:
    return [key for key in KEYS.values() if key.row and "." in key.path]


def test_the_page_is_up_to_date() -> None:
    """If it is not: `PYTHONPATH=. python tests/write_docs.py`."""
    assert page() == TEXT


def test_the_master_template_says_the_same() -> None:
    assert master() == MASTER.read_text(encoding="utf-8")


def test_the_keys_are_those_of_the_schema() -> None:
    assert list(KEYS) == list(schema_keys())


def test_every_key_is_on_the_page_once() -> None:
    shown = [key.path for group in GROUPS for key in members(group)]
    assert sorted([*shown, "schema_version"]) == sorted(path for path, key in KEYS.items() if key.row)
    for group in GROUPS:
        part = TEXT.split(f"# `{group.path}`\n")[1].split("\n#")[0]
        expected = [key.name for key in members(group)]
        assert re.findall(r"^\| `([a-z_]+)` \|", part, re.MULTILINE) == expected


def test_every_key_has_a_meaning_of_its_own() -> None:
    for path, key in KEYS.items():
        assert key.field.description, path
        assert len(key.field.description) > 5, path


def test_numbers_have_units() -> None:
    numbers = [key for key in rows() if re.match("(whole )?number", shown_values(key))]
    assert {key.name for key in numbers if not key.unit} == PURE
    assert [key.path for key in numbers if key.unit and key.name in PURE] == []


def test_keys_whose_default_says_nothing_have_an_example() -> None:
    for key in rows():
        choices = shown_values(key).startswith("`")
        if key.field.default in (None, (), {}, PydanticUndefined) and not choices:
            assert key.field.examples, key.path


@pytest.mark.parametrize("path", [path for path, key in KEYS.items() if key.field.examples])
def test_examples_are_values_of_their_key(path: str) -> None:
    adapter: TypeAdapter[object] = TypeAdapter(KEYS[path].hint)
    for example in KEYS[path].field.examples or ():
        adapter.validate_python(example)


def completed(text: str) -> str:
    """A section with the sections that every config needs."""
    head = {"data": "data: {path: data.csv, date_var: date}\n", "model": "model: {formula: kpi ~ trend + m_tv}\n"}
    own = re.findall(r"^(\w+):", text, re.MULTILINE)
    return "".join(line for name, line in head.items() if name not in own) + text


@pytest.mark.parametrize("path", [group.path for group in GROUPS if group.example])
def test_examples_of_sections_load(path: str, tmp_path: Path) -> None:
    (group,) = (group for group in GROUPS if group.path == path)
    assert f"```yaml\n{group.example.strip()}\n```" in TEXT
    for name in re.findall(r"[\w./]+\.csv", completed(group.example)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("date,kpi\n2024-01-01,1\n")
    config = tmp_path / "uk.yaml"
    config.write_text(completed(group.example))
    assert load_config(config).config


def test_every_rule_between_keys_is_shown() -> None:
    broken = {rule.__name__ for rule in RULES for conflict in CONFLICTS if any(rule(read(conflict)))}
    assert broken == {rule.__name__ for rule in RULES}


def read(conflict: Conflict) -> Config:
    return Config.model_validate(parse_yaml(conflict.yaml.encode(), "uk.yaml").value)


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda conflict: conflict.written)
def test_every_conflict_is_one_problem(conflict: Conflict) -> None:
    what, _ = refusal(conflict)
    assert "problems in" not in what


def test_links_lead_somewhere() -> None:
    headings = {anchor(line) for line in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
