"""cmdstanpy's environment while several threads sample."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from resources.stan_runner import _Pointer


@pytest.mark.parametrize("before", [None, "/opt/own"])
def test_the_last_one_out_undoes_what_the_first_one_set(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMDSTAN", raising=False)
    if before is not None:
        monkeypatch.setenv("CMDSTAN", before)
    logger = logging.getLogger("a test of the pointer")
    logger.setLevel(logging.INFO)
    pointer = _Pointer()
    pointer.enter(Path("/opt/a"), logger)
    pointer.enter(Path("/opt/a"), logger)
    pointer.leave(logger)
    assert (os.environ["CMDSTAN"], logger.level) == ("/opt/a", logging.WARNING)
    pointer.leave(logger)
    assert (os.environ.get("CMDSTAN"), logger.level, logger.filters) == (before, logging.INFO, [])
