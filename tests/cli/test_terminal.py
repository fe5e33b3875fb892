"""Words for terminals: they fit, they are aligned, and they say what the numbers say."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from dsam_assets.cli.documents import as_json
from dsam_assets.cli.plan_words import expected_change, last_of_budget, plan_lines, plan_table
from dsam_assets.cli.progress import Clock, StepLines
from dsam_assets.cli.question_words import question_lines, scenario_lines, weak_lines
from dsam_assets.cli.words import count, joined, message, paint
from resources.local_instance import quick_sqlite


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_only() -> None:
    assert paint("x", "31", io.StringIO()) == "x"
    assert paint("x", "31", Screen()) == "\033[31mx\033[0m"


@pytest.mark.parametrize(("items", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_lists_in_words(items: list[str], text: str) -> None:
    assert joined(items) == text


def test_counts() -> None:
    assert [count(number, "step") for number in (0, 1, 2000)] == ["0 steps", "1 step", "2,000 steps"]


def test_long_lines_of_a_message_hang_below_their_label_and_formulas_keep_their_caret() -> None:
    path = "/a/path/" + "x" * 90
    text = f"{'Wrong ' * 20}\n      y ~ {'a + ' * 30}\n          ^\n  where:   {path}\n  do this: {'try again ' * 20}"
    lines = message(text).splitlines()
    assert lines[2] == f"      y ~ {'a + ' * 30}"
    assert lines[3] == "          ^"
    assert path in lines[4]
    fix = lines[5:]
    assert fix[0].startswith("  do this: try")
    assert len(fix) == 3
    assert all(line.startswith((" " * 11 + "t", " " * 11 + "a")) for line in fix[1:])
    assert all(len(line) <= 80 for line in [*lines[:2], *fix])


STEPS = (("a", "started", 0.0), ("a", "reused", 0.0), ("b", "unchanged", 0.1), ("c", "computed", 0.2),
         ("d", "computed", 0.1), ("e", "computed", 1.5))  # fmt: skip


def told(handler: StepLines) -> None:
    for asset, event, seconds in STEPS:
        handler.emit(logging.makeLogRecord({"msg": event, "asset": asset, "seconds": seconds}))
    handler.emit(logging.makeLogRecord({"msg": "compiling linear"}))
    handler.finish()
    assert (handler.reused, handler.computed) == (["a", "b"], ["c", "d", "e"])


def test_slow_steps_have_a_line_and_quick_ones_share_one() -> None:
    screen = io.StringIO()
    told(StepLines(screen))
    told(StepLines(None))  # a quiet listener still counts
    assert screen.getvalue() == f"  {'e':<24}    1.50 s\n  compiling linear\n  {'2 quick steps':<24}    0.30 s\n"


def test_every_step_is_named_when_asked_for_and_reused_ones_share_a_line() -> None:
    screen = io.StringIO()
    told(StepLines(screen, every=True))
    computed = [f"  {name:<24} {seconds:7.2f} s" for name, _, seconds in STEPS[3:]]
    lines = ["  reused, inputs unchanged: a, b", *computed, "  compiling linear"]
    assert screen.getvalue().splitlines() == lines


def clock_of(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO | None) -> tuple[Clock, list[str]]:
    monkeypatch.setattr("dsam_assets.cli.progress.TICK", 0.01)
    monkeypatch.setattr("dsam_assets.cli.progress.REMINDER", 0.02)
    lines: list[str] = []
    return Clock(screen, lines.append), lines


def wait_for(seen: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not seen() and time.monotonic() < limit:
        time.sleep(0.005)


def test_a_long_step_is_named_in_place_on_a_terminal_and_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    clock, lines = clock_of(monkeypatch, screen)
    clock.start("loo")
    wait_for(lambda: screen.getvalue().count("loo … 0 s") > 1)
    clock.stop()
    assert screen.getvalue().startswith("\r\033[K  loo … 0 s\r\033[K  loo")
    assert screen.getvalue().endswith("\r\033[K")
    assert lines == []
    before = screen.getvalue()
    clock.start("posterior")  # Stan's own bar is there
    time.sleep(0.05)
    clock.stop()
    assert screen.getvalue() == before


def test_a_long_step_is_named_now_and_then_where_nothing_can_be_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lines = clock_of(monkeypatch, None)
    clock.start("posterior")
    wait_for(lambda: len(lines) > 1)
    clock.stop()
    assert lines[0] == "  posterior is running, 0 s"
    number = len(lines)
    time.sleep(0.05)
    assert len(lines) == number


def test_colour_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "31", Screen()) == "x"
    monkeypatch.setenv("NO_COLOR", "")
    assert paint("x", "31", Screen()) != "x"
    monkeypatch.setenv("TERM", "dumb")
    assert paint("x", "31", Screen()) == "x"


def test_a_forced_step_counts_as_computed_even_if_its_result_is_the_same() -> None:
    screen = io.StringIO()
    handler = StepLines(screen, forced=True)
    handler.emit(logging.makeLogRecord({"msg": "unchanged", "asset": "posterior", "seconds": 2.0}))
    assert (handler.reused, handler.computed) == ([], ["posterior"])
    assert screen.getvalue().endswith(" 2.00 s, same result as before\n")


def test_a_reader_who_leaves_does_not_stop_the_run() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    handler = StepLines(Closed())
    for asset in ("a", "b"):
        handler.emit(logging.makeLogRecord({"msg": "computed", "asset": asset}))
    assert handler.computed == ["a", "b"]


def plan(**columns: list[Any]) -> pd.DataFrame:
    size = len(columns["channel"])
    return pd.DataFrame({"at_lower": [False] * size, "at_upper": [False] * size, **columns})


def test_the_plan_is_aligned_and_summed() -> None:
    table = plan(
        channel=["TV", "A channel with a name that is far too long", "New"],
        spend_reference=[1_234_567.0, 200.0, 0.0],
        spend_optimised=[1_000_000.0, 100.0, 50.0],
        at_lower=[False, True, False],
    )
    lines = plan_table(table).splitlines()
    assert [line[:26].strip() for line in lines] == ["channel", "TV", "A channel with a name t…", "New", "all channels"]
    assert lines[1].split() == ["TV", "1,234,567", "1,000,000", "-19%"]
    assert lines[2].endswith("-50%  minimum")
    assert lines[3].split()[-1] == "new"
    assert lines[4].split() == ["all", "channels", "1,234,767", "1,000,150", "-19%"]
    assert len({line.index(line.split()[-2]) + len(line.split()[-2]) for line in (lines[0], lines[1], lines[4])}) == 1
    assert max(map(len, lines)) <= 80


def test_a_change_that_rounds_to_nothing_has_no_sign() -> None:
    table = plan(channel=["TV", "Radio"], spend_reference=[100.0, 100.0], spend_optimised=[99.9, 100.1])
    assert [line.split()[-1] for line in plan_table(table).splitlines()[1:]] == ["0%", "0%", "0%"]


def test_the_plan_of_a_panel_says_whose_effects_it_has() -> None:
    table = plan(channel=["TV"], spend_reference=[1.0], spend_optimised=[2.0])
    evidence = pd.DataFrame({"status": ["pass"], "message": ["fine"]})
    for level, told in (("population", True), ("model", False)):
        tables = {**summary(level=level, groups="8 of market"), **frontier(), "budget_diagnostics": evidence}
        text = " ".join(" ".join(plan_lines(table, tables)).split())
        assert ("average group of the panel (8 of market): the population's." in text) == told
        assert "fine" not in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"level": "unit", "groups": "market=north"}, "Effects and reference spends are those of market=north."),
        ({"level": "group", "groups": "8 of market"}, "under one budget of all (8 of market)."),
        (
            {"risk": "mean_minus_sd", "risk_parameter": 1.5},
            "best by its mean outcome less 1.5 standard deviations.",
        ),
        ({"risk": "quantile", "risk_parameter": 0.1}, "the 10% quantile of its outcome: what 90% of draws exceed."),
        (
            {"scenario": "target_efficiency", "metric": "roi", "target_value": 2.0, "metric_optimised": 2.0},
            "as much as ROI of at least 2, the bounds and the budget allow; on average it reaches 2.",
        ),
        (
            {
                "scenario": "target_efficiency",
                "metric": "roi",
                "target_value": 2.0,
                "metric_optimised": 2.4,
                "risk": "quantile",
                "risk_parameter": 0.1,
            },
            "By that score, the plan spends as much as ROI of at least 2, the bounds",
        ),
        (
            {"scenario": "target_efficiency", "metric": "cpa", "target_value": 30.0, "metric_optimised": 29.5},
            "as much as a cost per KPI unit of at most 30, the bounds and the budget allow; on average it reaches 29.5",
        ),
    ],
)
def test_an_extraordinary_question_is_told(values: dict[str, Any], words: str) -> None:
    lines = question_lines(summary(**{"level": "model", "groups": "", **values}))
    assert words in " ".join(" ".join(lines).split())
    assert question_lines(summary(level="model", groups="", scenario="max_response", risk="mean")) == []
    assert all(len(line) <= 80 for text in lines for line in text.splitlines())


def test_weak_evidence_is_told_and_whether_the_channel_is_held() -> None:
    table = plan(
        channel=["TV", "Search"], spend_reference=[10.0, 10.0], spend_optimised=[10.0, 12.0],
        term=["m_tv", "m_search"], evidence=["weak", "ok"], evidence_why=["the prior weighs more", ""],
        held=[True, False],
    )  # fmt: skip
    text = " ".join(" ".join(weak_lines(table)).split())
    assert text == "Weak evidence for m_tv: the prior weighs more; it keeps its reference spend."
    assert plan_table(table).splitlines()[1].endswith("0%  held")


def test_the_same_of_several_channels_is_told_once() -> None:
    why = ["the prior weighs more", "a point estimate has no spread", "a point estimate has no spread", "no spread"]
    table = plan(
        channel=list("abcd"), spend_reference=[1.0] * 4, spend_optimised=[1.0] * 4, term=["m_a", "m_b", "m_c", "m_d"],
        evidence=["weak"] * 4, evidence_why=why, held=[False, True, True, True],
    )  # fmt: skip
    assert [" ".join(line.split()) for line in weak_lines(table)] == [
        "Weak evidence for m_a: the prior weighs more.",
        "Weak evidence for m_b, m_c: a point estimate has no spread; they keep their reference spend.",
        "Weak evidence for m_d: no spread; it keeps its reference spend.",
    ]


def test_named_budgets_stand_beside_the_plan() -> None:
    row = {
        "scenario": "plan", "kind": "plan", "status": "ok", "reason": "", "budget": 250.0, "response_unit": "kpi",
        "delta_kpi_mean": 12.34, "delta_kpi_lower": -1.0, "delta_kpi_upper": 20.0, "probability_beats_reference": 0.9,
    }  # fmt: skip
    named = {**row, "scenario": "lean", "kind": "named", "budget": 200.0, "probability_beats_reference": np.nan}
    lines = scenario_lines({"budget_scenarios": pd.DataFrame([named, row])})
    assert lines[1].split()[:3] == ["scenario", "budget", "KPI"]
    assert lines[2].split() == ["lean", "200", "+12.34", "-1.00", "to", "+20.00"]
    assert lines[3].split()[-1] == "90%"
    assert max(map(len, lines)) <= 80
    assert scenario_lines({"budget_scenarios": pd.DataFrame([row])}) == []


def test_very_many_rows_are_counted() -> None:
    table = plan(channel=[f"c{i}" for i in range(100)], spend_reference=[1.0] * 100, spend_optimised=[1.0] * 100)
    lines = plan_table(table).splitlines()
    assert len(lines) < 50
    assert "61 more in budget_allocation.csv" in lines[-2]
    assert lines[-1].split()[:3] == ["all", "channels", "100.0"]


def test_small_spends_are_shown_with_four_digits() -> None:
    columns = ["channel", "spend_reference", "spend_optimised", "at_lower", "at_upper"]
    table = pd.DataFrame([("x1", 0.3091, 0.55, False, False), ("x2", 0.00125, 0.05, True, False)], columns=columns)
    lines = plan_table(table).splitlines()
    assert lines[1].split() == ["x1", "0.3091", "0.5500", "+78%"]
    assert lines[2].split()[1:3] == ["0.0013", "0.0500"]


def summary(**values: Any) -> dict[str, pd.DataFrame]:
    row = {
        "response_unit": "kpi", "objective_unit": "kpi", "target": "kpi_uplift", "delta_kpi_mean": 1234.4,
        "delta_kpi_lower": -50.0, "delta_kpi_upper": 2500.0, "delta_profit_mean": 7.0, "delta_profit_lower": 1.0,
        "delta_profit_upper": 9.0, "probability_beats_reference": 0.934, "spend_reference": 100.0,
        "spend_optimised": 100.2, "gain_over_split": 11.0, "probability_beats_split": 0.5, "estimate": "posterior",
    }  # fmt: skip
    return {"budget_summary": pd.DataFrame([{**row, **values}])}


def frontier(**values: Any) -> dict[str, pd.DataFrame]:
    row = {
        "point": "plan", "budget": 71_500.0, "marginal_response": 1.0404, "response_mean": 142_336.0,
        "response_unit": "kpi",
    }  # fmt: skip
    smaller = {**row, "point": "frontier", "budget": 60_000.0, "marginal_response": 9.9}
    return {"budget_efficient_frontier": pd.DataFrame([smaller, {**row, **values}])}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "The last 1,000 of the budget brings 1,040 KPI units; on average 1,000 brings 1,991."),
        (
            {"budget": 0.47, "marginal_response": 250.0, "response_mean": 188.0},
            "The last 0.001 of the budget brings 0.250 KPI units; on average 0.001 brings 0.400.",
        ),
        (
            {"budget": 70_000.0, "marginal_response": 2.721e-6, "response_mean": 0.2555, "response_unit": "relative"},
            "The last 1,000 of the budget brings 0.272% of the KPI; on average 1,000 brings 0.365%.",
        ),
    ],
)
def test_the_last_part_of_the_budget_stands_beside_the_average(values: dict[str, Any], words: str) -> None:
    (text,) = last_of_budget(frontier(**values))
    assert " ".join(text.split()) == words
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_budget_without_a_last_part_says_nothing_about_it() -> None:
    assert last_of_budget(frontier(marginal_response=np.nan)) == []


POINT = {
    "estimate": "point", "delta_kpi_lower": np.nan, "delta_kpi_upper": np.nan, "probability_beats_reference": np.nan,
    "probability_beats_split": np.nan,
}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "+1,234 KPI units per period (90% interval -50 to +2,500; better with probability 93%)."),
        (
            {"response_unit": "relative", "delta_kpi_mean": 0.021, "delta_kpi_lower": -0.01, "delta_kpi_upper": 0.05},
            "+2.1% of the KPI per period (90% interval -1.0% to +5.0%; better with probability 93%).",
        ),
        ({"target": "profit"}, "+7.00 profit per period (90% interval +1.00 to +9.00; better with probability 93%)."),
        ({"probability_beats_reference": np.nan}, "+1,234 KPI units per period (90% interval -50 to +2,500)."),
        (
            {"spend_optimised": 80.0},
            "better with probability 93%). The plan spends -20%; over the reference's split of the same budget: "
            "+11 KPI units (better with probability 50%).",
        ),
        ({"probability_beats_reference": 1.0}, "better with probability above 99%)."),
        ({"probability_beats_reference": 0.0}, "better with probability below 1%)."),
        (POINT, "+1,234 KPI units per period; point estimate (MAP), no uncertainty."),
        (
            {**POINT, "spend_optimised": 80.0},
            "no uncertainty. The plan spends -20%; over the reference's split of the same budget: +11 KPI units.",
        ),
    ],
)
def test_the_expected_change_comes_with_its_uncertainty(values: dict[str, Any], words: str) -> None:
    text = expected_change(summary(**values))
    assert " ".join(text.split()).endswith(words)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_json_has_no_nan_and_no_numpy() -> None:
    document = {
        "a": np.float64("nan"),
        "b": [np.int64(3), float("inf"), np.bool_(True)],
        "c": {"d": pd.NA, "e": Path("x")},
    }
    assert json.loads(as_json(document)) == {"a": None, "b": [3, None, True], "c": {"d": None, "e": "x"}}


def test_sqlite_files_stay_open_and_do_not_wait_for_the_disk_meanwhile(tmp_path: Path) -> None:
    def open_file() -> tuple[int, bool]:
        engine = sa.create_engine(f"sqlite:///{tmp_path / 'events.db'}", poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text("PRAGMA journal_mode=WAL"))
            connection.execute(sa.text("CREATE TABLE IF NOT EXISTS event (id INTEGER)"))
            connection.execute(sa.text("INSERT INTO event VALUES (1)"))
            setting = connection.execute(sa.text("PRAGMA synchronous")).scalar_one()
        return setting, (tmp_path / "events.db-wal").exists()

    full, normal = 2, 1
    assert open_file() == (full, False)
    with quick_sqlite():
        assert open_file() == (normal, True)
        assert open_file() == (normal, True)
    assert not (tmp_path / "events.db-wal").exists()
    assert open_file() == (full, False)
    with sqlite3.connect(tmp_path / "events.db") as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (4,)
    connection.close()
