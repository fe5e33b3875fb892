"""Climbs to a mode, one per start, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dsam_assets.errors import FitError
from dsam_assets.fit.point_model import PointModel
from dsam_assets.fit.point_shape import PointShape, point_shape
from dsam_assets.fit.runner import OptimiseSettings, StanMode, StanRunner
from dsam_assets.scales import FloatArray

TIE = 1e-8  # relative difference of log posteriors below which two ends are one mode
MOST_GAP = 1e-3  # of log posterior: about a twentieth of a standard deviation from the mode
MESSAGE_LENGTH = 300


@dataclass(frozen=True)
class End:
    """Where a climb ended.

    Attributes:
        point: on the scale that Stan sees, shape (P,).
        estimates: every parameter in data units.
        log_posterior: Stan's, known up to a constant that is the same for all starts.
        shape: of the log posterior there.
        rmse: of the residuals in data units on the model scale.
        converged: Stan met a tolerance, and by the exact derivatives the point is a mode.
        iterations: steps taken, where Stan says.
        stan_version: version of Stan that climbed.
    """

    point: FloatArray
    estimates: Mapping[str, float]
    log_posterior: float
    shape: PointShape
    rmse: float
    converged: bool
    iterations: int | None
    stan_version: str


@dataclass(frozen=True)
class Start:
    """One start, counted from 1: why it stopped, or failed, and where it ended, if anywhere."""

    run: int
    seed: int
    message: str
    end: End | None


def climb(model: PointModel, program: str, run: int, settings: OptimiseSettings, runner: StanRunner) -> Start:
    """Climb from one start; that Stan fails is said in the result."""
    try:
        mode = runner.optimise(program, model.data, settings)
        point = model.point(mode.parameters)
    except FitError as error:
        return Start(run, settings.seed, _one_line(f"{error.what} {error.got or ''}"), None)
    shape = point_shape(model.posterior, point)
    is_mode = shape.gap <= MOST_GAP  # a NaN is not
    end = End(
        point=point,
        estimates=model.estimates(point),
        log_posterior=mode.log_posterior,
        shape=shape,
        rmse=model.rmse(point),
        converged=mode.converged and is_mode,
        iterations=mode.iterations,
        stan_version=mode.stan_version,
    )
    return Start(run, settings.seed, _message(mode, shape), end)


def _message(mode: StanMode, shape: PointShape) -> str:
    if shape.gap <= MOST_GAP:
        return mode.reason
    if shape.covariance is None:
        return f"{mode.reason}; but the log posterior does not curve downwards there"
    return f"{mode.reason}; but another step would raise the log posterior by {shape.gap:.2g}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LENGTH else line[: MESSAGE_LENGTH - 1] + "…"


def best_start(starts: Sequence[Start]) -> tuple[Start, End]:
    """The start that ended highest, and its end; of several on one mode a converged one, and then the first.

    Raises:
        FitError: every start failed.
    """
    ended = [(start, start.end) for start in starts if start.end is not None]
    if not ended:
        messages = dict.fromkeys(start.message for start in starts)
        raise FitError(
            "No start of the optimisation ended anywhere.",
            where=f"{len(starts)} starts, seeds {starts[0].seed} to {starts[-1].seed}",
            got="\n".join(messages),
            fix="Check priors and boundaries for extreme values, set model.scale: true, or set fit.optimise.init to a "
            "small radius such as 0.1.",
        )
    highest = max(end.log_posterior for _, end in ended)
    on_top = [pair for pair in ended if highest - pair[1].log_posterior <= TIE * abs(highest)]
    return min(on_top, key=lambda pair: (not pair[1].converged, pair[0].run))
