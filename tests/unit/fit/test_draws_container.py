"""Draws, their ArviZ container, and evenly spaced subsets."""

from __future__ import annotations

import numpy as np
import pytest

from dsam_assets.fit.container import from_container, model_container, to_container
from dsam_assets.fit.draws import SAMPLER_STATISTICS, Draws
from dsam_assets.fit.predictor import joint_draws


def test_draws_survive_their_container(draws: Draws) -> None:
    back = from_container(to_container(draws))
    assert back.terms == draws.terms
    assert back.max_treedepth == draws.max_treedepth
    assert dict(back.attributes) == dict(draws.attributes)
    assert {name: type(value) for name, value in back.attributes.items()} == {
        name: type(value) for name, value in draws.attributes.items()
    }
    np.testing.assert_array_equal(back.coef, draws.coef)
    np.testing.assert_array_equal(back.noise_sd, draws.noise_sd)
    assert set(back.sampler) == set(SAMPLER_STATISTICS)
    for name, values in draws.sampler.items():
        np.testing.assert_array_equal(back.sampler[name], values)


def test_the_container_has_the_published_names_and_dimensions(draws: Draws) -> None:
    tree = to_container(draws)
    assert set(tree.children) == {"posterior", "sample_stats"}
    assert tree["posterior"]["coef"].dims == ("chain", "draw", "term")
    assert list(tree["posterior"]["term"].values) == list(draws.terms)
    assert tree["posterior"]["noise_sd"].dims == ("chain", "draw")
    coef = tree["posterior"]["coef"].sel(chain=1, draw=2, term="m_tv").item()
    assert coef == draws.coef[1, 2, draws.terms.index("m_tv")]


def test_arviz_reads_the_container(draws: Draws) -> None:
    import arviz as az

    table = az.summary(to_container(draws), round_to="none")
    assert table.loc["noise_sd", "mean"] == pytest.approx(draws.noise_sd.mean())
    assert table.loc["coef[m_tv]", "mean"] == pytest.approx(draws.coef[..., 1].mean())


def test_the_model_container_also_holds_the_design(draws: Draws, log_matrix) -> None:
    tree = model_container(draws, log_matrix, "a: 1\n")
    np.testing.assert_array_equal(tree["model"]["design"].values, log_matrix.values)
    np.testing.assert_array_equal(tree["model"]["response"].values, log_matrix.response)
    np.testing.assert_array_equal(tree["model"]["offset"].values, log_matrix.offset)
    assert from_container(tree).terms == draws.terms


def test_flat_draws_join_chain_after_chain(draws: Draws) -> None:
    chains, size = draws.noise_sd.shape
    assert draws.coef_flat.shape == (chains * size, 3)
    np.testing.assert_array_equal(draws.coef_flat[size + 1], draws.coef[1, 1])
    assert draws.noise_flat[size + 1] == draws.noise_sd[1, 1]


@pytest.mark.parametrize("most", [1, 2, 7, 50])
def test_thinned_draws_are_evenly_spaced_and_keep_their_pairs(draws: Draws, most: int) -> None:
    coef, noise = joint_draws(draws, most).coef, joint_draws(draws, most).noise_sd
    assert coef.shape == (most, 3)
    positions = [int(np.flatnonzero(draws.noise_flat == value)[0]) for value in noise]
    assert positions == sorted(set(positions))
    assert positions[0] == 0
    if most > 1:
        assert positions[-1] == draws.noise_flat.size - 1
        gaps = np.diff(positions)
        assert gaps.max() - gaps.min() <= 1
    np.testing.assert_array_equal(coef, draws.coef_flat[positions])


def test_thinning_never_repeats_draws(draws: Draws) -> None:
    joint = joint_draws(draws, 10**6)
    np.testing.assert_array_equal(joint.coef, draws.coef_flat)
    np.testing.assert_array_equal(joint.noise_sd, draws.noise_flat)
    assert draws.thinned(10**6) is draws
