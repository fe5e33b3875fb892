"""The seam between the fit stage and whatever runs Stan.

The core asks for draws and modes through this protocol, so it knows neither cmdstanpy nor where Stan is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dsam_assets.scales import FloatArray

OptimiseAlgorithm = Literal["lbfgs", "bfgs"]


@dataclass(frozen=True)
class McmcSettings:
    """How to sample: counts are per chain; `sampling` and `warmup` count iterations before thinning."""

    chains: int
    warmup: int
    sampling: int
    seed: int
    parallel_chains: int = 1
    thin: int = 1
    refresh: int = 0
    adapt_delta: float | None = None
    max_treedepth: int = 10
    step_size: float | None = None
    metric: str = "diag_e"
    init_radius: float | None = None
    adapt_init_phase: int | None = None
    adapt_metric_window: int | None = None
    adapt_step_size: int | None = None


@dataclass(frozen=True)
class OptimiseSettings:
    """How to climb from one start: at most `iterations` steps, from uniform(±init_radius) on the unconstrained scale.

    None leaves the radius to Stan (2); so are the tolerances.
    """

    seed: int
    iterations: int = 2000
    algorithm: OptimiseAlgorithm = "lbfgs"
    init_radius: float | None = None


@dataclass(frozen=True)
class StanDraws:
    """Raw draws from Stan, on the scale that Stan sees.

    Attributes:
        parameters: name → array of shape (chain, draw, *parameter shape).
        sampler: sampler statistic (`lp__`, `divergent__`, …) → array of shape (chain, draw).
        step_size: adapted step size per chain, shape (chain,).
        inv_metric: diagonal of the inverse metric per chain, also of a dense one, shape (chain, unconstrained
            parameters).
        stan_version: version of Stan that drew them.
        seconds: wall-clock seconds of the sampling call.
    """

    parameters: Mapping[str, FloatArray]
    sampler: Mapping[str, FloatArray]
    step_size: FloatArray
    inv_metric: FloatArray
    stan_version: str
    seconds: float = field(compare=False)


@dataclass(frozen=True)
class StanMode:
    """Where one optimisation ended, on the scale that Stan sees.

    Attributes:
        parameters: name → array of the parameter's shape.
        log_posterior: Stan's `lp__` there, without the Jacobian of the constraints: known up to a constant that is the
            same for all starts of one program and data block.
        converged: whether Stan stopped because a tolerance was met.
        reason: why Stan stopped, in its words.
        iterations: steps taken, where Stan says.
        stan_version: version of Stan that found it.
    """

    parameters: Mapping[str, FloatArray]
    log_posterior: float
    converged: bool
    reason: str
    iterations: int | None
    stan_version: str


class StanRunner(Protocol):
    """Something that samples and optimises a named Stan program (`linear` for stan/linear.stan)."""

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        """Draw from the program's posterior; raises `FitError` or `ToolchainError`."""
        ...

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        """Climb to a mode of the posterior density of the parameters as the program declares them, without the
        Jacobian of their constraints; raises `FitError` or `ToolchainError`. Not converging is a result, not an error.
        """
        ...
