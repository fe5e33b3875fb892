"""What `dsam validate` leaves behind when it is given a run folder: the metadata stage, and nothing else."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from dsam_assets.config.load import LoadedConfig
from dsam_assets.config.resolved import resolved_yaml
from dsam_assets.report.bundle import join
from dsam_assets.report.session import session_info


def write_metadata(loaded: LoadedConfig, run_dir: str | None) -> Path:
    """Write config.original.yaml, config.resolved.yaml and, unless switched off, session_info.txt.

    Raises:
        ConfigError: the folder exists and may not be reused.
    """
    from resources.run_folder import require_writable, run_folder_path
    from resources.stan_resource import StanResource
    from resources.store import write_atomic

    config = loaded.config
    target = run_folder_path(config.outputs, config.model.name, run_dir, datetime.now())  # noqa: DTZ005 (local time)
    require_writable(target, overwrite=config.outputs.overwrite)
    files = {"config.original.yaml": loaded.original_text, "config.resolved.yaml": resolved_yaml(config)}
    if config.outputs.save_session_info_txt:
        model = {"market": loaded.path.stem, "model_type": config.model.type, "fit_method": config.fit.method}
        home = StanResource().describe_home()
        files["session_info.txt"] = session_info(schema_version=config.schema_version, model=model, stan_home=home)
    from upath import UPath

    for name, text in files.items():
        place = UPath(target / join("run_metadata", config.outputs.layout, name))
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, text.encode())
    return target
