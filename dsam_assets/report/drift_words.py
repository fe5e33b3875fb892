"""What changed since the last fit, as facts for `interpretation.json` and as sentences of these facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dsam_assets.report.numbers import number, percent, plain

if TYPE_CHECKING:
    import pandas as pd

type Facts = Mapping[str, Any]
type Rows = tuple[tuple[str, ...], ...]

SOURCES = ("drift_summary", "drift_channels", "drift_causes", "refresh_drift_checks")
FIRST = "This is the first fit of this market in its store, so there is nothing to compare it with."
CAUSES = {
    "rows": "rows that came or went", "history": "revised history", "config": "config", "code": "code",
    "sampler_noise": "sampler noise",
}  # fmt: skip
COUNTED = ("rows_added", "rows_removed", "rows_both", "cells_revised", "config_changes", "code_changes", "parameters",
           "parameters_within_mcse", "elpd_rows")  # fmt: skip
COLUMNS = ("Channel", "{metric} before", "{metric} now", "Share before", "Share now", "Shift (sd)", "Another story?")
SAME = "no"


def drift_facts(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any] | None:
    """The facts; `None` when the fits were not asked about, because a gate blocks decisions."""
    if "drift_summary" not in tables:
        return None
    row = tables["drift_summary"].iloc[0]
    fitted = row["previous_fitted_at"]
    return {
        "status": str(row["status"]),
        "reason": str(row["reason"]),
        "previous_fitted_at": None if fitted != fitted else f"{str(fitted)[:16]} UTC",  # NaT is not itself
        **{name: _whole(row[name]) for name in COUNTED},
        **{name: number(row[name]) for name in ("elpd_change", "se_elpd_change")},
        "checks": [
            {"check": each["check_id"], "status": each["status"], "message": each["message"]}
            for each in tables["refresh_drift_checks"].to_dict("records")
        ],
        "causes": [_cause(each) for each in _records(tables, "drift_causes")],
        "channels": [_channel(each) for each in _records(tables, "drift_channels") if each["group"] == "all"],
        "source": ", ".join(f"{name}.csv" for name in SOURCES if name in tables),
    }


def _records(tables: Mapping[str, pd.DataFrame], name: str) -> list[dict[Any, Any]]:
    return tables[name].to_dict("records") if name in tables else []


def _whole(value: Any) -> int | None:
    found = number(value)
    return None if found is None else int(found)


def _cause(row: Mapping[Any, Any]) -> dict[str, Any]:
    texts = {name: str(row[name]) for name in ("cause", "state", "detail", "parameter", "shift_note")}
    return {**texts, "largest_shift_sd": number(row["largest_shift_sd"])}


def _channel(row: Mapping[Any, Any]) -> dict[str, Any]:
    numbers = ("return_previous", "return", "return_change", "share_previous", "share", "share_change",
               "shift_previous_sd", "probability_sign_flip")  # fmt: skip
    return {
        "channel": str(row["channel"]), "state": str(row["state"]), "metric": str(row["metric"]),
        **{name: number(row[name]) for name in numbers},
        "story_changed": bool(row["story_changed"]), "why": str(row["why"]),
    }  # fmt: skip


def drift_text(drift: Facts) -> tuple[str, ...]:
    """Sentences of the facts: whose story changed, what happened in between, and how well old rows are predicted."""
    if drift["status"] == "first_fit":
        return (FIRST,)
    if drift["status"] != "compared":
        return (f"Nothing is said of what changed: {drift['reason']}.",)
    return tuple(text for text in (_story(drift), _causes(drift), _moved(drift), _elpd(drift), _unknown(drift)) if text)


def _story(drift: Facts) -> str:
    changed = [row["channel"] for row in drift["channels"] if row["story_changed"]]
    since = f" since the fit of {drift['previous_fitted_at']}" if drift["previous_fitted_at"] else ""
    if not drift["channels"]:
        return f"The model has no media channel whose story could have changed{since}."
    if not changed and _unknown(drift):
        return f"No channel is known to tell another story{since}, but not every change could be measured."
    if not changed:
        return f"No channel tells another story{since}: all changes are within the limits of the checks."
    verb = "tells" if len(changed) == 1 else "tell"
    return f"{len(changed)} of {len(drift['channels'])} channels {verb} another story{since}: {', '.join(changed)}."


def _causes(drift: Facts) -> str:
    """What happened between the fits, sampler noise aside: that happens between any two."""
    happened = [row for row in drift["causes"] if row["state"] == "present" and row["cause"] != "sampler_noise"]
    if not happened:
        return "Data, config and code are the same: what differs is sampler noise."
    told = "; ".join(row["detail"] for row in happened)
    several = " Several things happened at once." if len(happened) > 1 else ""
    return f"What happened in between: {told}.{several}"


def _moved(drift: Facts) -> str:
    """How much the data moved, where that is known; never a share for what was not computed."""
    known: list[str] = []
    unknown: list[Facts] = []
    for row in drift["causes"]:
        if row["state"] != "present" or row["cause"] not in ("rows", "history"):
            continue
        if row["largest_shift_sd"] is None:
            unknown.append(row)
        elif row["parameter"]:
            known.append(f"{CAUSES[row['cause']]} moved {row['parameter']} ({row['largest_shift_sd']:+.2f} sd)")
    text = f"By themselves, and most of all, {' and '.join(known)}; sd are those of the last fit." if known else ""
    noise = ""
    if drift["parameters_within_mcse"] is not None and drift["parameters"]:
        within, total = drift["parameters_within_mcse"], drift["parameters"]
        noise = f"{within} of {total} parameters moved no further than another run of the sampler would move them."
    return " ".join(part for part in (text, *_unknown_moves(unknown), noise) if part)


def _unknown_moves(rows: Sequence[Facts]) -> Iterator[str]:
    """Causes without a number, those with the same reason together."""
    for note in dict.fromkeys(row["shift_note"] for row in rows):
        named = " and ".join(CAUSES[row["cause"]] for row in rows if row["shift_note"] == note)
        yield f"How much {named} moved is {note}."


def _elpd(drift: Facts) -> str:
    if drift["elpd_change"] is None or drift["se_elpd_change"] is None:
        return ""
    return (
        f"Over the {drift['elpd_rows']:,} rows that both fits score, the log predictive density changed by"
        f" {drift['elpd_change']:+.1f} ± {drift['se_elpd_change']:.1f} (below zero: predicted worse than before)."
    )


def _unknown(drift: Facts) -> str:
    """Checks without a number, which is no pass."""
    return " ".join(dict.fromkeys(str(row["message"]) for row in drift["checks"] if row["status"] == "not_computed"))


def drift_table(drift: Facts) -> tuple[tuple[str, ...], Rows] | None:
    """Columns and rows by channel; `None` when nothing was compared by channel."""
    rows = drift["channels"]
    if not rows:
        return None
    metric = rows[0]["metric"].upper()
    return tuple(name.format(metric=metric) for name in COLUMNS), tuple(_row(row) for row in rows)


def _row(row: Facts) -> tuple[str, ...]:
    shift = row["shift_previous_sd"]
    return (
        row["channel"], _known(row["return_previous"]), _known(row["return"]), _share(row["share_previous"]),
        _share(row["share"]), "" if shift is None else f"{shift:+.2f}", row["why"] or SAME,
    )  # fmt: skip


def _known(value: float | None) -> str:
    return "" if value is None else plain(value)


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)
