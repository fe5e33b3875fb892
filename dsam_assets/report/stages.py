"""The stages of a run, in order. Some layouts give two of them one folder."""

from __future__ import annotations

from typing import Literal

Stage = Literal[
    "run_metadata", "pre_run", "model_fit", "post_run", "decomposition", "diagnostics", "model_selection",
    "response_curves", "optimisation", "forecast", "interpretation",
]  # fmt: skip
