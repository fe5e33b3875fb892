"""Which software a run used."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "dsam-assets", "arviz", "cmdstanpy", "dagster", "dagster-pandas", "formulaic", "h5netcdf", "httpstan", "kaleido",
    "numpy", "pandas", "pandera", "plotly", "pyarrow", "pydantic", "pyyaml", "rdata", "scipy", "statsmodels", "xarray",
)  # fmt: skip


def session_info(
    *,
    schema_version: int,
    model: Mapping[str, str],
    data: Mapping[str, object],
    stan_home: Mapping[str, str],
    fingerprints: Mapping[str, str],
) -> str:
    """Text of `session_info.txt`: a line `key: value` for whatever made the numbers, besides the config.

    Args:
        schema_version: version of the config schema.
        model: facts about the model and its fit.
        data: facts about the data file: its SHA-256, rows and columns.
        stan_home: version and origin of the Stan in use.
        fingerprints: content hashes of this package and of the Stan programs.
    """
    lines = [
        f"schema_version: {schema_version}",
        *(f"{key}: {value}" for key, value in model.items()),
        *(f"data_{key}: {value}" for key, value in data.items()),
        *(f"stan_{key}: {value}" for key, value in stan_home.items()),
        *(f"{key}: {value}" for key, value in fingerprints.items()),
        f"python: {platform.python_version()}",
        f"platform: {platform.platform()}",
        *(f"{name}: {_version(name)}" for name in PACKAGES),
    ]
    return "\n".join(lines) + "\n"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
