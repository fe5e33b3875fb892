"""What the recovery tests share: small models, fits through the core, and Monte Carlo errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from overrides import Bound, Prior

from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.runner import McmcSettings, StanDraws, StanRunner
from dsam_assets.fit.sample import fit_linear
from dsam_assets.scales import FloatArray

BATCH = 50


@dataclass
class RecordingRunner:
    """Passes a call on and keeps what Stan returned, so that a test can convert the raw draws by itself."""

    runner: StanRunner
    raw: list[StanDraws] = field(default_factory=list)

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        self.raw.append(self.runner.sample(program, data, settings))
        return self.raw[-1]


def model_matrix(columns: Mapping[str, FloatArray], response: FloatArray) -> ModelMatrix:
    """A model matrix of the given columns, identity response, no offset."""
    rows = len(response)
    return ModelMatrix(
        terms=tuple(columns),
        values=np.column_stack(list(columns.values())),
        response=response,
        offset=np.zeros(rows),
        response_name="y",
        response_scale="identity",
        rows=np.arange(rows),
        dropped={},
    )


def design_of(
    columns: Mapping[str, FloatArray],
    response: FloatArray,
    priors: Sequence[Prior] = (),
    bounds: Sequence[Bound] = (),
    *,
    scale: bool = True,
) -> LinearDesign:
    return build_linear_design(model_matrix(columns, response), scale=scale, priors=priors, boundaries=bounds)


def settings(**changes: Any) -> McmcSettings:
    return McmcSettings(**{"chains": 4, "warmup": 500, "sampling": 2000, "seed": 5, "parallel_chains": 2} | changes)


def sample(design: LinearDesign, runner: StanRunner, **changes: Any) -> Draws:
    """Fit with 4 chains of 2,000 draws unless told otherwise."""
    return fit_linear(design, settings(**changes), runner)


def parameters(draws: Draws) -> FloatArray:
    """Coefficients and then the noise sd, shape (chain, draw, K + 1)."""
    return np.concatenate([draws.coef, draws.noise_sd[:, :, None]], axis=2)


def joined(values: FloatArray) -> FloatArray:
    """(chain, draw, P) → (S, P)."""
    return values.reshape(-1, values.shape[-1])


def mean_and_error(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and their Monte Carlo standard errors, from the means of batches of 50 draws; values (chain, draw, P)."""
    batches = values.reshape(-1, BATCH, values.shape[-1]).mean(axis=1)
    return batches.mean(axis=0), batches.std(axis=0, ddof=1) / np.sqrt(len(batches))


def assert_moments(draws: Draws, mean: FloatArray, sd: FloatArray, correlation: FloatArray | None = None) -> None:
    """Means within 4.5 Monte Carlo errors, sds within 6 %, correlations within 0.06 of the expected ones."""
    values = parameters(draws)[:, :, : len(mean)]
    found, error = mean_and_error(values)
    np.testing.assert_array_less(np.abs(found - mean) / error, 4.5)
    np.testing.assert_allclose(joined(values).std(axis=0), sd, rtol=0.06)
    if correlation is not None:
        np.testing.assert_allclose(np.corrcoef(joined(values).T), correlation, atol=0.06)


def assert_same_posterior(first: Draws, second: Draws) -> None:
    """Two sets of draws have the same means (4.5 joint Monte Carlo errors), sds (8 %) and deciles' shares."""
    one, other = parameters(first), parameters(second)
    (mean, error), (mean_other, error_other) = mean_and_error(one), mean_and_error(other)
    np.testing.assert_array_less(np.abs(mean - mean_other) / np.hypot(error, error_other), 4.5)
    np.testing.assert_allclose(joined(one).std(axis=0), joined(other).std(axis=0), rtol=0.08)
    deciles = np.quantile(joined(one), [0.1, 0.9], axis=0)
    shares = (joined(other)[:, None, :] < deciles).mean(axis=0)
    np.testing.assert_allclose(shares, np.broadcast_to([[0.1], [0.9]], shares.shape), atol=0.03)
