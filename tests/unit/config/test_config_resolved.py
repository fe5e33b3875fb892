"""Resolved YAML loads back to the same config, and digests see meaning, not spelling."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dsam_assets.config.load import (
    LoadedConfig,
    config_from_resolved,
    load_config,
    resolved_yaml,
    section_digest,
)
from dsam_assets.config.resolved import to_plain
from dsam_assets.config.schema import Config
from dsam_assets.errors import ConfigError

Load = Callable[..., LoadedConfig]
Make = Callable[..., Config]

FULL = """
data:
  path: data.csv
  date_var: date
  dictionary: {m_tv: {unit: GBP, rationale: "yes: really # big"}, "on": {unit: "1e3"}}
model: {formula: "kpi ~ trend + `a|b` + m_tv", name: "UK: 2024"}
priors: {overrides: [{parameter: m_tv, mean: 0.00001, sd: 1e20}]}
boundaries: {overrides: [{parameter: m_tv, lower: 0}, {parameter: trend, lower: -Inf, upper: 3}]}
allocation:
  enabled: true
  budget: {total: 100}
  channels:
    - {term: m_tv, bounds: {max: 80}, response: {type: hill, k: 3, n: 1}}
    - {term: trend, name: Radio, bounds: {min: 10, max: 60}}
  reference_spend: {m_tv: 1, Radio: 2}
diagnostics:
  model_selection: {pareto_k_fail: 0.9}
"""


def test_resolved_yaml_loads_back_to_the_same_config(load: Load, market: Path) -> None:
    loaded = load(FULL)
    text = resolved_yaml(loaded.config)
    assert config_from_resolved(text) == loaded.config
    (market / "again.yaml").write_text(text)
    again = load_config(market / "again.yaml")
    assert again.config == loaded.config
    assert resolved_yaml(again.config) == text


def test_changed_values_are_kept(make: Make) -> None:
    config = make({"fit.optimise.n_runs": 5, "outputs.decomp_top_n": 3, "outputs.save_fit_png": False})
    text = resolved_yaml(config)
    assert config_from_resolved(text) == config
    for line in ("n_runs: 5", "decomp_top_n: 3", "save_fit_png: false"):
        assert line in text


def test_resolved_yaml_is_in_schema_order_and_complete(load: Load) -> None:
    text = resolved_yaml(load(FULL).config)
    sections = [line.rstrip(":") for line in text.splitlines() if line and not line.startswith(" ")]
    assert sections[0] == "schema_version: 1"
    assert sections[1:] == list(Config.model_fields)[1:]
    assert "  type: blm\n" in text
    assert "    chains: 4\n" in text
    assert "      lambda: 0.0\n" in text


def test_other_yaml_readers_see_the_same_text(load: Load) -> None:
    config = load(FULL).config
    read = yaml.safe_load(resolved_yaml(config))
    assert read["data"]["dictionary"] == to_plain(config)["data"]["dictionary"]
    assert read["model"] == to_plain(config)["model"]
    assert read["priors"]["overrides"] == to_plain(config)["priors"]["overrides"]
    assert read["boundaries"]["overrides"][0]["upper"] == math.inf


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co"]), min_size=1, max_size=20
).filter(lambda text: text.strip() == text and text)
tricky = st.sampled_from(
    ["yes", "no", "null", "~", "1e3", "012", "-", "- a", "a: b", "a #b", "#", "'", '"', "\\", "[", "{", "!t", "&a",
     "*a", "%", "@", "`", "?", ":", "1:2", ".inf", "2024-01-01", "<<", "true", "0x1f", "|", ">", "a,b", "é"]
)  # fmt: skip
numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=40, deadline=None)
@given(
    name=texts | tricky,
    keys=st.dictionaries(texts | tricky, st.fixed_dictionaries({"unit": texts | tricky | st.none()}), max_size=3),
    rows=st.lists(
        st.fixed_dictionaries({"parameter": texts | tricky, "mean": numbers, "sd": st.just(1.5)}), max_size=3
    ),
    bound=st.floats(allow_nan=False),
    seed=st.none() | st.integers(0, 2**32 - 1),
    radius=st.none() | st.just("random") | st.floats(0, 1e9),
)
def test_any_valid_config_survives_the_round_trip(
    name: str, keys: dict[str, Any], rows: list[dict[str, Any]], bound: float, seed: int | None, radius: Any
) -> None:
    config = Config.model_validate(
        {
            "data": {"path": "d.csv", "dictionary": keys},
            "model": {"formula": "y ~ x", "name": name},
            "priors": {"overrides": rows},
            "boundaries": {"overrides": [{"parameter": "a", "upper": bound}]},
            "fit": {"seed": seed, "mcmc": {"init": radius}},
        }
    )
    assert config_from_resolved(resolved_yaml(config)) == config


def test_a_damaged_resolved_config_is_refused(make: Make) -> None:
    text = resolved_yaml(make())
    with pytest.raises(ConfigError, match=r"fit\.mcmc\.chains must be at least 1"):
        config_from_resolved(text.replace("chains: 4", "chains: 0"))


SECTIONS = ["data", "model", "fit", "allocation", "diagnostics"]


def test_comments_order_and_written_defaults_do_not_change_digests(load: Load) -> None:
    plain = load(FULL).config
    commented = load(FULL.replace("priors:", "# why\npriors:") + "# the end\n").config
    spelled = load(FULL + "fit: {mcmc: {chains: 4, iter: 2000}}\n").config
    swapped = load(FULL.replace("{m_tv: 1, Radio: 2}", "{Radio: 2.0, m_tv: 1.0}")).config
    for other in (commented, spelled, swapped):
        assert section_digest(other, SECTIONS) == section_digest(plain, SECTIONS)


def test_digests_depend_on_their_sections_only(make: Make) -> None:
    base = make()
    allocation = make({"allocation.n_candidates": 50})
    prior = make({"priors.overrides": [{"parameter": "a", "mean": 1, "sd": 1}]})
    assert section_digest(allocation, ["fit", "priors"]) == section_digest(base, ["fit", "priors"])
    assert section_digest(allocation, ["allocation"]) != section_digest(base, ["allocation"])
    assert section_digest(prior, ["priors"]) != section_digest(base, ["priors"])
    assert section_digest(base, ["fit", "data"]) == section_digest(base, ["data", "fit", "fit"])
    assert section_digest(base, ["fit"]) != section_digest(base, ["data"])
    deep = make({"fit.mcmc.chains": 2})
    assert section_digest(deep, ["fit.mcmc"]) != section_digest(base, ["fit.mcmc"])
    assert section_digest(deep, ["fit.optimise"]) == section_digest(base, ["fit.optimise"])
    digest = section_digest(base, ["data"])
    assert len(digest) == 64
    assert set(digest) <= set(string.hexdigits.lower())


def test_a_digest_of_an_unknown_section_is_an_error(make: Make) -> None:
    with pytest.raises(ConfigError, match="no such config section"):
        section_digest(make(), ["fits"])


def test_a_moved_project_keeps_its_digests(load: Load, market: Path) -> None:
    (market / "moved").mkdir()
    (market / "moved" / "data.csv").write_text("x")
    text = "data: {path: data.csv}\nmodel: {formula: y ~ x, name: uk}"
    here, there = load(text).config, load(text, name="moved/uk.yaml").config
    assert section_digest(here, ["data"]) != section_digest(there, ["data"])
    moved = section_digest(there, ["data", "outputs"], base=market / "moved")
    assert section_digest(here, ["data", "outputs"], base=market) == moved
