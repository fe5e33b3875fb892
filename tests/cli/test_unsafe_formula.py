"""`security.allow_unsafe_formula`: Python in a formula runs, and everything that comes of it says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_market import Answer, Market, assert_one_message

import dsam_assets
from dsam_assets.errors import ConfigError
from resources.catalogue import ConfigCatalogue

type Dsam = Callable[..., Answer]
PIECE = "np.log1p(m_tv)"
PERMISSION = "\nsecurity: {allow_unsafe_formula: true}\n"


@pytest.fixture
def unsafe(market: Market) -> Market:
    """The market with Python in its formula, and permission to run it."""
    market.edit("trend + m_tv", f"trend + {PIECE}")
    market.edit("parameter: m_tv", f'parameter: "{PIECE}"')
    market.edit("term: m_tv", f'term: "{PIECE}"')
    market.config.write_text(market.config.read_text() + PERMISSION)
    return market


def flat(text: str) -> str:
    return " ".join(text.split())


def test_validate_says_which_python_would_run(unsafe: Market, dsam: Dsam) -> None:
    answer = dsam("validate", "--config", unsafe.config, "--run-dir", unsafe.folder / "checked")
    assert (answer.status, answer.err) == (0, "")
    assert f"! UNSAFE FORMULA: it runs Python that nobody checks: {PIECE}" in flat(answer.out)
    info = (unsafe.folder / "checked" / "00_run_metadata" / "session_info.txt").read_text()
    assert f"unsafe_formula: RUNS PYTHON: {PIECE}\n" in info
    assert dsam("validate", "--config", unsafe.config, "--json").document["model"]["python"] == [PIECE]


def test_without_the_permission_it_is_refused(unsafe: Market, dsam: Dsam) -> None:
    unsafe.edit(PERMISSION.strip(), "")
    assert_one_message(dsam("validate", "--config", unsafe.config), "is not an allowed call", "model.formula")


def test_python_that_fails_is_one_message(unsafe: Market, dsam: Dsam) -> None:
    unsafe.edit(f"+ {PIECE}", "+ np.nope(m_tv)")
    assert_one_message(dsam("validate", "--config", unsafe.config), "cannot be computed", "np.nope(m_tv)")


def test_a_served_config_needs_the_word_of_the_operator(unsafe: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    served = ConfigCatalogue(folder=str(unsafe.folder), data_roots=[str(unsafe.folder.parent)])
    with pytest.raises(ConfigError, match="served config may not run Python"):
        served.load("uk")
    assert "may not run Python" in served.problem("uk")
    monkeypatch.setenv("DSAM_ALLOW_UNSAFE_FORMULA", "1")
    assert served.load("uk").config.security.allow_unsafe_formula
    monkeypatch.delenv("DSAM_ALLOW_UNSAFE_FORMULA")
    assert ConfigCatalogue(folder=str(unsafe.folder)).load("uk")


@pytest.mark.slow
def test_a_run_says_everywhere_that_python_ran(unsafe: Market, dsam: Dsam, fake_stan: Callable[..., None]) -> None:
    answer = dsam("run", "--config", unsafe.config)
    assert answer.status == 0, answer
    assert f"! UNSAFE FORMULA: it runs Python that nobody checks: {PIECE}" in flat(answer.out)
    (run,) = (unsafe.folder / "results").iterdir()
    files = {path.name: path for path in run.rglob("*") if path.is_file()}
    assert f"unsafe_formula: RUNS PYTHON: {PIECE}\n" in files["session_info.txt"].read_text()
    (said,) = pd.read_csv(files["spec_summary.csv"])["unsafe_formula"]
    assert said == f"RUNS PYTHON: {PIECE}"
    caveats = json.loads(files["interpretation.json"].read_text())["caveats"]
    assert caveats[0].startswith("A formula of this run holds Python that ran as it was written")
    assert PIECE in caveats[0]
    assert PIECE in flat(files["report.html"].read_text())
    assert "A formula of this run holds Python" in files["business_report.md"].read_text()
    assert f"{PIECE}: Python of m_tv, run as it is" in files["transform_assumptions.txt"].read_text()
    assert PIECE in set(pd.read_csv(files["vif_report.csv"])["term"])
    assert PIECE in set(pd.read_csv(files["budget_allocation.csv"])["term"])

    with pytest.raises(ConfigError, match="which loading the run would execute"):
        dsam_assets.load_run(run)
    loaded = dsam_assets.load_run(run, allow_unsafe_formula=True)
    column = list(loaded.matrix.terms).index(PIECE)
    np.testing.assert_allclose(loaded.matrix.values[:, column], np.log1p(loaded.model.data["m_tv"]))
    before = files["report.html"].read_bytes()
    assert dsam("report", run, "--rebuild").status == 0  # from the tables: nothing is run for it
    assert files["report.html"].read_bytes() == before


@pytest.mark.slow
def test_another_piece_of_python_makes_the_design_stale(
    unsafe: Market, dsam: Dsam, fake_stan: Callable[..., None], tmp_path: Path
) -> None:
    text = unsafe.config.read_text()
    unsafe.config.write_text(text[: text.index("allocation:")] + PERMISSION)
    configs = ("--configs", unsafe.folder)
    assert dsam("refresh", *configs).status == 0
    assert "1 current" in dsam("status", *configs).out
    unsafe.config.write_text(unsafe.config.read_text().replace(PIECE, "np.sqrt(m_tv)"))
    told = flat(dsam("status", "uk", *configs).out)
    assert "config/formula changed" in told
    assert "design_matrix" in told


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (PIECE, ""),
        ("{m_tv.rolling(2).mean()}", ""),
        ("C(note)", ""),
        ("center(m_tv)", "other values in the modelled rows"),
        ("C(date.dt.year)", "values of a factor that the model has never seen"),
    ],
)
def test_weeks_ahead_are_computed_as_those_of_the_fit_were_or_refused(
    piece: str, words: str, unsafe: Market, dsam: Dsam
) -> None:
    text = unsafe.config.read_text()
    text = text[: text.index("priors:")].replace(PIECE, piece) + PERMISSION
    unsafe.config.write_text(text + "forecast: {enabled: true, data_path: data/future.csv}\n")
    future = pd.read_csv(unsafe.data).drop(columns="kpi").tail(8)
    future["date"] = pd.to_datetime(future["date"]) + pd.offsets.Week(8)
    future.to_csv(unsafe.data.with_name("future.csv"), index=False, date_format="%Y-%m-%d")
    answer = dsam("validate", "--config", unsafe.config)
    if words:
        assert_one_message(answer, words)
        return
    assert (answer.status, answer.err) == (0, "")
    assert "forecast 8 periods ahead, 8 rows" in flat(answer.out)
