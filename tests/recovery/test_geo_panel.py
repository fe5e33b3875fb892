"""A public panel of 20 geos × 156 weeks with random media slopes: converges with default settings.

The data are not part of the repository; see test_shared_data.py for where they are looked for.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from panels import panel_design

from dsam_assets.diagnostics.residual_table import fitted_mean
from dsam_assets.fit.group_effects import group_coefficients, with_group_effects
from dsam_assets.fit.hierarchical import fit_hierarchical
from dsam_assets.fit.runner import McmcSettings
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

DEFAULTS = McmcSettings(chains=4, warmup=1000, sampling=1000, seed=1, parallel_chains=2)
MEDIA = " + ".join(f"m{channel}" for channel in range(4))
PREDICTORS = f"{MEDIA} + competitor_activity_score_control + sentiment_score_control + s1 + c1 + (1 + {MEDIA} | geo)"


@pytest.fixture(scope="module")
def geo_media() -> pd.DataFrame:
    """Impressions and conversions per head, with a yearly season."""
    named = os.environ.get("DSAM_SHARED_DATA")
    parents = Path(__file__).resolve().parents[2].parents
    places = [Path(named)] if named else [folder / "shared" / "data" for folder in parents]
    files = [place / "meridian" / "geo_media.csv" for place in places]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        pytest.skip("meridian/geo_media.csv is not here; set DSAM_SHARED_DATA to the folder that holds it")
    frame = pd.read_csv(found)
    for channel in range(4):
        frame[f"m{channel}"] = frame[f"Channel{channel}_impression"] / frame["population"]
    frame["kpi"] = frame["conversions"] / frame["population"]
    turn = 2 * np.pi * pd.to_datetime(frame["time"]).dt.dayofyear / 365.25
    return frame.assign(s1=np.sin(turn), c1=np.cos(turn))


@pytest.mark.parametrize("program", ["hierarchical", "hierarchical_adjoint"])
@pytest.mark.parametrize("response", ["kpi", "log(kpi)"])
def test_geo_panel_converges(geo_media: pd.DataFrame, response: str, program: str) -> None:
    import arviz

    design = panel_design(f"{response} ~ {PREDICTORS}", geo_media)
    draws = fit_hierarchical(design, DEFAULTS, CmdStanRunner(), program=program)
    samples = draws.parameters.values()
    assert max(float(arviz.rhat(values)) for values in samples) < 1.01
    assert min(float(arviz.ess(values, method="bulk")) for values in samples) > 400
    assert not draws.sampler["diverging"].any()


def test_geos_differ_as_least_squares_says(geo_media: pd.DataFrame) -> None:
    """With 156 weeks per geo, partial pooling moves a geo's coefficients little from its own least squares."""
    design = panel_design(f"kpi ~ {MEDIA} + (1 + {MEDIA} | geo)", geo_media)
    draws = fit_hierarchical(design, DEFAULTS, CmdStanRunner(), program="hierarchical_adjoint").thinned(1000)
    draws = with_group_effects(draws, design, seed=1)
    levels, terms, values = group_coefficients(draws, design.matrix, "geo")
    assert (len(levels), terms) == (20, design.matrix.terms)
    alone = np.empty((20, 5))
    for position, level in enumerate(levels):
        rows = (geo_media["geo"] == level).to_numpy()
        alone[position] = np.linalg.lstsq(design.matrix.values[rows], design.matrix.response[rows], rcond=None)[0]
    mean = values.mean(axis=(0, 1))
    for term in range(1, 5):  # the intercept, far from the data, follows from the slopes
        assert np.corrcoef(mean[:, term], alone[:, term])[0, 1] > 0.95
        assert mean[:, term].std() < alone[:, term].std(), "partial pooling draws the geos together"
    fitted = fitted_mean(draws, design.matrix)
    codes, observed = design.groups[0].codes, design.matrix.response
    levels_found, levels_seen = (np.bincount(codes, weights=values) / 156 for values in (fitted, observed))
    np.testing.assert_allclose(levels_found, levels_seen, atol=0.1 * observed.std())
