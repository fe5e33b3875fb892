"""The stages of a run, in order."""

from __future__ import annotations

from typing import Literal

Stage = Literal[
    "run_metadata", "pre_run", "model_fit", "post_run", "diagnostics", "model_selection", "optimisation", "forecast",
    "interpretation",
]  # fmt: skip
