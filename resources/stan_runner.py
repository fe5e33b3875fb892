"""Running Stan through cmdstanpy: the `StanRunner` that the fit stage is given."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsam_assets.errors import FitError
from dsam_assets.fit.runner import McmcSettings, OptimiseSettings, StanDraws, StanMode
from dsam_assets.scales import FloatArray
from resources.toolchain.cache import Progress, temporary_folder
from resources.toolchain.executables import executable
from resources.toolchain.home import StanHome, find_home

LineHook = Callable[[str, int], None]

DIGITS = 17  # significant digits in Stan's CSV files: a double survives the way through text


@dataclass(frozen=True)
class CmdStanRunner:
    """Samples and optimises Stan programs, one process per chain or start.

    Attributes:
        progress: show one progress bar over the iterations of all chains, if standard error is a terminal.
        notify: receives lines about compiling, which takes about a minute the first time.
        home: the CmdStan to use; found when not given.
        folder: where the programs lie; those of this package when not given.
    """

    progress: bool = False
    notify: Progress | None = None
    home: StanHome | None = None
    folder: Path | None = None

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        """Draw from the program's posterior.

        Args:
            program: name of the program, without `.stan`.
            data: its data block; arrays may hold infinities.
            settings: counts, seed and sampler settings. The same seed gives the same draws.

        Raises:
            FitError: Stan refuses the data, cannot start, or stops.
            ToolchainError: the program cannot be compiled.
        """
        with self._ready(program) as (path, scratch), _bar(self.progress, settings) as hook:
            start = time.perf_counter()
            try:
                fit = _sample(path, data, settings, scratch, hook)
            except (RuntimeError, ValueError, OSError) as error:
                where = f"{settings.chains} chains, seed {settings.seed}"
                raise _stopped("sampling", program, where, scratch, error) from error
            return _draws(fit, time.perf_counter() - start)

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        """Climb to a mode of the program's posterior from one start, without the Jacobian of the constraints.

        Args:
            program: name of the program, without `.stan`.
            data: its data block; arrays may hold infinities.
            settings: seed, iterations and algorithm. The same seed ends at the same point.

        Raises:
            FitError: Stan refuses the data, cannot start, or stops without a result. A line search that fails and an
                iteration limit are results that have not converged.
            ToolchainError: the program cannot be compiled.
        """
        with self._ready(program) as (path, scratch):
            try:
                fit = _optimise(path, data, settings, scratch)
            except (RuntimeError, ValueError, OSError) as error:
                raise _stopped("optimising", program, f"seed {settings.seed}", scratch, error) from error
            return _mode(fit)

    @contextmanager
    def _ready(self, program: str) -> Iterator[tuple[Path, Path]]:
        """The program's executable and a scratch folder, with cmdstanpy at hand."""
        home = self.home or find_home(progress=self.notify)
        path = executable(program, home, progress=self.notify, folder=self.folder)
        with temporary_folder() as scratch, _cmdstanpy(home):
            yield path, scratch


def _stopped(doing: str, program: str, where: str, scratch: Path, error: Exception) -> FitError:
    return FitError(
        f"Stan stopped while {doing} the program {program}.",
        where=where,
        got=_console(scratch) or str(error),
        fix="The last lines say what Stan objects to: data or settings out of range, priors that "
        "contradict the bounds, or a likelihood that is not finite anywhere near the start.",
    )


def _sample(path: Path, data: Mapping[str, Any], settings: McmcSettings, scratch: Path, hook: LineHook | None) -> Any:
    from cmdstanpy import CmdStanModel, write_stan_json

    class HookedModel(CmdStanModel):
        """One hook for all chains, in place of cmdstanpy's bar for each of them."""

        def _run_cmdstan(self, *args: Any, **kwargs: Any) -> None:
            super()._run_cmdstan(*args, **{**kwargs, "progress_hook": hook})

    write_stan_json(str(scratch / "data.json"), data)
    return HookedModel(exe_file=path).sample(
        data=str(scratch / "data.json"), output_dir=str(scratch), show_progress=False, **sample_arguments(settings)
    )


def sample_arguments(settings: McmcSettings) -> dict[str, Any]:
    """The settings under cmdstanpy's names; what is None keeps Stan's default."""
    arguments = {
        "chains": settings.chains,
        "parallel_chains": min(settings.parallel_chains, settings.chains),
        "iter_warmup": settings.warmup,
        "iter_sampling": settings.sampling,
        "thin": settings.thin,
        "seed": settings.seed,
        "max_treedepth": settings.max_treedepth,
        "metric": settings.metric,
        "adapt_engaged": settings.warmup > 0,
        "adapt_delta": settings.adapt_delta,
        "adapt_init_phase": settings.adapt_init_phase,
        "adapt_metric_window": settings.adapt_metric_window,
        "adapt_step_size": settings.adapt_step_size,
        "step_size": settings.step_size,
        "inits": settings.init_radius,
        "refresh": settings.refresh or None,  # cmdstanpy has no word for silence; its console goes to a file anyway
        "sig_figs": DIGITS,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _optimise(path: Path, data: Mapping[str, Any], settings: OptimiseSettings, scratch: Path) -> Any:
    from cmdstanpy import CmdStanModel, write_stan_json

    write_stan_json(str(scratch / "data.json"), data)
    return CmdStanModel(exe_file=path).optimize(
        data=str(scratch / "data.json"),
        output_dir=str(scratch),
        seed=settings.seed,
        inits=settings.init_radius,
        algorithm=settings.algorithm,
        iter=settings.iterations,
        jacobian=False,
        require_converged=False,
        sig_figs=DIGITS,
    )


def _mode(fit: Any) -> StanMode:
    """cmdstanpy's fit as plain arrays. Only the console says why the climb ended and after how many steps."""
    values, metadata = np.asarray(fit.optimized_params_np, dtype=float), fit.metadata
    converged, reason, iterations = _ending(Path(fit.runset.stdout_files[0]).read_text())
    return StanMode(
        parameters={
            name: np.asarray(variable.extract_reshape(values, object=False), dtype=float)
            for name, variable in metadata.stan_vars.items()
        },
        log_posterior=float(values[metadata.column_names.index("lp__")]),
        converged=converged,
        reason=reason,
        iterations=iterations,
        stan_version=_stan_version(metadata),
    )


def _ending(console: str) -> tuple[bool, str, int | None]:
    """Whether Stan met a tolerance, its words for why it stopped, and the number of the last step it printed."""
    said = re.search(r"^Optimization terminated [^\n]*\n\s*(.+)$", console, re.MULTILINE)
    reason = said.group(1).strip() if said else "Stan gave no reason"
    steps = re.findall(r"^\s+(\d+)(?:\s+\S+){3}", console, re.MULTILINE)
    return reason.startswith("Convergence detected"), reason, int(steps[-1]) if steps else None


def _draws(fit: Any, seconds: float) -> StanDraws:
    """cmdstanpy's fit as plain arrays, chains first."""
    values = np.swapaxes(fit.draws(), 0, 1)  # (chain, draw, column)
    metadata = fit.metadata
    metric = np.asarray(fit.inv_metric, dtype=float)
    return StanDraws(
        parameters={name: _columns(values, variable) for name, variable in metadata.stan_vars.items()},
        sampler={name: _columns(values, variable) for name, variable in metadata.method_vars.items()},
        step_size=np.asarray(fit.step_size, dtype=float),
        inv_metric=np.diagonal(metric, axis1=1, axis2=2).copy() if metric.ndim == 3 else metric,
        stan_version=_stan_version(metadata),
        seconds=seconds,
    )


def _stan_version(metadata: Any) -> str:
    return ".".join(str(metadata.cmdstan_config[f"stan_version_{part}"]) for part in ("major", "minor", "patch"))


def _columns(values: FloatArray, variable: Any) -> FloatArray:
    array: FloatArray = np.ascontiguousarray(variable.extract_reshape(values, object=False), dtype=float)
    return array


class _Pointer:
    """cmdstanpy pointed at a home while anybody samples: the first one in sets it, the last one out undoes it.

    cmdstanpy reads the home from the environment, which all threads of the process share.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: str | None = None
        self._level = logging.NOTSET

    def enter(self, home: Path, logger: logging.Logger) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            self._before, self._level = os.environ.get("CMDSTAN"), logger.level
            os.environ["CMDSTAN"] = str(home)
            logger.setLevel(logging.WARNING)
            logger.addFilter(_says_more_than_the_result)

    def leave(self, logger: logging.Logger) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            logger.removeFilter(_says_more_than_the_result)
            logger.setLevel(self._level)
            if self._before is None:
                os.environ.pop("CMDSTAN", None)
            else:
                os.environ["CMDSTAN"] = self._before


_POINTER = _Pointer()


@contextmanager
def _cmdstanpy(home: StanHome) -> Iterator[None]:
    """cmdstanpy pointed at the home, and only warning; both are undone afterwards."""
    from cmdstanpy.utils import get_logger

    logger: logging.Logger = get_logger()
    _POINTER.enter(home.path, logger)
    try:
        yield
    finally:
        _POINTER.leave(logger)


def _says_more_than_the_result(record: logging.LogRecord) -> bool:
    """cmdstanpy explains exit status 78 as "Remote address changed"; the `FitError` says what happened. That a climb
    did not converge is in its result."""
    repeated = ("error: code", "Error during optimization", "optimization failed to converge")
    return not any(words in record.getMessage() for words in repeated)


def _console(scratch: Path, lines: int = 12) -> str:
    """The end of the first console file that holds an error message, else of the last one."""
    texts = [path.read_text(errors="replace").strip() for path in sorted(scratch.glob("*stdout*.txt"))]
    chosen = next((text for text in texts if re.search(r"^(Error|Exception|.*error)", text, re.MULTILINE)), "")
    return "\n".join((chosen or "".join(texts[-1:])).splitlines()[-lines:])


@contextmanager
def _bar(wanted: bool, settings: McmcSettings) -> Iterator[LineHook | None]:
    """A bar over the iterations of all chains, and the hook for Stan's console lines that moves it."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    from tqdm import tqdm

    total = (settings.warmup + settings.sampling) * settings.chains
    with tqdm(total=total, desc="sampling", unit="iteration", leave=False) as bar:
        yield _advancing(bar.update)


def _advancing(update: Callable[[int], object]) -> LineHook:
    """Passes on how many iterations a line adds; each chain reports from its own thread."""
    seen: dict[int, int] = {}
    lock = threading.Lock()

    def advance(line: str, chain: int) -> None:
        if found := re.match(r"Iteration:\s+(\d+)", line):
            with lock:
                update(int(found.group(1)) - seen.get(chain, 0))
                seen[chain] = int(found.group(1))

    return advance
