"""Every bad input ends in one message that says where and what to do, with status 2, and leaves nothing behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest
from cli_market import Answer, Market, assert_one_message

Change = Callable[[Market], object]
FORMULA = "kpi ~ trend + m_tv + m_search"


def text(old: str, new: str) -> Change:
    return lambda market: market.edit(old, new)


def column(**columns: Any) -> Change:
    return lambda market: market.edit_data(lambda frame: frame.assign(**columns))


def cell(name: str, row: int, value: object) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame[name] = frame[name].astype(object)
        frame.loc[row, name] = value
        return frame

    return lambda market: market.edit_data(change)


def rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    return lambda market: market.edit_data(change)


def both(*changes: Change) -> Change:
    return lambda market: [change(market) for change in changes]


LAGGED = text(FORMULA, "kpi ~ trend + lag(m_tv) + m_search + m_tv")

# Each with words that its message must hold: the place, what was found, and what to do. `@text` stands for the line of
# the config that holds the text.
CASES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "missing data file": (
        text("data/uk.csv", "data/uq.csv"),
        ("data.path", "@path:", "does not exist", "did you mean", "uk.csv"),
    ),
    "folder instead of data file": (
        both(text("data/uk.csv", "data/old.csv"), lambda market: market.data.with_name("old.csv").mkdir()),
        ("data.path", "@path:", "names a folder", "regular file"),
    ),
    "unknown key": (
        text("gating: warn", "gatting: warn"),
        ("diagnostics.gatting is not a key", "@gatting", "did you mean diagnostics.gating?"),
    ),
    "column name of the formula": (
        text(FORMULA, "kpi ~ trend + m_tvv + m_search"),
        ("no column `m_tvv`", "@formula:", "model.formula", "did you mean m_tv?", "^"),
    ),
    "disallowed call": (
        text(FORMULA, "kpi ~ trend + system(m_tv) + m_search"),
        ("`system` is not an allowed call", "@formula:", "model.formula", "one of log, exp", "^"),
    ),
    "dunder in the formula": (
        text(FORMULA, "kpi ~ trend + m_tv.__class__ + m_search"),
        ("@formula:", "model.formula", "^", "do this:"),
    ),
    "response all missing": (
        column(kpi=math.nan),
        ("No rows are left to model", "data/uk.csv", "kpi: 102 missing", "do this:"),
    ),
    "response infinite": (
        cell("kpi", 3, "inf"),
        ("kpi holds non-finite values", "data/uk.csv, column kpi", "inf in row 3", "correct the values"),
    ),
    "missing value under na_action: error": (
        both(text("  date_var: date", "  date_var: date\n  na_action: error"), cell("kpi", 3, "")),
        ("missing values", "data/uk.csv", "kpi: 1 missing, row 3", "na_action: omit"),
    ),
    "constant column": (
        column(m_tv=1.5),
        ("m_tv is constant", "@formula:", "model.formula", "Remove from the formula: m_tv"),
    ),
    "duplicate column": (
        rows(lambda frame: frame.assign(m_search=frame["m_tv"])),
        ("m_search equals m_tv", "@formula:", "model.formula", "Remove from the formula: m_search"),
    ),
    "boundaries reversed": (
        text("m_search, lower: 0, upper: .Inf", "m_search, lower: 5, upper: -5"),
        ("boundaries.overrides[1].lower must not exceed upper", "@parameter: m_search", "swap lower and upper"),
    ),
    "spend bounds reversed": (
        text("spend_tv, bounds: {min: 20, max: 300}", "spend_tv, bounds: {min: 30, max: 20}"),
        ("allocation.channels[0].bounds.max must be at least bounds.min (30)", "@term: m_tv"),
    ),
    "budget above the sum of the maxima": (
        text("total: 250", "total: 2500"),
        ("allocation.budget.total must be at most the sum of bounds.max (600)", "@budget:", "lower the total to 600"),
    ),
    "budget below the sum of the minima": (
        text("total: 250", "total: 25"),
        ("allocation.budget.total", "bounds.min (40)", "@budget:", "do this:"),
    ),
    "gap in the dates under lag": (
        both(LAGGED, rows(lambda frame: frame.drop(index=30))),
        (
            "not regularly spaced (weekly)",
            "data/uk.csv, column date",
            "2023-07-24 is followed by 2023-08-07",
            "do this:",
        ),
    ),
    "unsorted dates under lag": (
        both(LAGGED, rows(lambda frame: frame.iloc[::-1])),
        ("ascending dates", "data/uk.csv, column date", "date 2024-12-02, row 1", "sort the data by date"),
    ),
    "repeated date under lag": (
        both(LAGGED, cell("date", 7, "2023-02-13")),
        ("ascending dates", "data/uk.csv, column date", "2023-02-13", "occurs twice", "remove duplicate dates"),
    ),
    "lag without a date column": (
        both(LAGGED, text("  date_var: date\n", "")),
        ("needs to know the order of the rows", "@data:", "data.date_var", "set data.date_var"),
    ),
    "date column that is not there": (
        text("date_var: date", "date_var: week"),
        ("data.date_var names a column that is not in the file", "data/uk.csv", "do this:"),
    ),
    "values that are not dates": (
        cell("date", 2, "soon"),
        ("1 of 102 values of the date column date are not dates", "data/uk.csv", "row 4: soon", "do this:"),
    ),
    "broken YAML": (
        text("data:\n", "data: [\n"),
        ("not valid YAML", "uk.yaml, line"),
    ),
    "duplicate YAML key": (
        text("fit:\n", "model: {formula: y ~ x}\nfit:\n"),
        ("model", "@model: {", "do this:"),
    ),
    "empty config": (lambda market: market.config.write_text(""), ("uk.yaml",)),
    "config is a list": (lambda market: market.config.write_text("- a\n"), ("uk.yaml",)),
    "empty CSV": (
        lambda market: market.data.write_text(""),
        ("empty", "data/uk.csv", "a header row", "do this:"),
    ),
    "CSV without rows": (
        lambda market: market.data.write_text("date,kpi\n"),
        ("a header and no rows", "data/uk.csv", "at least one row", "do this:"),
    ),
    "rows longer than the header": (
        lambda market: market.data.write_text("date,kpi\n2024-01-01,1\n2024-01-08,1,2,3\n"),
        ("not a valid CSV", "data/uk.csv", "line 3", "do this:"),
    ),
    "repeated column name": (
        lambda market: market.data.write_text("date,kpi,kpi\n2024-01-01,1,2\n"),
        ("more than once", "data/uk.csv", "kpi", "do this:"),
    ),
    "file that is no text": (
        lambda market: market.data.write_bytes(b"date,kpi\n\xff\xfe\x00,1\n"),
        ("not UTF-8", "data/uk.csv", "do this:"),
    ),
    "spend column missing": (
        text("spend_col: spend_tv", "spend_col: spend_tvv"),
        ("not in the data: spend_tvv", "@term: m_tv", "allocation.channels[0].spend_col", "Did you mean spend_tv?"),
    ),
    "spend column with a gap": (
        cell("spend_tv", 5, ""),
        ("missing or infinite values", "uk.yaml", "`TV`, column `spend_tv`", "1 of 102 rows", "Fill the gaps"),
    ),
    "channel of a term that is not in the model": (
        text("term: m_tv,", "term: m_tvx,"),
        ("not in the model: m_tvx", "@term: m_tvx", "allocation.channels[0].term", "Did you mean m_tv?"),
    ),
    "prior of a term that is not in the model": (
        text("parameter: trend", "parameter: tren"),
        ("does not have: tren", "@overrides:", "priors.overrides", "Did you mean trend?"),
    ),
    "text used as a number": (
        cell("m_tv", 4, "na"),
        ("m_tv holds text", "data/uk.csv, column m_tv", '"na" in 1 row', "leave missing values empty"),
    ),
    "response of zero under log": (
        both(text(FORMULA, "log(kpi) ~ trend + m_tv + m_search"), cell("kpi", 4, 0)),
        ("log(kpi) needs values above 0", "data/uk.csv, column kpi", "row 4", "do this:"),
    ),
}


def scenario(formula: str) -> Change:
    """A MAP fit with two alternative formulas, of which the second one is this."""
    added = f"""\
transforms:
  sensitivity:
    enabled: true
    scenarios:
      - {{name: good, formula: kpi ~ trend + sqrt(spend_tv) + m_search}}
      - {{name: second, formula: "{formula}"}}
"""
    return lambda market: market.config.write_text(
        market.config.read_text().replace("fit:\n", "fit:\n  method: optimise\n") + added
    )


SECOND = ("@name: second", "transforms.sensitivity.scenarios[1].formula")
CASES |= {
    "scenario with an unknown column": (
        scenario("kpi ~ trend + m_tvv"), (*SECOND, "no column `m_tvv`", "did you mean m_tv?"),
    ),
    "scenario that does not fit the data": (scenario("kpi ~ trend + log(note)"), (*SECOND, "log(note)")),
    "scenario of another response": (
        scenario("spend_tv ~ trend + m_tv"), (*SECOND, "same response", "spend_tv", "wanted: kpi, logged or not"),
    ),
    "scenario of another class of model": (
        scenario("kpi ~ trend + m_tv + (1 | note)"), (*SECOND, "of the model's class", "got: group terms"),
    ),
}  # fmt: skip


def question(more: str) -> Change:
    return text("  seed: 5\n", f"  seed: 5\n  {more}\n")


LOG = text(FORMULA, "log(kpi) ~ trend + m_tv + m_search")
TARGET = "scenario: target_efficiency"
UPPER = text("{parameter: m_tv, lower: 0}", "{parameter: m_tv, lower: 0, upper: 40}")
CASES |= {
    "channel listed twice": (
        text("- term: m_search", "- term: m_tv"),
        ("allocation.channels[1].term must be unique across channels", "@- term: m_tv", "m_tv"),
    ),
    "profit without the value of a KPI unit": (
        question("objective: {target: profit}"),
        ("allocation.objective.value_per_kpi is required for objective target profit", "@objective:"),
    ),
    "log response without a baseline": (
        LOG, ("allocation.objective.kpi_baseline", "without a baseline they have no KPI units", "Set kpi_baseline"),
    ),
    "efficiency of a log response without a baseline": (
        both(LOG, question(f"{TARGET}\n  target_value: 2\n  objective: {{allow_relative_log_uplift: true}}")),
        ("allocation.objective.kpi_baseline", "an efficiency needs KPI units"),
    ),
    "efficiency without a target": (question(TARGET), ("allocation.target_value is required for scenario target_",)),
    "target of another scenario": (
        question("target_value: 2"),
        ("allocation.target_value has no effect for scenario max_response", "@target_value"),
    ),
    "cap of a target below the minima": (
        both(question(f"{TARGET}\n  target_value: 2"), text("total: 250", "total: 25")),
        ("allocation.budget.total", "bounds.min (40)", "25"),
    ),
    "target beyond what the boundaries allow": (
        both(question(f"{TARGET}\n  target_value: 9"), UPPER, text("upper: .Inf", "upper: 60")),
        ("allocation.target_value", "ROI ≥ 9 wanted", "boundaries", "spending"),
    ),
    "negative reference": (
        question("reference_spend: [30, -5]"),
        ("allocation.reference_spend", "spend of at least 0", "@reference_spend"),
    ),
    "reference for another channel": (
        question("reference_spend: {TV: 30, Radio: 5}"),
        ("has no value for channel Search", "names an unknown channel Radio"),
    ),
    "named budget above the maxima": (
        question("scenarios: [{name: lean, total: 100}, {name: rich, total: 900}]"),
        ("budget of scenario `rich`", "allocation.scenarios[1].total", "maxima sum to 600: 300 is left over"),
    ),
    "named budget below the minima": (
        question("scenarios: [{name: lean, total: 30}]"),
        ("budget of scenario `lean`", "minima sum to 40: 10 too much"),
    ),
    "named budget called like the plan": (
        question("scenarios: [{name: plan, total: 100}]"), ("allocation.scenarios[0].name is what the recommended",),
    ),
    "level of a model without groups": (
        question("level: market=north"), ("This model has no groups", "allocation.level", "@level:", "population"),
    ),
    "level that is not one": (question("level: groups"), ("allocation.level must be population, group, or one group",)),
    "caution about a point estimate": (
        both(question("objective: {risk: {type: quantile}}"), text("fit:\n", "fit:\n  method: optimise\n")),
        ("A point estimate has no spread of draws", "allocation.objective.risk.type", "Use risk type mean"),
    ),
    "weight on a spread that is not scored": (
        question("objective: {risk: {lambda: 1}}"),
        ("allocation.objective.risk.lambda has no effect for risk type mean", "use type mean_minus_sd"),
    ),
    "level of a quantile out of range": (
        question("objective: {risk: {type: quantile, quantile: 1.5}}"), ("allocation.objective.risk.quantile must be",),
    ),
    "currency column that is not there": (
        text("spend_col: spend_search", "spend_col: spend_search\n      currency_col: euros"),
        ("not in the data: euros", "allocation.channels[1].currency_col"),
    ),
    "currency column below zero": (
        both(column(euros=-1.0), text("spend_col: spend_search", "spend_col: spend_search\n      currency_col: euros")),
        ("money per unit of spend is not a number", "currency_col"),
    ),
}  # fmt: skip


def refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("Stan is not needed to refuse a bad input")


@pytest.fixture(autouse=True)
def no_stan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.stan_runner.find_home", refuse)
    monkeypatch.setattr("resources.toolchain.home.find_home", refuse)


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize("case", CASES)
def test_a_bad_input_is_refused(case: str, command: str, market: Market, dsam: Callable[..., Answer]) -> None:
    change, words = CASES[case]
    change(market)
    before = market.tree()
    places = [f"uk.yaml, line {market.line(word[1:])}" if word.startswith("@") else word for word in words]
    assert_one_message(dsam(command, "--config", market.config), *places)
    assert market.tree() == before
    assert not (market.folder / "results").exists()


def test_nothing_is_wrong_before_the_changes(market: Market, dsam: Callable[..., Answer]) -> None:
    """The cases fail for what they change, and for nothing else."""
    assert dsam("validate", "--config", market.config).status == 0


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("UK market.yaml", ("cannot serve as a market name", "UK market", "rename the file", "uk_market.yaml")),
        ("uk.txt", ("does not end like a YAML file", "uk.txt", ".yaml or .yml", "Rename the file to uk.yaml")),
    ],
)
def test_a_config_must_be_named_like_a_market(
    name: str, words: tuple[str, ...], command: str, market: Market, dsam: Callable[..., Answer]
) -> None:
    config = market.config.rename(market.folder / name)
    before = market.tree()
    assert_one_message(dsam(command, "--config", config), *words)
    assert market.tree() == before


@pytest.mark.parametrize("command", ["validate", "run"])
def test_two_configs_of_one_market_are_refused(command: str, market: Market, dsam: Callable[..., Answer]) -> None:
    """The graph would read the one whose name sorts last, whichever was given."""
    (market.folder / "uk.yml").write_text(market.config.read_text())
    answer = dsam(command, "--config", market.config)
    assert_one_message(answer, "Two configs are the market uk", "uk.yaml and uk.yml", "Rename or remove one")
    assert not (market.folder / ".dsam").exists()


@pytest.mark.parametrize("command", ["validate", "run"])
def test_the_config_must_be_a_file(command: str, market: Market, dsam: Callable[..., Answer]) -> None:
    missing = market.folder / "ukk.yaml"
    assert_one_message(dsam(command, "--config", missing), "does not exist", "ukk.yaml", "did you mean", "uk.yaml?")
    assert_one_message(dsam(command, "--config", market.folder / "data"), "names a folder", str(market.folder / "data"))


@pytest.mark.parametrize("command", ["validate", "run"])
def test_the_run_folder_must_be_creatable(command: str, market: Market, dsam: Callable[..., Answer]) -> None:
    below_file = market.data / "runs" / "first"
    before = market.tree()
    answer = dsam(command, "--config", market.config, "--run-dir", below_file)
    assert_one_message(answer, "below a file", str(below_file), "Choose another folder with --run-dir")
    # no one can create anything there, not even the administrator
    answer = dsam(command, "--config", market.config, "--run-dir", "/proc/dsam/run")
    assert_one_message(answer, "The run folder cannot be created", "/proc/dsam/run", "Choose another folder")
    assert market.tree() == before


@pytest.mark.parametrize("setting", ["DSAM_STORE", "DAGSTER_HOME"])
def test_store_and_dagster_home_must_be_creatable(
    setting: str, market: Market, dsam: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, str(market.data / "state"))
    before = market.tree()
    assert_one_message(dsam("run", "--config", market.config), "below a file", str(market.data), f"Set {setting}")
    assert market.tree() == before


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_folder_with_other_files_is_never_used(
    command: str, market: Market, dsam: Callable[..., Answer], tmp_path: Path
) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter.txt").write_text("irreplaceable")
    arguments = (command, "--config", market.config, "--run-dir", target)
    assert_one_message(dsam(*arguments), "exists already", str(target), "outputs.overwrite: true")
    market.config.write_text(market.config.read_text() + "outputs: {overwrite: true}\n")
    assert_one_message(dsam(*arguments), "not a run's artefacts", str(target), "chapter.txt", "move these files away")
    assert [path.name for path in target.rglob("*")] == ["chapter.txt"]
    assert_one_message(
        dsam(command, "--config", market.config, "--run-dir", target / "chapter.txt"), "path is a file", "chapter.txt"
    )
    assert (target / "chapter.txt").read_text() == "irreplaceable"
