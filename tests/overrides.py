"""Rows of `priors.overrides` and `boundaries.overrides`, as tests write them without a config."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Prior:
    """A row of `priors.overrides`."""

    parameter: str
    mean: float
    sd: float
    family: str = "normal"


@dataclass(frozen=True)
class Bound:
    """A row of `boundaries.overrides`."""

    parameter: str
    lower: float = -inf
    upper: float = inf
