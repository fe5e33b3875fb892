"""A market with a holiday calendar, from config to run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from fake_stan_resource import FakeStan

import dsam_assets.definitions
from dsam_assets.errors import DsamError
from dsam_assets.preflight import load_checked, preflight
from dsam_assets.running import run_from_yaml

HOLIDAYS = """\
time_components:
  enabled: true
  holidays: {enabled: true, calendar_path: data/holidays.csv, window_before: 1}
"""
# The data run from Monday 2 January 2023 for 102 weeks. Easter Sunday: 9 April 2023. Christmas 2023 is a Monday, and
# its day before belongs to the week before.
CALENDAR = """\
ds,holiday
2022-12-25,Christmas
2023-12-25,Christmas
2023-04-09,Easter Sunday
2031-01-01,Moon Landing
"""


@pytest.fixture(scope="module")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dagster")


@pytest.fixture
def market(new_market, dagster_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config with holidays and a dictionary file; Stan is the stand-in, the store is below `tmp_path`."""
    monkeypatch.setattr(dsam_assets.definitions, "StanResource", lambda progress: FakeStan(progress=progress))
    monkeypatch.setenv("DSAM_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    config: Path = new_market()
    text = config.read_text().replace("date_var: date\n", "date_var: date\n  dictionary_path: data/dictionary.csv\n")
    config.write_text(text + HOLIDAYS)
    (config.parent / "data" / "holidays.csv").write_text(CALENDAR)
    (config.parent / "data" / "dictionary.csv").write_text("term,unit,transform\nm_tv,none,log1p of spend\n")
    return config


def test_holidays_from_config_to_run_folder_and_after_edits(market: Path, tmp_path: Path) -> None:
    result = run_from_yaml(market, run_dir=str(tmp_path / "run"))
    assert result.status == "complete"
    stage = tmp_path / "run" / "10_pre_run"

    manifest = pd.read_csv(stage / "holiday_feature_manifest.csv").set_index("feature")
    assert list(manifest.index) == ["holiday_christmas", "holiday_easter_sunday", "holiday_moon_landing"]
    assert manifest["generated"].tolist() == [True, True, False]
    assert manifest["event_days"].tolist() == [2, 2, 0]
    assert manifest["active_weeks"].tolist() == [2, 1, 0]

    design = pd.read_csv(stage / "design_matrix_manifest.csv").set_index("term")
    assert design.loc["holiday_easter_sunday", "max"] == 2
    assert design.loc["holiday_easter_sunday", "mean"] == pytest.approx(2 / 102)
    assert "holiday_moon_landing" not in design.index
    assert {"holiday_christmas", "holiday_easter_sunday"} <= set(
        pd.read_csv(tmp_path / "run" / "30_post_run" / "posterior_summary.csv")["parameter"]
    )
    (formula,) = pd.read_csv(stage / "spec_summary.csv")["formula"]
    assert formula == "kpi ~ trend + m_tv + m_search + holiday_christmas + holiday_easter_sunday"

    dictionary = pd.read_csv(stage / "data_dictionary.csv").set_index("term")
    assert dictionary.loc["m_tv", "transform"] == "log1p of spend"
    assert dictionary.loc["holiday_christmas", "source"] == 'holiday calendar, label "Christmas"'
    assumptions = (stage / "transform_assumptions.txt").read_text()
    assert "m_tv: log1p of spend (data dictionary)" in assumptions
    assert "2 generated, as event days per week; weeks begin on Monday." in assumptions

    def versions() -> dict[str, str]:
        folder = tmp_path / "store" / "uk" / ".records"
        return {path.stem: json.loads(path.read_text())["data_version"] for path in folder.glob("*.json")}

    def changed() -> set[str]:
        before = versions()
        run_from_yaml(market, run_dir=str(tmp_path / f"again{len(list(tmp_path.iterdir()))}"))
        return {name for name, version in versions().items() if version != before[name]}

    # An edited dictionary changes words, an edited calendar changes the model.
    file = market.parent / "data" / "dictionary.csv"
    file.write_text(file.read_text().replace("log1p", "sqrt"))
    assert changed() == {"data_dictionary", "transform_assumptions", "run_bundle"}
    calendar = market.parent / "data" / "holidays.csv"
    calendar.write_text(calendar.read_text().replace("2023-04-09", "2023-05-09"))
    assert {"holiday_features", "design_matrix", "posterior", "run_bundle"} <= changed()


def test_a_bad_calendar_ends_before_anything_is_written(market: Path, tmp_path: Path) -> None:
    (market.parent / "data" / "holidays.csv").write_text("ds,holiday\nsoon,Easter\n")
    with pytest.raises(DsamError, match="are not dates") as caught:
        run_from_yaml(market, run_dir=str(tmp_path / "run"))
    assert caught.value.where == str(market.parent / "data" / "holidays.csv")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "store").exists()


def test_a_bad_holiday_key_is_located_in_the_config(market: Path) -> None:
    market.write_text(market.read_text().replace("window_before: 1", "window_before: 1, timezone: Mars"))
    with pytest.raises(DsamError, match="no such time zone") as caught:
        preflight(load_checked(market))
    line = next(n for n, text in enumerate(market.read_text().splitlines(), 1) if "Mars" in text)
    assert caught.value.where == f"{market}, line {line}: time_components.holidays.timezone"


def test_preflight_sees_the_generated_terms(market: Path) -> None:
    checked = preflight(load_checked(market))
    assert "holiday_christmas" in checked.formula.labels
    assert "holiday_christmas" in {parameter.name for parameter in checked.design.parameters}
