"""Sensors: markets are made again when their files land, and people are told of gates and runs that fail."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from dsam_assets.assets.jobs import refresh
from dsam_assets.assets.notices import JUDGING, PARTITION_TAG, Notice, gate_notice, run_notice
from dsam_assets.assets.outcomes import MARKETS
from dsam_assets.errors import DsamError
from resources.catalogue import ConfigCatalogue
from resources.landing import remembered
from resources.result_store import ResultStore

if TYPE_CHECKING:
    from dsam_assets.landed import Landed, Request
    from resources.automation import Automation
    from resources.store import Store

REFIT, GATES, FAILURES = "refit_on_landing", "gate_failure_notification", "run_failure_notification"
REFIT_WORDS = "Registers new configs, drops deleted ones, and makes again what is stale of markets whose files changed."
GATES_WORDS = "Tells of each verdict with gates that fail, once: a line in the log, and the webhook if there is one."
FAILURES_WORDS = "Tells of each failed run that is not tried again: a line in the log, and the webhook if there is one."
WHY_TAG = "dsam/why"
LONGEST_TAG = 200
NOTICES_PER_TICK = 20
CURSOR_VERSION = 1


def build_sensors(automation: Automation) -> list[dg.SensorDefinition]:
    """All sensors, as the operator wants them to begin."""
    status = dg.DefaultSensorStatus.RUNNING if automation.sensors else dg.DefaultSensorStatus.STOPPED
    common: dict[str, Any] = {"minimum_interval_seconds": automation.tick_seconds, "default_status": status}
    return [_refit(automation, common), _gates(automation, common), _failures(automation, common)]


def _refit(automation: Automation, common: dict[str, Any]) -> dg.SensorDefinition:
    @dg.sensor(name=REFIT, job=refresh, description=REFIT_WORDS, **common)
    def refit_on_landing(
        context: dg.SensorEvaluationContext, catalogue: ConfigCatalogue, store: ResultStore
    ) -> dg.SensorResult | dg.SkipReason:
        return _look(context, catalogue, store.open(), automation.settle_seconds)

    return refit_on_landing


def _look(
    context: dg.SensorEvaluationContext, catalogue: ConfigCatalogue, store: Store, settle: float
) -> dg.SensorResult | dg.SkipReason:
    from dsam_assets.landed import Watch, landed
    from resources.places import require_configs_folder

    instance = context.instance
    try:
        require_configs_folder(catalogue.folder)
    except DsamError as error:
        return dg.SkipReason(f"{error.brief} No market is dropped for that.")  # it may be a disk that is not there
    watch = Watch(
        store=store,
        catalogue=catalogue,
        registered=instance.get_dynamic_partitions(str(MARKETS.name)),
        settle=settle,
        now=time.time(),
        busy=lambda markets: _busy(instance, markets),
        last_n=lambda market: _last_n(instance, market),
    )
    found = landed(watch, remembered(context.cursor))
    if found.requests and (found.problems or found.waiting):
        context.log.warning(found.story)  # Dagster keeps a skip reason only of a tick that asks for nothing
    return _answer(found)


def _busy(instance: dg.DagsterInstance, markets: Collection[str]) -> set[str]:
    from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

    wanted = dg.RunsFilter(statuses=NOT_FINISHED_STATUSES, tags={PARTITION_TAG: list(markets)})
    return {run.tags[PARTITION_TAG] for run in instance.get_runs(wanted)}


def _last_n(instance: dg.DagsterInstance, market: str) -> int:
    """From the run keys of earlier requests: a cursor that was lost must not ask with a key that was used."""
    tags = {"dagster/sensor_name": REFIT, PARTITION_TAG: market}
    keys = [run.tags.get("dagster/run_key", "").split(":") for run in instance.get_runs(dg.RunsFilter(tags=tags))]
    return max((int(key[1]) for key in keys if len(key) == 3 and key[1].isdecimal()), default=0)


def _answer(found: Landed) -> dg.SensorResult:
    partitions: list[Any] = [
        *([MARKETS.build_add_request(list(found.added))] if found.added else []),
        *([MARKETS.build_delete_request(list(found.removed))] if found.removed else []),
    ]
    observations = [
        dg.AssetObservation(asset_key=source, partition=market, tags={"dagster/data_version": version})
        for market, versions in found.observed.items()
        for source, version in versions.items()
    ]
    return dg.SensorResult(
        run_requests=[_run_request(request) for request in found.requests],
        skip_reason=None if found.requests else found.story,
        cursor=found.memory.cursor(),
        dynamic_partitions_requests=partitions,
        asset_events=observations,
    )


def _run_request(request: Request) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.key,
        partition_key=request.market,
        tags={WHY_TAG: request.why[:LONGEST_TAG]},
        asset_selection=[dg.AssetKey(name.split("/")) for name in request.assets] or None,
    )


def _gates(automation: Automation, common: dict[str, Any]) -> dg.SensorDefinition:
    @dg.sensor(name=GATES, description=GATES_WORDS, **common)
    def gate_failure_notification(context: dg.SensorEvaluationContext, store: ResultStore) -> dg.SkipReason:
        return _tell_of_gates(context, store.open(), automation)

    return gate_failure_notification


def _tell_of_gates(context: dg.SensorEvaluationContext, store: Store, automation: Automation) -> dg.SkipReason:
    after = _after(context)
    told, problem = 0, ""
    for asset in JUDGING:
        for record in _made_since(context.instance, asset, after[asset]):
            notice = gate_notice(store, record)
            if notice is not None:
                try:
                    _tell(context, automation, notice)
                except DsamError as error:
                    problem = f" {error.brief} {error.got}: tried again in the next tick."
                    break
                told += 1
            after[asset] = record.storage_id
    context.update_cursor(json.dumps({"version": CURSOR_VERSION, "after": after}))
    return dg.SkipReason(f"{told} verdicts with failing gates told.{problem}")


def _after(context: dg.SensorEvaluationContext) -> dict[str, int]:
    """Where the last tick ended; what lies before the first is known to whoever looked then."""
    try:
        document: Any = json.loads(context.cursor or "{}")
        if document.get("version") == CURSOR_VERSION:
            return {asset: int(document["after"][asset]) for asset in JUDGING}
    except (AttributeError, KeyError, TypeError, ValueError):
        context.log.warning("The cursor cannot be read; notifications begin anew, from now on.")
    latest = {asset: context.instance.fetch_materializations(dg.AssetKey(asset), limit=1).records for asset in JUDGING}
    return {asset: records[0].storage_id if records else 0 for asset, records in latest.items()}


def _made_since(instance: dg.DagsterInstance, asset: str, after: int) -> Sequence[dg.EventLogRecord]:
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), after_storage_id=after)
    return instance.fetch_materializations(wanted, limit=NOTICES_PER_TICK, ascending=True).records


def _failures(automation: Automation, common: dict[str, Any]) -> dg.SensorDefinition:
    @dg.run_failure_sensor(name=FAILURES, description=FAILURES_WORDS, **common)
    def run_failure_notification(context: dg.RunFailureSensorContext) -> None:
        notice = run_notice(context)
        if notice is None:
            return
        try:
            _tell(context, automation, notice)
        except DsamError as error:
            context.log.warning(f"{error.brief} {error.got}")

    return run_failure_notification


def _tell(context: Any, automation: Automation, notice: Notice) -> None:
    context.log.warning(notice.text)
    if automation.webhook is not None:
        automation.webhook.send(notice.document())
