"""How core results look to Dagster: errors as failures, gate rows as check results."""

import math
import resource
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from dsam_assets.assets.check_words import check_description
from dsam_assets.errors import DsamError
from dsam_assets.verdict import CHECKS, GateResult, PolicyMode, effective_status

PREFIT_CHECKS = tuple(name for name, check in CHECKS.items() if check.gate == "p0")
PRIOR_CHECKS = tuple(name for name, check in CHECKS.items() if check.gate == "g1")
FIT_CHECKS = tuple(name for name, check in CHECKS.items() if check.phase == "P1")
DRIFT_CHECKS = tuple(name for name, check in CHECKS.items() if check.phase == "P2")

MARKETS = dg.DynamicPartitionsDefinition(name="market")
ERROR_CLASS = "dsam_error"
EXIT_STATUS = "exit_status"


def as_failure(error: DsamError) -> dg.Failure:
    """A deterministic failure: retrying cannot help, the message is the whole story."""
    return dg.Failure(
        description=str(error),
        metadata={ERROR_CLASS: type(error).__name__, EXIT_STATUS: error.exit_status},
        allow_retries=False,
    )


def check_specs(asset: str, check_ids: Iterable[str]) -> list[dg.AssetCheckSpec]:
    """One check per gate row, by market."""
    with beta_accepted():
        return [
            dg.AssetCheckSpec(name, asset=asset, description=check_description(name), partitions_def=MARKETS)
            for name in check_ids
        ]


def check_result(row: GateResult, mode: PolicyMode) -> dg.AssetCheckResult:
    """Mirror a gate row: a warning does not pass, because a passed check hides its severity."""
    status = effective_status(row.status, mode)
    return dg.AssetCheckResult(
        check_name=row.check_id,
        passed=status in ("pass", "skipped"),
        severity=dg.AssetCheckSeverity.ERROR if status == "fail" else dg.AssetCheckSeverity.WARN,
        description=row.message,
        metadata={
            "status": row.status,
            "metric": row.metric,
            "value": "not computed" if row.value is None or not math.isfinite(row.value) else row.value,
            "threshold": row.threshold,
            "advice": row.advice or "none needed",
            **_waiver(row),
        },
    )


def _waiver(row: GateResult) -> dict[str, str]:
    if row.waived is None:
        return {}
    mark = row.waived
    told = {"waived_by": mark.by, "waived_until": mark.until, "waiver_reason": mark.why}
    return {"original_status": mark.original_status, **told}


def check_document(check: dg.AssetCheckResult) -> dict[str, Any]:
    """A check result as JSON, so that a reused asset reports it again."""
    return {
        "check_name": check.check_name,
        "passed": check.passed,
        "severity": check.severity.value,
        "description": check.description,
        "metadata": {key: value.value for key, value in check.metadata.items()},
    }


def restore_check(document: dict[str, Any]) -> dg.AssetCheckResult:
    """The check result of a document made by `check_document`."""
    return dg.AssetCheckResult(**{**document, "severity": dg.AssetCheckSeverity(document["severity"])})


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


@contextmanager
def beta_accepted() -> Iterator[None]:
    """The parts of Dagster that we use and that it calls beta: it is pinned below its next minor version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield


def plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with NumPy scalars as Python's own, which Dagster can store."""
    return {key: value.item() if hasattr(value, "item") else value for key, value in metadata.items()}
