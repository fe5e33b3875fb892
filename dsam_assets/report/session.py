"""Which software a run used."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "dsam-assets", "arviz", "cmdstanpy", "dagster", "dagster-pandas", "formulaic", "httpstan", "numpy", "pandas",
    "pandera", "plotly", "pydantic", "scipy", "xarray",
)  # fmt: skip


def session_info(*, schema_version: int, model: dict[str, str], stan_home: dict[str, str]) -> str:
    """Text of `session_info.txt`: package and Stan versions, platform, and the model that they ran.

    Args:
        schema_version: version of the config schema.
        model: facts about the model and its fit.
        stan_home: version and origin of the Stan in use.
    """
    lines = [
        f"schema_version: {schema_version}",
        *(f"{key}: {value}" for key, value in model.items()),
        *(f"stan_{key}: {value}" for key, value in stan_home.items()),
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
