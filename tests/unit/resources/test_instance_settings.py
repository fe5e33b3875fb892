"""The instance settings, as the Dagster in use understands them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.config import PoolGranularity
from dagster._core.run_coordinator import QueuedRunCoordinator

from resources.locations import prepare_dagster_home


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = prepare_dagster_home(tmp_path_factory.mktemp("home"))
    with dg.DagsterInstance.from_config(str(home)) as found:
        yield found


def test_one_run_per_market_two_fits_and_one_run_that_fits_nothing(instance: Any) -> None:
    config = instance.get_concurrency_config()
    assert config.run_queue_config.max_concurrent_runs == 3
    assert config.run_queue_config.tag_concurrency_limits == [
        {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]
    assert config.pool_config.default_pool_limit == 2
    # By run: a run whose worker is killed leaves no slot behind that the next run of anybody would wait for.
    assert config.pool_config.pool_granularity == PoolGranularity.RUN


def test_crashes_are_retried_and_bad_data_is_not(instance: Any) -> None:
    assert instance.run_retries_enabled
    assert instance.run_retries_max_retries == 2
    assert instance.run_retries_retry_on_asset_or_op_failure is False


def test_runs_are_watched(instance: Any) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 7200
    assert instance.run_monitoring_start_timeout_seconds == 180
    assert instance.run_monitoring_cancel_timeout_seconds == 60
    assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 30


def test_a_run_is_asked_after_its_process(instance: Any) -> None:
    assert instance.run_launcher.supports_check_run_worker_health


def test_runs_wait_in_a_queue_and_survive_an_outage_of_the_code_server(instance: Any) -> None:
    assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
    assert instance.run_coordinator.dequeue_interval_seconds == 1
    assert instance.get_concurrency_config().run_queue_config.max_user_code_failure_retries == 20
    assert instance.get_concurrency_config().run_queue_config.user_code_failure_retry_delay == 10


def test_nothing_is_sent_anywhere(instance: Any) -> None:
    assert instance.telemetry_enabled is False
    assert instance.nux_enabled is False


def test_what_the_operator_wrote_is_kept(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert (prepare_dagster_home(tmp_path) / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
