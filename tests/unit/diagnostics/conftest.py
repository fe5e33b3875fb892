"""Made-up posteriors as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_up_draws import healthy_draws, point_estimate, with_coef, with_sampler

from dsam_assets.fit.draws import Draws


@pytest.fixture
def make_draws() -> Callable[..., Draws]:
    return healthy_draws


@pytest.fixture
def make_point() -> Callable[..., Draws]:
    return point_estimate


@pytest.fixture
def overwrite() -> Callable[..., Draws]:
    return with_coef


@pytest.fixture
def tamper() -> Callable[..., Draws]:
    return with_sampler
