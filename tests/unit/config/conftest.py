from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dsam_assets.config.load import LoadedConfig, load_config
from dsam_assets.config.rules import violations
from dsam_assets.config.schema import Config

MINIMAL: dict[str, Any] = {"data": {"path": "data.csv"}, "model": {"formula": "kpi ~ trend + m_tv"}}


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A folder with the files that the configs of these tests name."""
    for name in ("data.csv", "map.csv", "holidays.csv", "dictionary.csv", "future.csv"):
        (tmp_path / name).write_text("date,kpi,trend,m_tv\n")
    return tmp_path


@pytest.fixture
def load(market: Path) -> Callable[..., LoadedConfig]:
    def load_text(text: str, name: str = "uk.yaml", **options: Any) -> LoadedConfig:
        (market / name).write_text(text)
        return load_config(market / name, **options)

    return load_text


@pytest.fixture
def make() -> Callable[..., Config]:
    """A config from the minimal one and dotted changes: `make({"fit.mcmc.iter": 100})`."""

    def from_changes(changes: dict[str, Any] | None = None) -> Config:
        raw = deepcopy(MINIMAL)
        for key, value in (changes or {}).items():
            *parents, last = key.split(".")
            section = raw
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
        return Config.model_validate(raw)

    return from_changes


@pytest.fixture
def broken(make: Callable[..., Config]) -> Callable[[dict[str, Any]], list[str]]:
    """Dotted keys of the cross-field rules that the changed minimal config breaks."""
    from dsam_assets.config.key_paths import dotted

    return lambda changes: [dotted(problem.path) for problem in violations(make(changes))]
