"""What the store holds of a market's model: the evidence that markets are compared by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dsam_assets.comparing import NEEDED
from dsam_assets.errors import StoreError
from dsam_assets.stale_causes import ended_on
from resources.clock import utc_today

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.selection.compare import RunEvidence
    from resources.catalogue import ConfigCatalogue as Catalogue
    from resources.store import Record, Store

EVIDENCE = ("spec_summary", "observed", "loo", "tscv", "diagnostics_report", "fit_metrics", "model_frame")
NOT_FITTED = "not fitted yet"


def fleet_evidence(store: Store, catalogue: Catalogue, markets: Sequence[str]) -> list[RunEvidence]:
    """Each market's evidence; of a market whose config cannot be used, `facts["problem"]` says why."""
    return [stored_evidence(store, market, catalogue.problem(market)) for market in markets]


def stored_evidence(store: Store, market: str, problem: str = "") -> RunEvidence:
    """A market's evidence as the store holds it now.

    What is missing, damaged or not of one run is said in `gap`; a market never raises.
    """
    from dsam_assets.errors import DsamError
    from dsam_assets.selection.compare import RunEvidence

    path = str(store.folder_of(market, "resolved_config").parent)
    known = {"market": market, "problem": problem or None}
    try:
        return _evidence(store, market, path, known)
    except Exception as error:
        # A market whose results are damaged, or another version's, is compared by nobody; the others are all the same.
        told = f"{error.brief} {error.got or ''}".strip() if isinstance(error, DsamError) else repr(error)
        return RunEvidence(market, path, known, gap=told)


def _evidence(store: Store, market: str, path: str, known: dict[str, Any]) -> RunEvidence:
    from dsam_assets.selection.compare import RunEvidence, scored_rows

    found = {name: record for name in EVIDENCE if (record := store.record(market, name)) is not None}
    if "loo" not in found or "diagnostics_report" not in found:
        return RunEvidence(market, path, known, gap=NOT_FITTED)
    _require_one_run(store, market, found)
    reader = _Reader(store, market, found)
    spec, loo, tscv = (reader.row(*place) for place in (
        ("spec_summary", "spec_summary"), ("loo", "loo_summary"), ("tscv", "tscv_summary"),
    ))  # fmt: skip
    facts = {**known, **_facts(found)}
    facts |= {name: spec.get(name) for name in ("model_name", "model_type", "formula", "response")}
    facts |= {"response_scale": loo.get("response_scale") or spec.get("response_scale")}
    rows = None
    if loo.get("status") == "ok":
        observed = reader.table("observed", "observed")
        rows = scored_rows(reader.table("loo", "loo_pointwise"), observed, log=facts["response_scale"] == "log")
    return RunEvidence(market, path, facts, loo, rows, tscv)


def _require_one_run(store: Store, market: str, found: dict[str, Record]) -> None:
    """Verdict, scores and fit must be made from what is stored now, or they tell of different models."""
    apart = {name: outdated for name, record in found.items() if (outdated := store.outdated(market, record))}
    if apart:
        told = "; ".join(f"{name} is older than its {', '.join(inputs)}" for name, inputs in apart.items())
        raise StoreError("The stored results are not of one run.", got=told, fix=f"dsam refresh {market}")
    if last := ended_on(found["diagnostics_report"].metadata["shown"], utc_today()):
        raise StoreError(
            "The stored verdict is of an earlier day.", got=f"a waiver ended on {last}", fix=f"dsam refresh {market}"
        )


def _facts(found: dict[str, Record]) -> dict[str, Any]:
    verdict = found["diagnostics_report"].metadata["shown"]
    fit = found["fit_metrics"].metadata["shown"] if "fit_metrics" in found else {}
    data = found["model_frame"].metadata["shown"] if "model_frame" in found else {}
    converged = verdict.get("converged")
    return {
        "status": "halted" if verdict.get("reliability") == "blocked" else "complete",
        "overall": verdict.get("overall"),
        "reliability": verdict.get("reliability"),
        "converged": converged if isinstance(converged, bool) else None,
        "waived": "" if verdict.get("waived") == "nothing" else verdict.get("waived"),
        "data_sha256": data.get("sha256"),
        **{name: fit.get(name) for name in ("r2", "rmse", "smape")},
    }


class _Reader:
    """Tables of a market's stored assets, checked for the columns that a comparison needs."""

    def __init__(self, store: Store, market: str, found: dict[str, Record]) -> None:
        self.store, self.market, self.found = store, market, found

    def table(self, asset: str, name: str) -> pd.DataFrame:
        """A table; raises `StoreError` when it is not there."""
        table = self._read(asset, name)
        if table is None:
            raise StoreError(f"The table {name} is missing.", where=asset, fix=f"dsam refresh {self.market}")
        return table

    def row(self, asset: str, name: str) -> dict[str, Any]:
        """The first row of a table; empty when there is no such table. Missing values are None."""
        import pandas as pd

        table = self._read(asset, name)
        if table is None or table.empty:
            return {}
        _require_columns(name, table, NEEDED[f"{name}.csv"])
        return {str(key): None if pd.isna(value) else value for key, value in table.iloc[0].items()}

    def _read(self, asset: str, name: str) -> pd.DataFrame | None:
        from resources.codecs import read_parquet

        file = f"{name}.parquet"
        if asset not in self.found or file not in self.found[asset].files:
            return None
        return read_parquet(self.store.read(self.market, self.found[asset], file))


def _require_columns(name: str, table: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        got = f"no column {', '.join(missing)}"
        raise StoreError("A stored table was made by another version.", where=name, got=got, fix="dsam run --force")
