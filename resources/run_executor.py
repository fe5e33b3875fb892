"""How a served run executes its steps: one after the other in the run's own process, with the event files kept open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from resources.local_instance import quick_instance
from resources.run_launcher import process_tag

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan


class RunExecutor(InProcessExecutor):
    """Dagster's in-process executor: most steps take milliseconds, and a process for each would cost a minute a run."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Execute the steps; the surroundings are as they were when the last one is over."""
        plan_context.instance.add_run_tags(plan_context.run_id, process_tag(plan_context.run_id))
        with quick_instance(plan_context.instance):
            yield from super().execute(plan_context, execution_plan)


@dg.executor(name="in_process")
def run_executor(_: dg.InitExecutorContext) -> RunExecutor:
    """All steps in the run's process; nothing about it is to be configured."""
    return RunExecutor(retries=RetryMode.ENABLED)
