"""What may have moved a posterior: new rows, revised history, config, code, sampler noise. Which of them happened, and
as far as it can be said without refits, how much each moved.

An exact split would need a refit per cause. What the data did is computed by reweighting the previous draws
(`reweighting`); what remains is config, code and sampler noise together, and is told apart only by which of them
happened at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.config.differences import differences, word
from dsam_assets.drift.snapshot import SECTIONS

if TYPE_CHECKING:
    from dsam_assets.drift.reweighting import Reweighted
    from dsam_assets.drift.rows import Revisions, RowMatch
    from dsam_assets.drift.snapshot import FitSnapshot

NAMED = 5
REWEIGHTED = "by reweighting the previous draws"
REST = "what the data do not account for: config, code and sampler noise together"
SETTING_COLUMNS = ("kind", "section", "key", "previous", "now")
# Where a fit was made, and by which program: facts of the draws that a change of code shows in.
TOOLS = ("stan_version", "program")


def settings_changed(previous: FitSnapshot, now: FitSnapshot) -> pd.DataFrame:
    """`drift_settings`: one row per key of the config, or part of the code, that is not what it was."""
    rows = [
        ("config", section, change.key, word(change.before), word(change.after))
        for section in SECTIONS
        for change in differences(dict(previous.config[section]), dict(now.config[section]))
    ]
    if previous.code and now.code:
        rows += [("code", "posterior", each.key, word(each.before), word(each.after))
                 for each in differences(dict(previous.code), dict(now.code))]  # fmt: skip
    before, after = (
        {name: fit.draws.attributes[name] for name in TOOLS if name in fit.draws.attributes} for fit in (previous, now)
    )
    rows += [("code", "tools", each.key, word(each.before), word(each.after)) for each in differences(before, after)]
    return pd.DataFrame(rows, columns=list(SETTING_COLUMNS)).astype("object")


@dataclass(frozen=True)
class Happened:
    """What differs between two fits.

    Attributes:
        match, revisions: rows and cells.
        settings: `drift_settings`.
        data: what the data alone would have done.
        parameters: `drift_parameters`.
        code_known: whether both fits say which code made them.
        is_point: whether one of the fits is a point estimate.
    """

    match: RowMatch
    revisions: Revisions
    settings: pd.DataFrame
    data: Reweighted
    parameters: pd.DataFrame
    code_known: bool
    is_point: bool


def cause_table(found: Happened) -> pd.DataFrame:
    """`drift_causes`: one row per cause, whether it happened, and what it moved where that is known."""
    settings = found.settings
    config, code = (settings[settings["kind"] == kind] for kind in ("config", "code"))
    keys = [f"{section}.{key}" for section, key in config[["section", "key"]].to_numpy()]
    rows = [_rows(found), _history(found), _settings("config", keys, found)]
    rows.append(_settings("code", list(code["key"]), found) if found.code_known else _unknown_code())
    rows.append(_noise(found))
    columns = ["cause", "state", "count", "unit", "detail", "largest_shift_sd", "parameter", "shift_note"]
    return pd.DataFrame(rows, columns=columns).astype({"count": "Int64", "largest_shift_sd": "float64"})


type _Row = tuple[str, str, int | None, str, str, float, str, str]


def _rows(found: Happened) -> _Row:
    added, removed = len(found.match.added), len(found.match.removed)
    parts = [f"{count:,} {_rows_are(count)} {word}" for count, word in ((added, "new"), (removed, "gone")) if count]
    detail = ", ".join([*parts, f"{len(found.match.now):,} are in both data sets"])
    moved = _largest(found, "shift_rows") if added + removed else (0.0, "", "")
    return "rows", _state(added + removed), added + removed, "rows", detail, *moved


def _rows_are(count: int) -> str:
    return "row is" if count == 1 else "rows are"


def _history(found: Happened) -> _Row:
    """Revised cells, and columns that the model reads and that came or went."""
    cells, table = found.revisions.count, found.revisions.columns
    detail = "no cell of a row in both data sets changed"
    if cells:
        read = table.loc[table["cells_revised"] > 0, "used"].any()
        detail = f"{cells:,} {'cell' if cells == 1 else 'cells'} of rows in both data sets changed, in"
        detail += f" {_listed(found.revisions.revised)}" + ("" if read else ", which no model reads")
    others = table[table["state"] != "both"]
    if len(others):
        detail += f"; columns that came or went: {_listed(list(others['column']))}"
    count = cells + int(others["used"].sum())
    moved = _largest(found, "shift_revised") if count else (0.0, "", "")
    return "history", _state(count), cells, "cells", detail, *moved


def _settings(kind: str, names: Sequence[str], found: Happened) -> _Row:
    what = "the config's " if kind == "config" else "the code of "
    detail = f"{what}{_listed(names)} changed" if names else "nothing changed"
    moved = _largest(found, "shift_rest", REST) if names else (0.0, "", "")
    return kind, _state(len(names)), len(names), "keys" if kind == "config" else "parts", detail, *moved


def _unknown_code() -> _Row:
    return "code", "not_computed", None, "parts", "which code made one of the fits is not known", float("nan"), "", ""


def _noise(found: Happened) -> _Row:
    """Sampler noise: how many parameters moved no further than a repeated run of the sampler would move them."""
    if found.is_point:
        return "sampler_noise", "absent", 0, "parameters", "a point estimate has no sampler", 0.0, "", ""
    rows = found.parameters[found.parameters["within_mcse"].notna()]
    within = int(rows["within_mcse"].astype(bool).sum())
    detail = f"{within:,} of {len(rows):,} parameters moved by no more than twice their Monte Carlo error"
    sizes = (rows["mcse"] / rows["sd_previous"]).where(rows["sd_previous"] > 0).to_numpy(dtype=np.float64)
    if np.isfinite(sizes).any():
        at = int(np.nanargmax(sizes))
        named = str(rows["parameter"].to_numpy()[at])
        return "sampler_noise", "present", within, "parameters", detail, float(sizes[at]), named, "one standard error"
    return "sampler_noise", "not_computed", within, "parameters", detail, float("nan"), "", ""


def _largest(found: Happened, column: str, note: str = REWEIGHTED) -> tuple[float, str, str]:
    """The parameter that a part of its shift moved most, in sd of the previous posterior."""
    if found.data.shares is None:
        return float("nan"), "", f"not computed: {found.data.reason}"
    rows = found.parameters[(found.parameters["group"] == "all") & (found.parameters["sd_previous"] > 0)]
    moved = (rows[column] / rows["sd_previous"]).to_numpy(dtype=np.float64)
    if not np.isfinite(moved).any():
        return float("nan"), "", f"not computed: {found.data.reason or 'no parameter is in both fits'}"
    at = int(np.nanargmax(np.abs(moved)))
    return float(moved[at]), str(rows["parameter"].to_numpy()[at]), note


def _state(count: int) -> str:
    return "present" if count else "absent"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
