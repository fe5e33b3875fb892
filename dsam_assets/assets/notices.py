"""What is told about gates that fail and runs that fail: one line for the log, and a document for a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsam_assets.assets.outcomes import EXIT_STATUS
from dsam_assets.running import GATE_EXIT_STATUS

if TYPE_CHECKING:
    import dagster as dg

    from resources.store import Record, Store

CHECKS_SHOWN = 3
JUDGING = ("pre_run_checks", "prior_predictive", "diagnostics_report")
PARTITION_TAG = "dagster/partition"
WILL_RETRY_TAG = "dagster/will_retry"


@dataclass(frozen=True)
class Notice:
    """Something that a person should know.

    Attributes:
        kind: `gate_failure` or `run_failure`.
        market: partition key; empty for a run of no single market.
        text: one line.
        run_id: Dagster's run.
    """

    kind: str
    market: str
    text: str
    run_id: str

    def document(self) -> dict[str, Any]:
        """For a webhook; `text` alone is what chat programs show."""
        return {"text": self.text, "kind": self.kind, "market": self.market, "run_id": self.run_id}


def gate_notice(store: Store, record: dg.EventLogRecord) -> Notice | None:
    """The notice of a judging asset's materialisation; `None` when no gate fails, or nothing was judged anew."""
    made = record.asset_materialization
    if made is None or made.partition is None or _value(made, "reused") is True:
        return None
    asset = made.asset_key.to_user_string()
    kept = store.record(made.partition, asset)
    if kept is None or kept.data_version != (made.tags or {}).get("dagster/data_version"):
        return None  # it was judged again since; that materialisation comes later
    failing = _failing(kept)
    if not failing:
        return None
    verdict = kept.metadata["shown"].get("overall")
    said = f"; verdict {verdict} ({kept.metadata['shown'].get('reliability')})" if verdict else ""
    text = f"{made.partition}: {_counted(failing)}{said}"
    return Notice("gate_failure", made.partition, text, record.run_id)


def _failing(record: Record) -> list[str]:
    found = [check for check in record.metadata["checks"] if not check["passed"] and check["severity"] == "ERROR"]
    return [f"{check['check_name']} ({check['description']})" for check in found]


def _counted(failing: Sequence[str]) -> str:
    more = f" and {len(failing) - CHECKS_SHOWN} more" if len(failing) > CHECKS_SHOWN else ""
    return f"{'a gate fails' if len(failing) == 1 else 'gates fail'}: {'; '.join(failing[:CHECKS_SHOWN])}{more}"


def _value(made: dg.AssetMaterialization, name: str) -> Any:
    return made.metadata[name].value if name in made.metadata else None


def run_notice(context: dg.RunFailureSensorContext) -> Notice | None:
    """The notice of a failed run; `None` when it is tried again, or when a gate halted it, which is told elsewhere."""
    run = context.dagster_run
    if run.tags.get(WILL_RETRY_TAG) == "true":
        return None
    market, what = run.tags.get(PARTITION_TAG, ""), context.failure_event.message or "no reason recorded"
    for event in context.get_step_failure_events():
        said = event.step_failure_data.user_failure_data
        if said is not None and said.description:
            status = said.metadata.get(EXIT_STATUS)
            if status is not None and status.value == GATE_EXIT_STATUS:
                return None
            what = f"{event.step_key}: {said.description}"
        elif event.step_failure_data.error is not None:
            error = event.step_failure_data.error
            what = f"{event.step_key}: {(error.cause or error).message}"
        break
    lines = [line for line in what.splitlines() if line.strip()]
    first = lines[0].strip() if lines else ""
    return Notice("run_failure", market, f"{market or run.job_name}: the run failed: {first}", run.run_id)
