"""The seam between the fit stage and whatever runs Stan.

The core asks for draws through this protocol, so it knows neither cmdstanpy nor where Stan is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dsam_assets.scales import FloatArray


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


class StanRunner(Protocol):
    """Something that samples a named Stan program (`linear` for stan/linear.stan)."""

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        """Draw from the program's posterior; raises `FitError` or `ToolchainError`."""
        ...
