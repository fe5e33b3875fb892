"""The story of a served fleet, lived once; the tests look at what was seen in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_story import Story, lived


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Pictures of the pages go to the folder `DSAM_SHOTS`, if it is set."""
    root = tmp_path_factory.mktemp("fleet")
    shots = Path(os.environ.get("DSAM_SHOTS") or root / "shots")
    shots.mkdir(parents=True, exist_ok=True)
    with lived(root, shots) as story:
        yield story
