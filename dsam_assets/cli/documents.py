"""What `--json` prints: the same facts as the terminal, as one JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.cli.progress import StepLines
    from dsam_assets.cli.validating import Validation
    from dsam_assets.errors import DsamError
    from dsam_assets.running import RunResult
    from dsam_assets.verdict import GateResult

MISSING = ("<NA>", "NaT")  # how pandas writes what is not there


def as_json(document: dict[str, Any]) -> str:
    """The document as text; what is not a finite number is null."""
    return json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False)


def run_document(result: RunResult, handler: StepLines) -> dict[str, Any]:
    """A finished or halted run."""
    report = result.report
    return {
        "status": result.status,
        "market": result.market,
        "run_dir": str(result.path),
        "verdict": {
            "overall": report.overall,
            "reliability": report.reliability,
            "converged": report.converged,
            "estimate": "point" if report.is_point else "posterior",
            "policy_mode": report.policy_mode,
            "reasons": list(report.reasons),
            "waivers": [waiver.document() for waiver in report.waivers],
        },
        "halted_by": result.halted_by or None,
        "checks": _checks(report.results),
        "model": _model(result),
        "plan": _plan(result),
        "steps": {"computed": handler.computed, "reused": handler.reused},
        "files": result.files,
        "seconds": round(result.seconds, 3),
    }


def validation_document(validation: Validation) -> dict[str, Any]:
    """A valid config; nothing has been fitted, so there is neither verdict nor plan."""
    from dsam_assets.config.slices import formula_slice
    from dsam_assets.design.unsafe import formula_python

    checked = validation.checked
    matrix = checked.design.matrix
    return {
        "status": "valid",
        "market": validation.market,
        "run_dir": None if validation.run_dir is None else str(validation.run_dir),
        "verdict": None,
        "checks": _checks(checked.gates),
        "plan": None,
        "model": {
            "type": checked.loaded.config.model.type,
            "response": matrix.response_name,
            "response_scale": matrix.response_scale,
            "rows": matrix.values.shape[0],
            "coefficients": matrix.values.shape[1],
            "groups": {group.key: len(group.levels) for group in matrix.groups},
            "estimate": "posterior" if checked.loaded.config.fit.method == "mcmc" else "point",
            "dropped": dict(matrix.dropped),
            "data_sha256": checked.dataset.sha256,
            "python": list(formula_python(formula_slice(checked.loaded.config))),
        },
        "seconds": round(validation.seconds, 3),
    }


def error_document(error: DsamError, seconds: float) -> dict[str, Any]:
    """A refused input or a failed step; the message is the one on standard error."""
    parts = {"where": error.where, "got": error.got, "wanted": error.wanted, "fix": error.fix}
    return {
        "status": "failed",
        "error": {
            "type": type(error).__name__,
            "what": error.what,
            **{name: None if part is None else str(part) for name, part in parts.items()},
        },
        "seconds": round(seconds, 3),
    }


def _checks(rows: Iterable[GateResult]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def _model(result: RunResult) -> dict[str, Any]:
    design, fit = result.facts["design_matrix"], result.facts["fit_metrics"]
    return {
        "type": design["model_class"],
        "rows": design["rows"],
        "coefficients": design["terms"],
        "panel_units": fit["groups"],
        "python": design.get("python", []),
        "in_sample": {name: fit[name] for name in ("r2", "rmse", "smape")},
    }


def _plan(result: RunResult) -> dict[str, Any] | None:
    if result.plan.empty:
        return None
    return {"summary": _records(result.tables["budget_summary"])[0], "channels": _records(result.plan)}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or isinstance(plain, str | bool | int):
        return plain
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    return None if str(plain) in MISSING else str(plain)
