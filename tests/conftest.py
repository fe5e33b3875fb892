"""Fixtures that several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_stan import FakeRunner
from small_market import write_market


@pytest.fixture(scope="session", autouse=True)
def _no_browser() -> Iterator[None]:
    """Figures stay HTML: a browser costs seconds, and test machines need none. Tests of images name their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSAM_BROWSER", "none")
        yield


@pytest.fixture
def new_market(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small market below a folder and returns the path of its config."""
    return lambda name="uk", folder=None: write_market(folder or tmp_path / "configs", name)


@pytest.fixture
def fake_runner() -> FakeRunner:
    """A `StanRunner` that draws from the conjugate posterior and remembers its calls."""
    return FakeRunner()
