"""Run folders made by hand: what a comparison reads of them, and a manifest that vouches for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.scales import FloatArray

KPI = np.array([100.0, 120.0, 90.0, 150.0, 110.0])


def dates(rows: int) -> pd.Series:
    return pd.Series(pd.date_range("2024-01-01", periods=rows, freq="7D").strftime("%Y-%m-%d"))


def run_tables(
    elpd: Sequence[float], *, kpi: FloatArray = KPI, scale: str = "identity", k: Sequence[float] | None = None
) -> dict[str, pd.DataFrame]:
    """Tables of a run with these log densities on the model scale."""
    rows = len(elpd)
    pareto_k = np.full(rows, 0.2) if k is None else np.asarray(k)
    total = float(np.sum(elpd))
    loo = {
        "status": "ok", "reason": None, "response_scale": scale, "elpd_loo": total, "p_loo": 2.5, "n_rows": rows,
        "n_scored": rows, "max_pareto_k": pareto_k.max(), "n_k_gt_0_7": int((pareto_k > 0.7).sum()),
    }  # fmt: skip
    spec = {"model_type": "blm", "formula": "kpi ~ tv", "response": "kpi", "response_scale": scale}
    labels = pd.DataFrame({"row": np.arange(rows), "date": dates(rows)})
    return {
        "50_model_selection/loo_summary.csv": pd.DataFrame([loo]),
        "50_model_selection/loo_pointwise.csv": labels.assign(elpd_loo=elpd, pareto_k=pareto_k),
        "30_post_run/observed.csv": labels.assign(observed=np.log(kpi) if scale == "log" else kpi),
        "10_pre_run/spec_summary.csv": pd.DataFrame([spec]),
    }


def tscv_row(rmse: float, **changes: Any) -> pd.DataFrame:
    row = {
        "status": "ok", "method": "blocked_cv", "horizon_weeks": 13, "stride_weeks": 13, "folds_scored": 4,
        "n_rows": 52, "holdout_start": "2024-01-01", "holdout_end": "2024-12-23", "kpi_elpd": -50.0,
        "rmse_kpi": rmse, "smape_kpi": 0.1, "coverage_90": 0.9,
    }  # fmt: skip
    return pd.DataFrame([{**row, **changes}])


def write_run(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    *,
    overall: str = "pass",
    reliability: str = "final",
    sha: str = "d",
    converged: bool = True,
    waivers: Sequence[Mapping[str, str]] = (),
) -> Path:
    """Write a run folder; an entry of `tables` without a folder lies at the top, as under `outputs.layout: flat`."""
    files = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        content = table.to_csv(index=False).encode()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    verdict = {"overall": overall, "reliability": reliability, "converged": converged, "waivers": list(waivers)}
    manifest = {"market": "uk", "model_name": "uk", "status": "complete", "verdict": verdict, "data_sha256": sha}
    (folder / "run_manifest.json").write_text(json.dumps({**manifest, "files": files}))
    return folder
