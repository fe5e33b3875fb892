"""From file to resolved config: names, paths, roots, formula safety, partition keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dsam_assets.config.load import LoadedConfig, load_config, market_key, resolve
from dsam_assets.errors import ConfigError, FormulaError

Load = Callable[..., LoadedConfig]

TEXT = "# a market\ndata: {path: data.csv}\nmodel: {formula: kpi ~ trend}\noutputs: {save_model_rds: false}\n"


def test_what_a_loaded_config_holds(load: Load, market: Path) -> None:
    loaded = load(TEXT)
    assert loaded.original_text == TEXT
    assert loaded.path == market / "uk.yaml"
    assert loaded.explicit == {
        "data", "data.path", "model", "model.formula", "outputs", "outputs.save_model"
    }  # fmt: skip
    assert loaded.config.model.name == "uk"
    assert loaded.config.data.path == str(market.resolve() / "data.csv")
    assert loaded.config.outputs.root_dir == str(market.resolve() / "results")
    assert loaded.config.outputs.run_dir is None


def test_a_written_name_wins_over_the_file_name(load: Load) -> None:
    assert load("data: {path: data.csv}\nmodel: {formula: y ~ x, name: France}").config.model.name == "France"
    assert load("data: {path: data.csv}\nmodel: {formula: y ~ x, name: }").config.model.name == "uk"


def test_loading_does_not_depend_on_the_working_folder(
    load: Load, market: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(TEXT).config
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_config(market / "uk.yaml").config == first
    monkeypatch.chdir(market)
    assert load_config("uk.yaml").config == first


def test_relative_paths_start_from_the_config(load: Load, market: Path) -> None:
    (market / "configs").mkdir()
    text = (
        "data: {path: ../data.csv, dictionary_path: ../dictionary.csv}\nmodel: {formula: y ~ x}\n"
        "pooling: {map_path: ../nowhere.csv}\noutputs: {root_dir: ../out, run_dir: first}\n"
    )
    config = load(text, name="configs/fr.yaml").config
    here = market.resolve()
    assert config.data.path == str(here / "data.csv")
    assert config.data.dictionary_path == str(here / "dictionary.csv")
    assert config.pooling.map_path == str(here / "nowhere.csv")
    assert config.outputs.root_dir == str(here / "out")
    assert config.outputs.run_dir == str(here / "out" / "first")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("data: {path: dat.csv}\nmodel: {formula: y ~ x}", "data.path"),
        ("data: {path: data.csv, dictionary_path: dict.csv}\nmodel: {formula: y ~ x}", "data.dictionary_path"),
        (
            "data: {path: data.csv}\nmodel: {formula: y ~ x}\n"
            "pooling: {enabled: true, grouping_vars: [b], map_path: mapp.csv}",
            "pooling.map_path",
        ),
        (
            "data: {path: data.csv, date_var: date}\nmodel: {formula: y ~ x}\n"
            "time_components: {enabled: true, holidays: {enabled: true, calendar_path: holiday.csv}}",
            "time_components.holidays.calendar_path",
        ),
        (
            "data: {path: data.csv, date_var: date}\nmodel: {formula: y ~ x}\n"
            "forecast: {enabled: true, data_path: futur.csv}",
            "forecast.data_path",
        ),
    ],
)
def test_missing_files_are_named_with_the_nearest(load: Load, text: str, key: str) -> None:
    with pytest.raises(ConfigError, match="the file does not exist") as caught:
        load(text)
    assert caught.value.what.startswith(key)
    assert "did you mean" in str(caught.value)


def test_data_roots(load: Load, market: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.csv").write_text("x\n")
    assert load(TEXT, data_roots=(outside, market))
    with pytest.raises(ConfigError, match="outside the data roots") as caught:
        load(TEXT, data_roots=(outside,))
    assert "DSAM_DATA_ROOTS" in str(caught.value)
    (market / "link.csv").symlink_to(outside / "secret.csv")
    linked = TEXT.replace("data.csv", "link.csv")
    assert load(linked)
    with pytest.raises(ConfigError, match=r"data\.path.*outside the data roots"):
        load(linked, data_roots=(market,))
    with pytest.raises(ConfigError, match=r"outputs\.root_dir.*outside the data roots"):
        load(TEXT.replace("save_model_rds: false", "root_dir: ../.."), data_roots=(market,))
    with pytest.raises(ConfigError, match="outside the data roots"):
        load(TEXT.replace("data.csv", f"{market}_twin/data.csv"), data_roots=(market,))


def test_outside_the_roots_existence_is_not_revealed(load: Load, market: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(TEXT.replace("data.csv", "/etc/no-such-file.csv"), data_roots=(market,))
    assert "does not exist" not in str(caught.value)
    assert "outside the data roots" in str(caught.value)


def refuse_shell(formula: str, unsafe: bool) -> None:
    if "shell" in formula and not unsafe:
        raise FormulaError("the function shell is not allowed", where="position 5", got=formula, fix="remove it")


def test_formula_safety_runs_last_and_says_where(load: Load) -> None:
    text = "data: {path: data.csv}\nmodel:\n  formula: y ~ shell(x)\n"
    assert load(text)
    with pytest.raises(FormulaError) as caught:
        load(text, check_formula=refuse_shell)
    assert caught.value.where is not None
    assert caught.value.where.endswith("uk.yaml, line 3: model.formula, position 5")
    assert load(text + "security: {allow_unsafe_formula: true}", check_formula=refuse_shell)
    with pytest.raises(ConfigError, match="warmup"):
        load(text + "fit: {mcmc: {warmup: 9000}}", check_formula=refuse_shell)


def test_scenario_formulas_are_checked_too(load: Load) -> None:
    text = (
        "data: {path: data.csv}\nmodel: {formula: y ~ x}\n"
        "transforms: {sensitivity: {scenarios: [{name: a, formula: y ~ x}, {name: b, formula: y ~ shell(x)}]}}"
    )
    with pytest.raises(FormulaError) as caught:
        load(text, check_formula=refuse_shell)
    assert "transforms.sensitivity.scenarios[1].formula" in str(caught.value.where)


def test_resolve_is_deterministic_and_needs_no_file(market: Path) -> None:
    raw = {"data": {"path": "data.csv"}, "model": {"formula": "y ~ x"}}
    assert resolve(raw, name="a", base=market) == resolve(raw, name="a", base=market)
    assert raw == {"data": {"path": "data.csv"}, "model": {"formula": "y ~ x"}}


def test_unreadable_config_files(market: Path) -> None:
    (market / "uk.yaml").write_text(TEXT)
    with pytest.raises(ConfigError, match="does not exist") as caught:
        load_config(market / "ukk.yaml")
    assert "uk.yaml?" in str(caught.value)
    with pytest.raises(ConfigError, match="a folder"):
        load_config(market)
    os.mkfifo(market / "pipe.yaml")
    with pytest.raises(ConfigError, match="pipe"):
        load_config(market / "pipe.yaml")


@pytest.mark.parametrize("stem", ["uk", "0", "fr-2024_q1", "a" * 64])
def test_market_keys(stem: str) -> None:
    assert market_key(Path("configs") / f"{stem}.yaml") == stem


@pytest.mark.parametrize("stem", ["UK", "_uk", "-uk", "u k", "ü", "a" * 65, "uk.v2", "uk\n"])
def test_refused_market_keys(stem: str) -> None:
    with pytest.raises(ConfigError, match="market name"):
        market_key(f"configs/{stem}.yaml")
