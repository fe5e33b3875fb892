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
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.scales import FloatArray
from resources.toolchain.cache import Progress, temporary_folder
from resources.toolchain.executables import executable
from resources.toolchain.home import StanHome, find_home

LineHook = Callable[[str, int], None]

DIGITS = 17  # significant digits in Stan's CSV files: a double survives the way through text


@dataclass(frozen=True)
class CmdStanRunner:
    """Samples Stan programs, one process per chain.

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
        home = self.home or find_home(progress=self.notify)
        path = executable(program, home, progress=self.notify, folder=self.folder)
        start = time.perf_counter()
        with temporary_folder() as scratch, _cmdstanpy(home), _bar(self.progress, settings) as hook:
            try:
                fit = _sample(path, data, settings, scratch, hook)
            except (RuntimeError, ValueError, OSError) as error:
                raise FitError(
                    f"Stan stopped while sampling the program {program}.",
                    where=f"{settings.chains} chains, seed {settings.seed}",
                    got=_console(scratch) or str(error),
                    fix="The last lines say what Stan objects to: data or settings out of range, priors that "
                    "contradict the bounds, or a likelihood that is not finite anywhere near the start.",
                ) from error
            return _draws(fit, time.perf_counter() - start)


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


def _draws(fit: Any, seconds: float) -> StanDraws:
    """cmdstanpy's fit as plain arrays, chains first."""
    values = np.swapaxes(fit.draws(), 0, 1)  # (chain, draw, column)
    metadata = fit.metadata
    config = metadata.cmdstan_config
    metric = np.asarray(fit.inv_metric, dtype=float)
    return StanDraws(
        parameters={name: _columns(values, variable) for name, variable in metadata.stan_vars.items()},
        sampler={name: _columns(values, variable) for name, variable in metadata.method_vars.items()},
        step_size=np.asarray(fit.step_size, dtype=float),
        inv_metric=np.diagonal(metric, axis1=1, axis2=2).copy() if metric.ndim == 3 else metric,
        stan_version=".".join(str(config[f"stan_version_{part}"]) for part in ("major", "minor", "patch")),
        seconds=seconds,
    )


def _columns(values: FloatArray, variable: Any) -> FloatArray:
    array: FloatArray = np.ascontiguousarray(variable.extract_reshape(values, object=False), dtype=float)
    return array


@contextmanager
def _cmdstanpy(home: StanHome) -> Iterator[None]:
    """cmdstanpy pointed at the home, and only warning. It reads the home from the environment, which is put back."""
    from cmdstanpy.utils import get_logger

    logger: logging.Logger = get_logger()
    before, level = os.environ.get("CMDSTAN"), logger.level
    os.environ["CMDSTAN"] = str(home.path)
    logger.setLevel(logging.WARNING)
    logger.addFilter(_says_more_than_exit_status)
    try:
        yield
    finally:
        logger.removeFilter(_says_more_than_exit_status)
        logger.setLevel(level)
        if before is None:
            os.environ.pop("CMDSTAN", None)
        else:
            os.environ["CMDSTAN"] = before


def _says_more_than_exit_status(record: logging.LogRecord) -> bool:
    """cmdstanpy explains exit status 78 as "Remote address changed"; the `FitError` says what happened."""
    return "error: code" not in record.getMessage()


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
