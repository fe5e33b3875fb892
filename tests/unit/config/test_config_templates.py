"""The shipped templates load, and the master shows every key with its true default."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dsam_assets.config.key_paths import dotted, schema_keys
from dsam_assets.config.load import LoadedConfig
from dsam_assets.config.schema import Config
from dsam_assets.config.templates import template, to_edit
from dsam_assets.config.yaml_loader import parse_yaml
from dsam_assets.errors import ConfigError

Load = Callable[..., LoadedConfig]


@pytest.fixture
def with_data(market: Path) -> None:
    (market / "data").mkdir()
    for name in ("your_data.csv", "your_pooling_map.csv"):
        (market / "data" / name).write_text("what is in it does not matter here\n")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("blm", "blm"), ("master", "blm"), ("re", "re"), ("cre", "cre"), ("pooled", "pooled"), ("hierarchical", "re")],
)
@pytest.mark.usefixtures("with_data")
def test_templates_load(load: Load, name: str, kind: str) -> None:
    loaded = load(template(name))
    assert loaded.config.model.type == kind


def rowless_keys() -> set[str]:
    return {key for key in schema_keys() if "[]" not in key and "<term>" not in key}


def test_the_master_template_shows_every_key_once() -> None:
    document = parse_yaml(template("master").encode(), "master.yaml")
    assert {dotted(path) for path in document.lines if not isinstance(path[-1], int)} == rowless_keys()
    described = [line for line in template("master").splitlines() if re.match(r" *[a-z_]+:", line)]
    assert [line for line in described if " # " not in line] == []


def test_the_master_template_shows_the_defaults() -> None:
    shown = Config.model_validate(parse_yaml(template("master").encode(), "master.yaml").value)
    minimal = {"data": {"path": shown.data.path}, "model": {"formula": shown.model.formula}}
    assert shown == Config.model_validate(minimal)


def test_example_rows_can_be_uncommented(load: Load) -> None:
    text = re.sub(
        r"(?m)^( *)# (- |  (?:name|spend_col|bounds|currency_col|response|term):)", r"\1\2", template("master")
    )
    config = Config.model_validate(parse_yaml(text.encode(), "master.yaml").value)
    assert [row.parameter for row in config.priors.overrides] == ["m_tv", "noise_sd"]
    assert config.boundaries.overrides[0].lower == 0
    assert config.allocation.channels[0].name == "TV"
    assert config.transforms.sensitivity.scenarios[0].name == "slower_tv"
    assert config.diagnostics.waivers[0].who == "lead analyst"


@pytest.mark.parametrize("name", ["blmm", "../master", "", "master.yaml"])
def test_unknown_templates(name: str) -> None:
    with pytest.raises(ConfigError, match="no template"):
        template(name)


@pytest.mark.parametrize("name", ["blm", "master", "re", "cre", "pooled", "hierarchical"])
def test_every_template_names_the_keys_to_edit_first(name: str) -> None:
    written = {dotted(path) for path in parse_yaml(template(name).encode(), name).lines}
    named = set(re.findall(r"[a-z]+\.[a-z_]+", to_edit(template(name))))
    assert {"data.path", "model.formula"} <= named <= written
