"""`dsam validate`: a config checked against its data, and the run's metadata when it is given a run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from dsam_assets.config.resolved import resolved_yaml
from dsam_assets.config.slices import formula_slice
from dsam_assets.design.unsafe import unsafe_formula
from dsam_assets.preflight import Preflight, load_checked, preflight
from dsam_assets.report.bundle import join
from dsam_assets.report.session import session_info
from resources.places import market_of, run_folder


@dataclass(frozen=True)
class Validation:
    """What a valid config amounts to.

    Attributes:
        market: partition key.
        checked: the config, its data and its design.
        run_dir: the folder with the metadata files, or `None` when nothing was written.
        seconds: wall-clock time.
    """

    market: str
    checked: Preflight
    run_dir: Path | None
    seconds: float


def validate_yaml(path: Path | str, *, run_dir: str | None = None) -> Validation:
    """Check a config and its data without fitting.

    Args:
        path: the YAML config.
        run_dir: run folder for the metadata files; without one (here or in the config) nothing is written.

    Raises:
        DsamError: a bad input, before anything is written.
    """
    started = time.perf_counter()
    file = Path(path)
    loaded = load_checked(file)
    market = market_of(file)
    wanted = run_dir is not None or loaded.config.outputs.run_dir is not None
    target = run_folder(loaded.config, run_dir) if wanted else None
    checked = preflight(loaded)
    if target is not None:
        write_metadata(checked, target)
    return Validation(market, checked, target, time.perf_counter() - started)


def write_metadata(checked: Preflight, target: Path) -> None:
    """Write config.original.yaml, config.resolved.yaml and, unless switched off, session_info.txt; nothing else."""
    from resources.store import write_file

    loaded, config = checked.loaded, checked.loaded.config
    files = {"config.original.yaml": loaded.original_text, "config.resolved.yaml": resolved_yaml(config)}
    if config.outputs.save_session_info_txt:
        files["session_info.txt"] = _session(checked)
    for name, text in files.items():
        write_file(target / join("run_metadata", config.outputs.layout, name), text.encode())


def _session(checked: Preflight) -> str:
    from resources.fingerprints import software_fingerprints
    from resources.toolchain.home import find_home

    loaded, config, dataset, home = checked.loaded, checked.loaded.config, checked.dataset, find_home()
    return session_info(
        schema_version=config.schema_version,
        model={
            "market": loaded.path.stem,
            "model_type": config.model.type,
            "fit_method": config.fit.method,
            "unsafe_formula": unsafe_formula(formula_slice(config)),
        },
        data={"sha256": dataset.sha256, "rows": len(dataset.frame), "columns": dataset.frame.shape[1]},
        stan_home={"version": home.version, "origin": home.origin},
        fingerprints=software_fingerprints(),
    )
