"""The specification's examples load, run, or are refused for the reason that it documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from specification_modelling import PAGES
from specification_page import HEAD, Example
from specification_schema import SCHEMA

from dsam_assets.config.schema import Config
from dsam_assets.config.schema_base import Section
from dsam_assets.errors import ConfigError, FormulaError
from dsam_assets.preflight import load_checked

EXAMPLES = [example for page in (SCHEMA, *PAGES) for example in page.examples]
FILES = (
    "data.csv", "data.rds", "data/your_data.csv", "panel.csv", "map.csv", "map.rds", "dictionary.csv", "holidays.csv",
    "holidays.rds", "data/holidays.csv",
)  # fmt: skip


def named(example: Example) -> str:
    return f"{example.page}: {' '.join(example.text.split())[:90]}"


LOADS = [example for example in EXAMPLES if not example.refused]
REFUSED = [example for example in EXAMPLES if example.refused]


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a config beside the files that the examples name, which hold nothing."""
    (tmp_path / "data").mkdir()
    for name in FILES:
        (tmp_path / name).touch()

    def write(text: str) -> Path:
        path = tmp_path / "my_run.yaml"
        path.write_text(text)
        return path

    return write


def value_at(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part) if isinstance(value, Section) else value[int(part) if part.isdigit() else part]
    return value


@pytest.mark.parametrize("example", LOADS, ids=named)
def test_examples_that_load(written: Callable[[str], Path], example: Example) -> None:
    config = load_checked(written(example.yaml)).config
    assert {key: value_at(config, key) for key in example.values} == dict(example.values)
    assert Path(config.data.path).is_absolute()
    assert config.model.type != "auto"


@pytest.mark.parametrize("example", REFUSED, ids=named)
def test_examples_that_are_refused(written: Callable[[str], Path], example: Example) -> None:
    with pytest.raises((ConfigError, FormulaError)) as caught:
        load_checked(written(example.yaml))
    assert example.refused in str(caught.value)
    assert "my_run.yaml" in str(caught.value)


def test_a_fragment_is_completed_only_where_it_has_to_be() -> None:
    assert Example("", "fit: {seed: 1}\n").yaml == HEAD["data"] + HEAD["model"] + "fit: {seed: 1}\n"
    assert Example("", "model: {name: a}\n").yaml == HEAD["data"] + "model: {name: a}\n"
    assert Example("", "data: {path: a.csv}\nmodel: {}\n").yaml == "data: {path: a.csv}\nmodel: {}\n"
