"""Schedules: the weekly refit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from dsam_assets.assets.jobs import refresh
from dsam_assets.assets.outcomes import MARKETS

if TYPE_CHECKING:
    from resources.automation import Automation

WEEKLY = "weekly_refit"
WORDS = "Makes again what is stale of every market for whatever reason, also one that no landed file shows."


def build_schedules(automation: Automation) -> list[dg.ScheduleDefinition]:
    """All schedules, as the operator wants them to begin."""
    status = dg.DefaultScheduleStatus.RUNNING if automation.schedules else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        name=WEEKLY,
        job=refresh,
        cron_schedule=automation.refit_cron,
        execution_timezone="UTC",
        default_status=status,
        description=WORDS,
    )
    def weekly_refit(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        when = f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}"
        markets = sorted(context.instance.get_dynamic_partitions(str(MARKETS.name)))
        if not markets:
            return dg.SkipReason("no market is registered")
        return [dg.RunRequest(run_key=f"{market}:{when}", partition_key=market) for market in markets]

    return [weekly_refit]
