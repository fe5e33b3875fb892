"""Can media be told apart from the baseline: correlations between their columns of the design matrix.

Media terms are those that the config lists. Baseline terms are those that it lists, the generated holiday terms, and
what a pattern of `baseline_regex` finds in (`re.search`). Names that are no column of the design matrix and constant
columns drop out of both; a media term that a pattern also finds stays media.

**Thresholds.** Those of the config hold under publish. Explore warns where the config says and never fails. Strict
takes the tighter of the config's and its own, so that a config cannot loosen an audit: with the defaults 0.80 and 0.95
of the config it judges by 0.70 and 0.85.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.design.vif import correlations
from dsam_assets.diagnostics.rows import listed, not_computed, row
from dsam_assets.diagnostics.thresholds import INF, THRESHOLDS, Threshold, describe, judge
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix

CHECK = "pre_identifiability_baseline_media_corr"
COLUMNS = ("media", "baseline", "correlation", "abs_correlation", "status")

DISABLED = "diagnostics.identifiability.enabled is false"
NO_MEDIA = "none of diagnostics.identifiability.media_terms is a column of the design matrix"
NO_MEDIA_NAMED = "diagnostics.identifiability.media_terms is empty"
NO_BASELINE = "no baseline terms were found by baseline_terms, generated terms or baseline_regex"
CONSTANT = "all media terms or all baseline terms are constant"


class IdentifiabilityLike(Protocol):
    """The config's section `diagnostics.identifiability`."""

    @property
    def enabled(self) -> bool: ...
    @property
    def media_terms(self) -> Sequence[str]: ...
    @property
    def baseline_terms(self) -> Sequence[str]: ...
    @property
    def baseline_regex(self) -> Sequence[str]: ...
    @property
    def abs_corr_warn(self) -> float: ...
    @property
    def abs_corr_fail(self) -> float: ...


@dataclass(frozen=True)
class TermRoles:
    """Columns of the design matrix by role, in its order, and names that are no column of it.

    Attributes:
        media, baseline: terms by role; constant ones are among them.
        unknown: configured media and baseline terms that the design matrix does not have.
    """

    media: tuple[str, ...]
    baseline: tuple[str, ...]
    unknown: tuple[str, ...]


def term_roles(terms: Sequence[str], section: IdentifiabilityLike, generated: Sequence[str] = ()) -> TermRoles:
    """Which columns are media and which are baseline.

    Args:
        terms: columns of the design matrix.
        section: the config's `diagnostics.identifiability`.
        generated: generated holiday terms, as `design.additions.generated_terms` lists them.
    """
    media = tuple(term for term in terms if term in set(section.media_terms))
    named = {*section.baseline_terms, *generated}
    patterns = [re.compile(pattern) for pattern in section.baseline_regex]
    baseline = tuple(
        term
        for term in terms
        if term != INTERCEPT and term not in media and (term in named or any(p.search(term) for p in patterns))
    )
    configured = dict.fromkeys([*section.media_terms, *section.baseline_terms])
    return TermRoles(media, baseline, tuple(name for name in configured if name not in terms))


def baseline_media_correlations(
    matrix: ModelMatrix, section: IdentifiabilityLike, mode: PolicyMode, generated: Sequence[str] = ()
) -> pd.DataFrame:
    """Correlations of media with baseline columns over the model's rows, the strongest first.

    Args:
        matrix: the model's rows.
        section: the config's `diagnostics.identifiability`.
        mode: the policy that chooses the thresholds of `status`.
        generated: generated holiday terms.

    Returns:
        One row per pair of columns that vary: `media`, `baseline`, `correlation`, `abs_correlation`, `status`. No rows
        where the check does not apply.
    """
    roles, terms = term_roles(matrix.terms, section, generated), list(matrix.terms)
    sd, correlation = correlations(matrix.values)
    varies = dict(zip(terms, sd != 0, strict=True))  # NaN, of a column that is not finite, is kept and shows
    rows = []
    for medium in (term for term in roles.media if section.enabled and varies[term]):
        for base in (term for term in roles.baseline if varies[term]):
            r = float(np.clip(correlation[terms.index(medium), terms.index(base)], -1.0, 1.0))
            rows.append((medium, base, r, abs(r), judge(abs(r), threshold_for(section, mode))))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"correlation": "float64", "abs_correlation": "float64"})
    return table.sort_values("abs_correlation", ascending=False, kind="stable", na_position="first", ignore_index=True)


def threshold_for(section: IdentifiabilityLike, mode: PolicyMode) -> Threshold:
    """The threshold that the config and the policy amount to."""
    warn, fail = section.abs_corr_warn, section.abs_corr_fail
    if mode == "explore":
        return Threshold("above", warn, INF)
    if mode == "publish":
        return Threshold("above", warn, fail)
    strict = THRESHOLDS["strict"][CHECK]
    return Threshold("above", min(warn, strict.warn), min(fail, strict.fail))


def identifiability_gate(
    table: pd.DataFrame, terms: Sequence[str], section: IdentifiabilityLike, mode: PolicyMode,
    generated: Sequence[str] = (),
) -> GateResult:  # fmt: skip
    """p1: strongest correlation between a media and a baseline column; `skipped`, with the reason, where none applies.

    Args:
        table: as `baseline_media_correlations` makes it.
        terms: columns of the design matrix.
        section: the config's `diagnostics.identifiability`.
        mode: the policy.
        generated: generated holiday terms.
    """
    roles = term_roles(terms, section, generated)
    reason = _why_not(section, roles, empty=table.empty)
    if reason:
        return row(CHECK, "skipped", None, "does not apply", "model", f"Does not apply: {reason}.{_unknown(roles)}")
    worst = table.iloc[0]
    value = float(worst["abs_correlation"])
    if np.isnan(value):
        return not_computed(CHECK, mode, f"{worst['media']} or {worst['baseline']} has values that are not finite")
    threshold = threshold_for(section, mode)
    message = (
        f"The strongest correlation between media and baseline is {worst['correlation']:.3f} "
        f"({worst['media']} and {worst['baseline']}; {len(table):,} pairs).{_unknown(roles)}"
    )
    return row(CHECK, judge(value, threshold), value, describe(threshold), str(worst["media"]), message)


def _why_not(section: IdentifiabilityLike, roles: TermRoles, *, empty: bool) -> str:
    """Why the check does not apply; empty when it does."""
    if not section.enabled:
        return DISABLED
    if not roles.media:
        return NO_MEDIA if section.media_terms else NO_MEDIA_NAMED
    if not roles.baseline:
        return NO_BASELINE
    return CONSTANT if empty else ""


def _unknown(roles: TermRoles) -> str:
    return f" Not in the design matrix: {listed(roles.unknown)}." if roles.unknown else ""
