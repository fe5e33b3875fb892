"""Stores made by hand: what is kept of markets that have been fitted, without fitting any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from run_folders import KPI, run_tables

from resources.codecs import CODECS
from resources.store import Record, Store, file_hashes, fingerprint

CODEC = {"spec_summary": "table", "loo": "tables", "tscv": "tables", "observed": "tables", "fit_metrics": "table"}
PASS = {"overall": "pass", "reliability": "final", "converged": True}


def keep(
    store: Store,
    market: str,
    asset: str,
    files: Mapping[str, bytes],
    *,
    shown: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
    made: str = "2024-06-01T00:00:00+00:00",
) -> Record:
    """Store an artefact under its record."""
    hashes = file_hashes(files)
    metadata = {"shown": dict(shown or {}), "checks": []}
    record = Record(asset, "code", dict(inputs or {}), fingerprint(hashes), hashes, metadata, made=made)
    store.write(market, record, files)
    return record


def store_market(
    store: Store,
    market: str,
    elpd: Any,
    *,
    kpi: Any = KPI,
    scale: str = "identity",
    k: Any = None,
    tscv: pd.DataFrame | None = None,
    verdict: Mapping[str, Any] = PASS,
    response: str = "kpi",
) -> None:
    """Store what a comparison reads of a fitted market."""
    tables = {name.rpartition("/")[2].removesuffix(".csv"): table for name, table in run_tables(
        elpd, kpi=np.asarray(kpi), scale=scale, k=k
    ).items()}  # fmt: skip
    spec = tables["spec_summary"].assign(model_name=market, response=response)
    for asset, value in (
        ("spec_summary", spec),
        ("loo", {name: tables[name] for name in ("loo_summary", "loo_pointwise")}),
        ("observed", {"observed": tables["observed"]}),
        *([("tscv", {"tscv_summary": tscv})] if tscv is not None else []),
    ):
        keep(store, market, asset, CODECS[CODEC[asset]].encode(asset, value))
    keep(store, market, "fit_metrics", {}, shown={"r2": 0.9, "rmse": 2.0, "smape": 0.1})
    keep(store, market, "model_frame", {}, shown={"sha256": "d"})
    keep(store, market, "diagnostics_report", {}, shown=verdict)
