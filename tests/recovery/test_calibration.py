"""Simulation-based calibration of every class of model: ranks of what generated the data are uniform.

`python tests/recovery/write_calibration.py` runs the same and writes docs/calibration/ with the figures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from calibration_models import DATA_SETS, MODELS, RANKED, WRONG_NOISE, Ranks, calibrate
from uniform_ranks import band, p_value

from dsam_assets.scales import FloatArray

QUANTITIES = 55  # over all classes; the false alarm of the whole file is one in a hundred (Bonferroni)
SMALLEST = 0.01 / QUANTITIES


@pytest.fixture(scope="module", params=MODELS)
def ranks(request: pytest.FixtureRequest) -> Ranks:
    return calibrate(request.param)


@pytest.mark.stan
@pytest.mark.slow
def test_ranks_are_uniform_and_those_of_a_wrong_posterior_are_not(ranks: Ranks) -> None:
    """512 data sets, 63 nearly independent draws each; the negative control has a noise sd that is 20 % too large."""
    assert DATA_SETS >= 200
    assert WRONG_NOISE == 1.2
    found = {name: p_value(values, RANKED) for name, values in ranks.right.items()}
    assert {name: p for name, p in found.items() if p < SMALLEST} == {}
    assert p_value(ranks.wrong["noise_sd"], RANKED) < SMALLEST, "so small an error would show"


def test_p_values_are_uniform_under_uniform_ranks() -> None:
    rng = np.random.default_rng(3)
    found = np.array([p_value(rng.integers(0, RANKED + 1, size=DATA_SETS), RANKED) for _ in range(2000)])
    for level in (0.01, 0.1, 0.5):
        assert np.mean(found <= level) == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 2000))


def test_the_band_is_left_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    counts = rng.multinomial(DATA_SETS, np.full(RANKED + 1, 1 / (RANKED + 1)), size=4000)
    ecdf = counts.cumsum(axis=1)[:, :-1] / DATA_SETS
    limits = band(DATA_SETS, RANKED, 0.95)
    inside = ((ecdf >= limits.low) & (ecdf <= limits.high)).all(axis=1).mean()
    assert inside == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("bend", [lambda u: u**1.25, lambda u: 0.5 + 0.85 * (u - 0.5)])
def test_shifts_and_wrong_spreads_are_found(bend: Callable[[FloatArray], FloatArray]) -> None:
    """Ranks that lean to one side, and ranks that pile up in the middle."""
    u = np.random.default_rng(5).uniform(size=DATA_SETS)
    assert p_value(np.floor(u * (RANKED + 1)).astype(int), RANKED) > 0.05
    assert p_value(np.floor(bend(u) * (RANKED + 1)).astype(int), RANKED) < SMALLEST
