from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from resources.stan_runner import CmdStanRunner


@pytest.fixture(scope="session")
def stan() -> Iterator[CmdStanRunner]:
    """Stan of this machine; cmdstanpy's setting of the environment is undone."""
    before = os.environ.get("CMDSTAN")
    yield CmdStanRunner()
    if before is None:
        os.environ.pop("CMDSTAN", None)
