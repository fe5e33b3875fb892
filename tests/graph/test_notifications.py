"""The sensors that tell of gates and runs that fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from stored_markets import keep

from dsam_assets.assets.notices import JUDGING, Notice
from dsam_assets.assets.outcomes import as_failure
from dsam_assets.assets.sensors import FAILURES, GATES, REFIT
from dsam_assets.definitions import build_definitions
from dsam_assets.diagnostics.thresholds import CHECKS
from dsam_assets.errors import DataError, GateError
from resources.automation import Automation
from resources.locations import Locations
from resources.store import Record, Store
from resources.webhook import Webhook, WebhookError

SECRET = "https://hooks.example/s3cret"
VERDICT = {"overall": "fail", "reliability": "blocked"}
RHAT = ("sampler_rhat_max", "R-hat is 1.4")


@dataclass(frozen=True)
class Receiver(Webhook):
    """A webhook that keeps what it is sent, or refuses it."""

    url: str = field(default=SECRET, repr=False)
    taken: list[Mapping[str, Any]] = field(default_factory=list)
    refuses: list[bool] = field(default_factory=list)

    def send(self, document: Mapping[str, Any]) -> None:
        if self.refuses:
            raise WebhookError("The notification was not delivered.", where="DSAM_WEBHOOK_URL", got="HTTP 503")
        self.taken.append(document)


@dataclass
class Told:
    """The sensors over an empty folder, with a store and a webhook."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    store: Store
    webhook: Receiver
    cursor: str | None = None

    def tick(self) -> str:
        """One tick of the sensor of gates; returns what it says."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"store": self.definitions.resources["store"]},
            repository_def=self.definitions.get_repository_def(),
        )
        found: Any = self.definitions.resolve_sensor_def(GATES)(context)
        self.cursor = context.cursor
        return str(found.skip_message)

    def judge(self, market: str, *failing: tuple[str, str], asset: str = "diagnostics_report", **metadata: Any) -> None:
        """A materialisation of a judging asset whose checks fail."""
        checks = [
            {"check_name": name, "description": text, "passed": False, "severity": "ERROR"} for name, text in failing
        ]
        checks.append({"check_name": "other", "description": "", "passed": False, "severity": "WARN"})
        text = repr((market, failing, len(self.webhook.taken))).encode()
        kept = keep(self.store, market, asset, {"verdict.json": text}, shown=VERDICT)
        record = Record(**{**kept.__dict__, "metadata": {"shown": VERDICT, "checks": checks}})
        self.store.write(market, record, {"verdict.json": text})
        event = dg.AssetMaterialization(
            asset, partition=market, metadata=metadata, tags={"dagster/data_version": record.data_version}
        )
        self.instance.report_runless_asset_event(event)

    @property
    def texts(self) -> list[str]:
        return [str(document["text"]) for document in self.webhook.taken]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    webhook = Receiver()
    places = Locations(tmp_path / "configs", str(tmp_path / "store"), tmp_path / "dagster")
    definitions = build_definitions(places, automation=Automation(webhook=webhook))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Told(definitions, instance, Store(places.store), webhook)


def test_the_judging_assets_are_those_with_checks(told: Told) -> None:
    graph = told.definitions.resolve_asset_graph()
    assert {key.asset_key.to_user_string() for key in graph.asset_check_keys} == {
        *JUDGING,
        "refresh_drift",
    }  # warns, never fails
    assert len(CHECKS) > 20


def test_sensors_are_stopped_and_patient_unless_the_operator_says_otherwise(told: Told) -> None:
    def status(definitions: dg.Definitions) -> set[tuple[str, int]]:
        sensors = [definitions.resolve_sensor_def(name) for name in (REFIT, GATES, FAILURES)]
        return {(sensor.default_status.value, sensor.minimum_interval_seconds or 0) for sensor in sensors}

    assert status(told.definitions) == {("STOPPED", 30)}
    places = Locations(Path("configs"), "store", Path("dagster"))
    running = build_definitions(places, automation=Automation(sensors=True, schedules=True, tick_seconds=5))
    assert status(running) == {("RUNNING", 5)}
    schedule = running.resolve_schedule_def("weekly_refit")
    assert schedule.default_status.value == "RUNNING"
    assert told.definitions.resolve_schedule_def("weekly_refit").default_status.value == "STOPPED"


def test_a_verdict_with_failing_gates_is_told_once(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.tick()
    told.judge("uk", RHAT)
    told.judge("de")
    assert told.tick() == "1 verdicts with failing gates told."
    line = "uk: a gate fails: sampler_rhat_max (R-hat is 1.4); verdict fail (blocked)"
    assert told.texts == [line]
    assert told.webhook.taken[0]["kind"] == "gate_failure"
    assert told.webhook.taken[0]["market"] == "uk"
    assert told.tick() == "0 verdicts with failing gates told."


def test_what_was_judged_before_the_first_tick_is_not_told(told: Told) -> None:
    told.judge("uk", RHAT)
    told.tick()
    assert told.texts == []
    told.judge("uk", RHAT, ("loo_pareto_k", "k is 1.2"), ("c", "x"), ("d", "y"))
    told.tick()
    assert told.texts == [
        "uk: gates fail: sampler_rhat_max (R-hat is 1.4); loo_pareto_k (k is 1.2); c (x) and 1 more; "
        "verdict fail (blocked)"
    ]


@pytest.mark.parametrize("asset", JUDGING)
def test_every_judging_asset_is_watched(told: Told, asset: str) -> None:
    told.tick()
    told.judge("uk", RHAT, asset=asset)
    told.tick()
    assert len(told.texts) == 1


def test_a_verdict_that_is_reused_is_not_told_again(told: Told) -> None:
    told.tick()
    told.judge("uk", RHAT, reused=True)
    told.tick()
    assert told.texts == []


def test_a_verdict_that_is_stored_no_more_is_not_told(told: Told) -> None:
    told.tick()
    told.instance.report_runless_asset_event(
        dg.AssetMaterialization("diagnostics_report", partition="uk", tags={"dagster/data_version": "gone"})
    )
    assert told.tick() == "0 verdicts with failing gates told."


def test_a_webhook_that_is_down_is_tried_again_and_its_address_is_not_shown(told: Told) -> None:
    told.tick()
    told.judge("uk", RHAT)
    told.judge("de", RHAT)
    told.webhook.refuses.append(True)
    said = told.tick()
    assert said.startswith("0 verdicts")
    assert "HTTP 503: tried again in the next tick" in said
    assert SECRET not in said
    told.webhook.refuses.clear()
    assert told.tick() == "2 verdicts with failing gates told."
    assert [text[:2] for text in told.texts] == ["uk", "de"]


@pytest.mark.parametrize("cursor", ["nonsense", '{"version": 7}', '{"version": 1, "after": {}}', "[]"])
def test_a_cursor_of_another_version_begins_now(told: Told, cursor: str) -> None:
    told.judge("uk", RHAT)
    told.cursor = cursor
    told.tick()
    told.judge("de", RHAT)
    told.tick()
    assert [text[:2] for text in told.texts] == ["de"]


def failed_run(told: Told, problem: Exception, **tags: str) -> None:
    """A run whose step raises a problem, as the sensor sees it."""

    @dg.op
    def model_frame() -> None:
        raise problem

    @dg.job(tags={"dagster/partition": "uk", **tags})
    def refresh() -> None:
        model_frame()

    result = refresh.execute_in_process(
        instance=told.instance,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    (event,) = [event for event in result.all_events if event.is_job_failure]
    context = dg.build_run_status_sensor_context(
        sensor_name=FAILURES,
        dagster_event=event,
        dagster_instance=told.instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()
    told.definitions.resolve_sensor_def(FAILURES)(context)


def test_a_failed_run_is_told_in_the_words_of_its_error(told: Told) -> None:
    failed_run(told, as_failure(DataError("The file cannot be read.", where="uk.csv", fix="Check the path.")))
    assert told.texts == ["uk: the run failed: model_frame: The file cannot be read."]
    assert told.webhook.taken[0]["kind"] == "run_failure"
    assert told.webhook.taken[0]["run_id"]


def test_an_unexpected_error_is_told_by_its_name(told: Told) -> None:
    failed_run(told, ZeroDivisionError("by nothing"))
    assert told.texts == ["uk: the run failed: model_frame: ZeroDivisionError: by nothing"]


def test_a_run_that_a_gate_halted_did_not_fail(told: Told) -> None:
    failed_run(told, as_failure(GateError("A gate halts the plan.")))
    assert told.texts == []


def test_a_run_that_is_tried_again_is_not_told(told: Told) -> None:
    failed_run(told, ZeroDivisionError("x"), **{"dagster/will_retry": "true"})
    assert told.texts == []
    failed_run(told, ZeroDivisionError("x"), **{"dagster/will_retry": "false"})
    assert len(told.texts) == 1


def test_a_webhook_that_is_down_does_not_fail_the_sensor_of_runs(told: Told) -> None:
    told.webhook.refuses.append(True)
    failed_run(told, ZeroDivisionError("x"))
    assert told.texts == []


def test_a_notice_is_a_line_and_a_document() -> None:
    notice = Notice("run_failure", "uk", "uk: the run failed: x", "abc")
    assert notice.document() == {
        "text": "uk: the run failed: x", "kind": "run_failure", "market": "uk", "run_id": "abc",
    }  # fmt: skip


def test_the_weekly_refit_asks_for_every_market_once_a_week(told: Told, tmp_path: Path) -> None:
    schedule = told.definitions.resolve_schedule_def("weekly_refit")
    assert schedule.cron_schedule == "0 5 * * 1"
    (tmp_path / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as instance:

        def keys(day: int) -> dict[str, str]:
            when = datetime(2024, 6, day, 5, tzinfo=UTC)
            context = dg.build_schedule_context(
                instance=instance, scheduled_execution_time=when, repository_def=told.definitions.get_repository_def()
            )
            found = schedule.evaluate_tick(context)
            return {str(request.partition_key): str(request.run_key) for request in found.run_requests or ()}

        assert keys(3) == {}
        instance.add_dynamic_partitions("market", ["uk", "de"])
        assert keys(3) == {"de": "de:2024-06-03T05:00", "uk": "uk:2024-06-03T05:00"}
        assert set(keys(10).values()).isdisjoint(keys(3).values())
