"""Commands run in this process, on a small market, without Stan."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_market import Answer, Market
from fake_stan_resource import FakeStan
from small_market import write_market

import dsam_assets.definitions
from dsam_assets.cli import main

SETTINGS = ("DSAM_STORE", "DAGSTER_HOME", "DSAM_CONFIGS", "DSAM_TRACEBACK", "CMDSTAN")


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Market:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    return Market(write_market(tmp_path / "project" / "configs"))


@pytest.fixture
def dsam(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Answer]]:
    """Runs a command line and returns exit status and output."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse
            status = end.code if isinstance(end.code, int) else -1
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    yield call
    for name in ("dsam.progress", "dsam.stan"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, because Dagster takes a second to set one up."""
    return tmp_path_factory.mktemp("dagster")


@pytest.fixture
def fake_stan(market: Market, dagster_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the stand-in in place of Stan, with the given settings."""

    def use(**settings: object) -> None:
        monkeypatch.setattr(dsam_assets.definitions, "StanResource", lambda progress: FakeStan(**settings))

    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    use()
    return use
