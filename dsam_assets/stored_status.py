"""Where each market stands: what the store holds of it, and what a run would do with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dsam_assets.errors import DsamError

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.report.fleet_status import FleetStatus, MarketNow
    from dsam_assets.staleness import MarketState
    from resources.catalogue import ConfigCatalogue
    from resources.store import Store

CAUSES_SHOWN = 3


def stored_status(store: Store, catalogue: ConfigCatalogue, markets: Sequence[str]) -> FleetStatus:
    """The status of every market now. A market that is broken is a row that says so."""
    from dsam_assets.report.fleet_status import fleet_status
    from dsam_assets.staleness import market_states

    now = datetime.now(UTC).replace(tzinfo=None)
    return fleet_status([market_now(store, state) for state in market_states(store, catalogue, markets)], now)


def market_now(store: Store, state: MarketState) -> MarketNow:
    """Where one market stands."""
    from dsam_assets.report.fleet_status import MarketNow

    own: dict[str, Any] = {
        "market": state.market,
        "condition": state.condition,
        "stale": _stale(state),
        "stale_since": _time(state.since) if state.condition == "stale" else None,
    }
    problem = state.problem or next((f"{each.asset}: {each.what}" for each in state.failures), "")
    try:
        return MarketNow(**own, **_results(store, state.market), problem=_first_line(problem))
    except Exception as error:
        # Its stored results are damaged, or another version's; that is no reason to show no market at all.
        text = error.brief if isinstance(error, DsamError) else f"stored results: {type(error).__name__}: {error}"
        return MarketNow(**own, problem=_first_line(problem) or text)


def _stale(state: MarketState) -> str:
    """What changed, without the ways that the changes took."""
    if state.condition != "stale":
        return ""
    causes = list(state.causes)
    more = f"; and {len(causes) - CAUSES_SHOWN} more" if len(causes) > CAUSES_SHOWN else ""
    return "; ".join(causes[:CAUSES_SHOWN]) + more


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _time(text: str) -> datetime | None:
    return None if not text else datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _results(store: Store, market: str) -> dict[str, Any]:
    """What is stored of the market's last fit; nothing before there is one."""
    import pandas as pd

    fit, verdict = store.record(market, "posterior"), store.record(market, "diagnostics_report")
    found: dict[str, Any] = {} if fit is None else {"fitted_at": _time(fit.made)}
    observed = _table(store, market, "observed", "observed")
    if observed is not None and "date" in observed:
        found["last_date"] = pd.Timestamp(observed["date"].max()).to_pydatetime()
    if verdict is not None:
        shown = verdict.metadata["shown"]
        checks = _table(store, market, "diagnostics_report", "diagnostics_report")
        gates = {} if checks is None else checks.groupby("gate")["status"].agg(list).to_dict()
        found |= {"overall": shown["overall"], "reliability": shown["reliability"], "gates": gates}
    loo = _table(store, market, "loo", "loo_summary")
    if loo is not None and loo["status"].iloc[0] == "ok":
        row = loo.iloc[0]
        found |= {name: float(row[name]) for name in ("kpi_elpd_loo", "se_kpi_elpd_loo")}
        found |= {"n_rows": int(row["n_rows"])}
    return found | {
        "drift": _drift(store, market), "efficiency": _efficiency(store, market), "report": _report(store, market),
    }  # fmt: skip


def _report(store: Store, market: str) -> str:
    """Where the last report is, seen from the fleet's own folder in the store."""
    from dsam_assets.report.documents import PAGE

    record = store.record(market, "report")
    if record is None or PAGE not in record.files:
        return ""
    return quote(f"../{market}/{store.folder_of(market, 'report').name}/{PAGE}")


def _drift(store: Store, market: str) -> dict[str, Any]:
    """The comparison with the fit before, when it is of the fit that is stored now and there was one."""
    record = store.record(market, "refresh_drift")
    if record is None or store.outdated(market, record):
        return {}
    table = _table(store, market, "refresh_drift", "drift_summary")
    row = {} if table is None else {str(name): value for name, value in table.iloc[0].items()}
    return row if row.get("status") == "compared" else {}


def _efficiency(store: Store, market: str) -> dict[str, Any]:
    """The portfolio's row of the current plan; a plan that is older than its evidence does not count."""
    record = store.record(market, "allocation")
    if record is None or store.outdated(market, record):
        return {}
    table = _table(store, market, "allocation", "budget_roi_cpa")
    total = None if table is None else table[table["is_total"].astype(bool)]
    return {} if total is None or total.empty else {str(name): value for name, value in total.iloc[0].items()}


def _table(store: Store, market: str, asset: str, name: str) -> pd.DataFrame | None:
    from resources.codecs import read_parquet

    record, file = store.record(market, asset), f"{name}.parquet"
    if record is None or file not in record.files:
        return None
    return read_parquet(store.read(market, record, file))
