"""linear.stan through the runner, against closed forms and the row-wise density."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dsam_assets.errors import FitError
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.fit.stan_input import linear_coordinates
from resources.stan_runner import CmdStanRunner, _advancing

pytestmark = pytest.mark.stan

N, K = 40, 4
OWN = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def runner() -> CmdStanRunner:
    return CmdStanRunner()


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    X = np.column_stack([np.ones(N), rng.normal(size=(N, K - 1))])
    X[:, 3] = 0.8 * X[:, 2] + 0.6 * X[:, 3]
    return X, X @ [2.0, -1.0, 0.5, 0.0] + rng.normal(size=N)


def stan_data(X: np.ndarray, y: np.ndarray, **changes: Any) -> dict[str, Any]:
    data = plain_data(X, y, **changes)
    return data | linear_coordinates(data)


def plain_data(X: np.ndarray, y: np.ndarray, **changes: Any) -> dict[str, Any]:
    """The data block without coordinates."""
    Q, R = np.linalg.qr(X)
    z = Q.T @ y
    terms = X.shape[1]
    return {
        "N": len(y), "K": terms, "R": R, "z": z, "rss": float(y @ y - z @ z),
        "prior_mean": np.linspace(-1, 1, terms), "prior_sd": np.linspace(0.2, 2, terms),
        "lower_bound": np.full(terms, -np.inf), "upper_bound": np.full(terms, np.inf),
        "noise_family": 0, "noise_location": 0.0, "noise_spread": 2.0, "noise_lower": 0.0, "noise_upper": np.inf,
        "noise_noncentered": 0, "prior_only": 0,
    } | changes  # fmt: skip


def settings(**changes: Any) -> McmcSettings:
    return McmcSettings(**{"chains": 4, "warmup": 500, "sampling": 1000, "seed": 3, "parallel_chains": 2} | changes)


def flat(draws: StanDraws, name: str) -> np.ndarray:
    values = draws.parameters[name]
    return values.reshape(-1, *values.shape[2:])


def mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and its Monte Carlo standard error, from the means of batches of 50 draws; values (chain, draw, ...)."""
    chains, draws = values.shape[:2]
    batches = values.reshape(chains * (draws // 50), 50, *values.shape[2:]).mean(axis=1)
    return batches.mean(axis=0), batches.std(axis=0, ddof=1) / np.sqrt(len(batches))


def test_posterior_is_the_exact_normal(runner: CmdStanRunner) -> None:
    """With the noise sd pinned to one, the coefficients are exactly normal."""
    X, y = rows()
    data = stan_data(X, y, noise_location=1.0, noise_lower=0.9999, noise_upper=1.0001)
    draws = runner.sample("linear", data, settings(sampling=2000))
    precision = X.T @ X + np.diag(data["prior_sd"] ** -2.0)
    covariance = np.linalg.inv(precision)
    expected = covariance @ (X.T @ y + data["prior_mean"] / data["prior_sd"] ** 2)
    mean, error = mean_and_error(draws.parameters["coef"])
    assert np.all(np.abs(mean - expected) < 4 * error)
    np.testing.assert_allclose(flat(draws, "coef").std(axis=0), np.sqrt(np.diag(covariance)), rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(flat(draws, "coef").T)[2, 3], _correlation(covariance, 2, 3), atol=0.05)


def _correlation(covariance: np.ndarray, i: int, j: int) -> float:
    return float(covariance[i, j] / np.sqrt(covariance[i, i] * covariance[j, j]))


def test_prior_alone_is_half_normal_and_keeps_its_bounds(runner: CmdStanRunner) -> None:
    """Bounds below, above, on both sides, and none; the noise sd half normal with sd 2."""
    X, y = rows()
    lower, upper = np.array([0.0, -np.inf, -0.5, -np.inf]), np.array([np.inf, 0.0, 0.25, np.inf])
    data = stan_data(
        X, y, prior_only=1, prior_mean=np.zeros(K), prior_sd=np.ones(K), lower_bound=lower, upper_bound=upper
    )
    draws = runner.sample("linear", data, settings(sampling=2000))
    coef = flat(draws, "coef")
    assert np.all(coef > lower)
    assert np.all(coef < upper)
    truncated = stats.truncnorm(-0.5, 0.25).mean()
    half = np.sqrt(2 / np.pi)
    mean, error = mean_and_error(draws.parameters["coef"])
    assert np.all(np.abs(mean - [half, -half, truncated, 0.0]) < 4 * error)
    mean, error = mean_and_error(draws.parameters["noise_sd"])
    assert abs(mean - 2 * half) < 4 * error


@pytest.mark.parametrize("noncentered", [0, 1])
def test_lognormal_noise_prior_in_both_parameterisations(runner: CmdStanRunner, noncentered: int) -> None:
    X, y = rows()
    data = stan_data(
        X, y, prior_only=1, noise_family=1, noise_location=-1.0, noise_spread=0.5, noise_noncentered=noncentered,
        noise_lower=0.2, noise_upper=0.6,
    )  # fmt: skip
    draws = runner.sample("linear", data, settings(sampling=2000))
    low, high = ((np.log(bound) + 1.0) / 0.5 for bound in (0.2, 0.6))
    mean, error = mean_and_error(np.log(draws.parameters["noise_sd"]))
    assert abs(mean - (-1.0 + 0.5 * stats.truncnorm(low, high).mean())) < 4 * error
    assert 0.2 < draws.parameters["noise_sd"].min() < draws.parameters["noise_sd"].max() < 0.6


def test_log_density_is_the_row_wise_one(runner: CmdStanRunner) -> None:
    """lp__ and the density of rows, priors and Jacobians differ by one constant over all draws.

    A coefficient that is lower + s log(1 + exp(x)) has the slope 1 - exp(-(coefficient - lower) / s) by s x, one below
    a bound likewise. Between two bounds, a width of w apart, p = (coefficient - lower) / s and
    p = log((1 + e^x) / (1 + e^(x - w/s))) gives e^x = (e^p - 1) / (1 - e^(p - w/s)).
    """
    X, y = rows()
    lower, upper = np.array([-np.inf, -np.inf, 0.0, -0.6]), np.array([np.inf, -0.9, np.inf, 0.3])
    data = stan_data(X, y, lower_bound=lower, upper_bound=upper)
    draws = runner.sample("linear", data, settings(chains=2, sampling=200))
    coef, sigma = flat(draws, "coef"), flat(draws, "noise_sd")
    density = (
        stats.norm.logpdf(y, coef @ X.T, sigma[:, None]).sum(axis=1)
        + stats.norm.logpdf(coef, data["prior_mean"], data["prior_sd"]).sum(axis=1)
        + stats.norm.logpdf(sigma, 0.0, 2.0)
        + np.log(sigma)  # the Jacobian of the log
    )
    assert data["bounded"].tolist() == [2, 3, 4]
    below, above, between = data["softness"]
    density += np.log1p(-np.exp((coef[:, 1] + 0.9) / below)) + np.log1p(-np.exp(-coef[:, 2] / above))
    width, p = 0.9 / between, (coef[:, 3] + 0.6) / between
    x = np.log(np.expm1(p) / -np.expm1(p - width))
    density += stats.logistic.logcdf(x) + stats.logistic.logsf(x - width)
    difference = draws.sampler["lp__"].ravel() - density
    assert np.ptp(difference) < 1e-8
    assert np.ptp(density) > 1


def test_seed_decides_the_draws(runner: CmdStanRunner) -> None:
    data = stan_data(*rows())
    short = settings(chains=2, warmup=100, sampling=50)
    first, again = (runner.sample("linear", data, short) for _ in range(2))
    other = runner.sample("linear", data, settings(chains=2, warmup=100, sampling=50, seed=4))
    np.testing.assert_array_equal(first.parameters["coef"], again.parameters["coef"])
    assert not np.any(first.parameters["coef"] == other.parameters["coef"])
    assert not np.any(first.parameters["coef"][0] == first.parameters["coef"][1]), "chains differ"


def test_settings_have_their_effects(runner: CmdStanRunner) -> None:
    data = stan_data(*rows())
    shallow = runner.sample("linear", data, settings(chains=2, max_treedepth=1, sampling=100))
    assert shallow.sampler["treedepth__"].max() == 1
    careful = runner.sample("linear", data, settings(chains=2, adapt_delta=0.99, sampling=100))
    normal = runner.sample("linear", data, settings(chains=2, sampling=100))
    assert np.all(careful.step_size < 0.8 * normal.step_size.min())
    assert careful.sampler["accept_stat__"].mean() > 0.97
    plain = CmdStanRunner(folder=OWN)
    diagonal, dense = (
        plain.sample("plain_linear", data, settings(chains=2, metric=metric, thin=4, sampling=100))
        for metric in ("diag_e", "dense_e")
    )
    assert dense.parameters["coef"].shape == (2, 25, K)
    assert dense.inv_metric.shape == normal.inv_metric.shape == (2, K + 1)
    assert np.all(dense.step_size > diagonal.step_size.max()), "a dense metric undoes the correlation of the predictors"
    still = runner.sample("linear", data, settings(chains=2, warmup=0, sampling=20, step_size=1e-10, init_radius=0.0))
    np.testing.assert_array_equal(still.step_size, [1e-10, 1e-10])
    np.testing.assert_allclose(
        still.parameters["coef"], np.broadcast_to(data["unbounded_center"], (2, 20, K)), atol=1e-4
    )


def test_draws_are_complete(runner: CmdStanRunner) -> None:
    draws = runner.sample("linear", stan_data(*rows()), settings(chains=3, sampling=20, parallel_chains=8))
    assert {name: values.shape for name, values in draws.parameters.items()} == {
        "white": (3, 20, K), "coef": (3, 20, K), "noise_centered": (3, 20, 1), "noise_sd": (3, 20)
    }  # fmt: skip
    assert set(draws.sampler) == {
        "lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__", "energy__"
    }  # fmt: skip
    assert all(values.shape == (3, 20) for values in draws.sampler.values())
    np.testing.assert_allclose(draws.sampler["stepsize__"][:, 0], draws.step_size, rtol=1e-5)
    np.testing.assert_array_equal(draws.parameters["noise_centered"][..., 0], draws.parameters["noise_sd"])
    assert draws.stan_version.startswith("2.")
    assert draws.seconds > 0


def test_draws_keep_all_their_digits(runner: CmdStanRunner) -> None:
    values = runner.sample("linear", stan_data(*rows()), settings(chains=1, sampling=50)).parameters["coef"].ravel()
    assert np.mean(values == np.array([float(f"{value:.14g}") for value in values])) < 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"z": np.zeros(K + 1)}, "variable name=z"),
        ({"rss": -1.0}, "rss is -1"),
        ({"upper_bound": np.full(K, -1.0), "lower_bound": np.zeros(K)}, "upper_bound"),
        ({"noise_noncentered": 1}, "noise_noncentered"),
        ({"rss": np.nan}, "rss is nan"),
        ({"rss": np.inf}, "Initialization failed"),
    ],
)
def test_refused_data_name_the_variable(
    runner: CmdStanRunner, changes: dict[str, Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(FitError, match="sampling the program linear") as caught:
        runner.sample("linear", stan_data(*rows()) | changes, settings(chains=2))
    assert re.search(message, str(caught.value.got))
    assert not caplog.records, "the error says it all"


def test_impossible_settings_are_fit_errors(runner: CmdStanRunner) -> None:
    with pytest.raises(FitError, match="adapt_delta"):
        runner.sample("linear", stan_data(*rows()), settings(adapt_delta=1.5))


def test_nothing_is_left_behind(runner: CmdStanRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CMDSTAN", raising=False)
    runner.sample("linear", stan_data(*rows()), settings(chains=1, sampling=10))
    assert list(tmp_path.iterdir()) == []
    assert "CMDSTAN" not in os.environ


def test_bar_adds_the_chains_up() -> None:
    steps: list[int] = []
    advance = _advancing(steps.append)
    for chain, line in ((0, "Iteration: 100 / 200"), (1, "Iteration:  50 / 200"), (0, "Iteration: 200 / 200"), (0, "")):
        advance(line, chain)
    assert steps == [100, 50, 100]


def test_bar_is_drawn_on_a_terminal(
    runner: CmdStanRunner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    CmdStanRunner(progress=True).sample("linear", stan_data(*rows()), settings(chains=2, sampling=20_000, refresh=10))
    captured = capsys.readouterr()
    assert re.search(r"sampling: +[1-9]\d*%.* \d+/41000 ", captured.err)
    assert captured.out == ""
