"""A run folder as a fitted model again: what it answers is what the run published, without store or Stan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dsam_assets.errors import ConfigError, StoreError
from dsam_assets.fitted_model import FittedModel
from dsam_assets.model import Model, stan
from dsam_assets.run_files import REBUILD, RunFiles

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.config.schema import Config
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.drift.snapshot import FitSnapshot
    from dsam_assets.fit.runner import StanRunner

# How far a design may be from the stored one: other libraries may round the last digit of a logarithm differently.
SAME_DESIGN = 1e-9
VERDICT_FILES = ("diagnostics_report.parquet", "waivers.parquet", "policy.json")


@dataclass(frozen=True, eq=False)
class LoadedRun(FittedModel):
    """The fitted model of a finished run.

    Attributes:
        folder: the run folder.
        manifest: what `run_manifest.json` says: status, verdict, versions, files.
        report: the verdict as the run recorded it.
        recorded: the model as it was read, whose verdict that is.
    """

    folder: Path
    manifest: Mapping[str, Any]
    report: DiagnosticsReport
    recorded: Model

    def diagnostics(self, **settings: Any) -> DiagnosticsReport:
        """The verdict that the run recorded; judged again when settings are given, or channels other than its own.

        Args:
            settings: keys of the config's section `diagnostics`: policy_mode, gating, enforce_publish_gate, waivers, …

        Raises:
            GateError: the recorded verdict leans on a waiver that has ended since; `report` still holds it.
        """
        from dsam_assets.diagnostics.waivers import require_in_force
        from resources.clock import utc_today

        own = self.model.config.allocation.channels == self.recorded.config.allocation.channels
        if settings or not own:
            return super().diagnostics(**settings)
        require_in_force(self.report.waivers, utc_today())
        return self.report

    def _snapshot(self, **diagnostics: Any) -> FitSnapshot:
        """With the time of the run and the code that made its posterior."""
        code = {"posterior": self.manifest["assets"]["posterior"]["code_version"]}
        made = super()._snapshot(**diagnostics)
        return replace(made, code=code, fitted_at=self.manifest["created"])

    def table(self, name: str) -> pd.DataFrame:
        """A table that the run published, by its file's name without extension, `decomp_channels` for example.

        Raises:
            ConfigError: the run folder has no such table.
            StoreError: the file is damaged.
        """
        from dsam_assets.report.artefacts import ARTEFACTS

        files, file = RunFiles(self.folder, self.manifest), f"{name}.csv"
        if files.listed(file) is None:
            names = sorted(Path(path).stem for path in self.manifest["files"] if path.endswith(".csv"))
            raise ConfigError("The run has no such table.", got=name, wanted="one of " + ", ".join(names))
        member = next(artefact.member for artefact in ARTEFACTS if artefact.file == file)
        return files.published(file, member.removesuffix(".csv"))


def load_run(path: Path | str, *, runner: StanRunner | None = None, allow_unsafe_formula: bool = False) -> LoadedRun:
    """The fitted model of a run folder, which needs nothing but the folder.

    Args:
        path: a run folder, in any layout, wherever it was copied to.
        runner: what runs Stan, should more draws be asked for; found or assembled when not given.
        allow_unsafe_formula: run the Python that the run's formula holds, if it holds any. Loading computes the design.

    Raises:
        StoreError: the folder is not a finished run, it has no `model.nc`, or that is damaged.
        ConfigError: the formula holds Python, and may not run it.
    """
    from dsam_assets.fit.container import from_container, stored_files
    from dsam_assets.fit.model import FitResult
    from dsam_assets.report.bundle import MODEL_FILE
    from resources.codecs import read_parquet

    run = RunFiles.of(Path(path))
    tree = _container(run, MODEL_FILE)
    files = stored_files(tree)
    config = _config(tree)
    _require_trusted(config, run, allow_unsafe_formula)
    model = _model(config, files, run, MODEL_FILE)
    _require_same_design(tree, model, run)
    names = ("optimisation_runs", "optimisation_best")
    tables = {name: read_parquet(files[f"{name}.parquet"]) for name in names if f"{name}.parquet" in files}
    result, stan_runner = FitResult(from_container(tree), tables), stan() if runner is None else runner
    return LoadedRun(model, result, stan_runner, run.folder, run.manifest, _verdict(files, run), model)


def config_and_verdict(run: RunFiles) -> tuple[Config, DiagnosticsReport]:
    """What a run was asked for, and how it was judged; nothing of it is computed.

    Raises:
        StoreError: as `load_run`.
    """
    from dsam_assets.fit.container import stored_files
    from dsam_assets.report.bundle import MODEL_FILE

    tree = _container(run, MODEL_FILE)
    return _config(tree), _verdict(stored_files(tree), run)


def _config(tree: Any) -> Config:
    from dsam_assets.config.resolved import config_from_resolved

    return config_from_resolved(str(tree["model"].attrs["config"]))


def _verdict(files: Mapping[str, bytes], run: RunFiles) -> DiagnosticsReport:
    from dsam_assets.report.bundle import MODEL_FILE
    from resources.codecs import CODECS

    judged = tuple(name for name in VERDICT_FILES if name in files)
    if VERDICT_FILES[0] not in judged:
        raise run.damaged(MODEL_FILE, f"it was written by an older version: {VERDICT_FILES[0]} missing")
    report: DiagnosticsReport = CODECS["report"].decode("diagnostics_report", judged, files.__getitem__)
    return report


def _require_trusted(config: Config, run: RunFiles, allowed: bool) -> None:
    """A run folder may come from anybody, and so may the Python in its formula."""
    from dsam_assets.config.slices import formula_slice
    from dsam_assets.design.unsafe import formula_python

    python = formula_python(formula_slice(config))
    if python and not allowed:
        raise ConfigError(
            "The run's formula holds Python, which loading the run would execute.",
            where=str(run.folder),
            got="; ".join(python),
            fix="If you trust whoever wrote it: load_run(path, allow_unsafe_formula=True).",
        )


def _container(run: RunFiles, name: str) -> Any:
    from resources.codecs import read_netcdf

    listed = run.listed(name)
    if listed is None:
        raise StoreError(
            f"The run folder has no {name}.",
            where=str(run.folder),
            wanted="a run with outputs.save_model: true",
            fix="Run the market again with it.",
        )
    return read_netcdf(run.content(listed))


def _model(config: Config, files: Mapping[str, bytes], run: RunFiles, name: str) -> Model:
    """The model as it was fitted, with its data, holidays and pooling labels."""
    from dsam_assets.config.resolved import to_plain
    from dsam_assets.data.holidays import FEATURES, MANIFEST, from_tables
    from dsam_assets.data.pooling_map import PoolingMap
    from resources.codecs import read_parquet

    stored = {part: f"{part}.parquet" for part in ("model_frame", "pooling_map", FEATURES, MANIFEST)}
    needed = [stored[part] for part in ("model_frame", "pooling_map", FEATURES)] + ["diagnostics_report.parquet"]
    if missing := [file for file in needed if file not in files]:
        raise run.damaged(name, f"it was written by an older version: {', '.join(missing)} missing")
    tables = {part: read_parquet(files[file]) for part, file in stored.items() if file in files}
    return Model(
        to_plain(config),
        tables.pop("model_frame"),
        PoolingMap.from_stored(tables.pop("pooling_map")),
        from_tables(tables),
    )


def _require_same_design(tree: Any, model: Model, run: RunFiles) -> None:
    matrix, stored = model.built.matrix, tree["model"].to_dataset()
    terms = tuple(map(str, stored["term"].values))
    pairs = (
        (stored["design"], matrix.values),
        (stored["response"], matrix.response),
        (stored["offset"], matrix.offset),
    )
    same = matrix.terms == terms and all(
        old.shape == new.shape and np.allclose(old.values, new, rtol=SAME_DESIGN, atol=0) for old, new in pairs
    )
    if not same:
        raise StoreError(
            "This version makes another design of the run's data and config than the run had.",
            where=str(run.folder),
            got=f"{matrix.values.shape[1]} terms",
            wanted=f"the {len(terms)} terms that were fitted",
            fix=f"Load it with the version that session_info.txt names. {REBUILD}",
        )
