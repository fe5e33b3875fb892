"""Bayesian marketing mix models for many markets. The names an analyst needs, loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsam_assets.comparing import compare_runs
    from dsam_assets.loaded_run import load_run
    from dsam_assets.model import blm, lognormal_ms, normal
    from dsam_assets.running import run_from_yaml

__all__ = ["blm", "compare_runs", "load_run", "lognormal_ms", "normal", "run_from_yaml"]

_MODULES = {
    "blm": "model",
    "compare_runs": "comparing",
    "load_run": "loaded_run",
    "lognormal_ms": "model",
    "normal": "model",
    "run_from_yaml": "running",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
