"""The decomposition of a fitted model as it is published: its tables, with the state of the evidence under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from dsam_assets.decomposition.accumulate import Accumulated, accumulate
from dsam_assets.decomposition.attribution import Attribution, attribution
from dsam_assets.decomposition.blocks import units_of
from dsam_assets.decomposition.channels import ChannelLike, media_channels
from dsam_assets.decomposition.evidence import channel_evidence
from dsam_assets.decomposition.impact import ALL
from dsam_assets.decomposition.periods import HIGH, LOW, Periods, choose_periods
from dsam_assets.decomposition.returns import KpiType, Returns
from dsam_assets.decomposition.term_groups import IdentifiabilityLike, TermGroup, baseline_terms, term_groups
from dsam_assets.fit.predictor import draws_for
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import ConversionMethod, observed_to_kpi

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.fit.draws import Draws


class DecompositionLike(Protocol):
    """What is read of a config."""

    @property
    def kpi_type(self) -> KpiType: ...
    @property
    def channels(self) -> Sequence[ChannelLike]: ...
    @property
    def currency_scale(self) -> float | None: ...
    @property
    def value_per_kpi(self) -> float | None: ...
    @property
    def identifiability(self) -> IdentifiabilityLike: ...
    @property
    def top_n(self) -> int: ...


def decompose(
    draws: Draws,
    matrix: ModelMatrix,
    labels: pd.DataFrame,
    frame: pd.DataFrame,
    section: DecompositionLike,
    prior_table: pd.DataFrame,
    report: DiagnosticsReport,
    generated: Sequence[str] = (),
    method: ConversionMethod = "conditional_mean",
) -> dict[str, pd.DataFrame]:
    """All tables of the decomposition, on the KPI scale, stamped with the verdict.

    Args:
        draws: the fit.
        matrix: the model's rows.
        labels: date and panel unit of each of them, as `design.labels.row_labels` makes them.
        frame: the data file.
        section: what is read of the config.
        prior_table: as `design.model_design.design_prior_table` makes it.
        report: the verdict; `diagnostics.report.enforce` has let it through.
        generated: generated holiday terms, as `design.additions.generated_terms` lists them.
        method: how draws of a log response reach the KPI scale; exp(μ) for a point.

    Returns:
        `decomp_summary`, `decomp_predictor_impact`, `decomp_group_impact`, `decomp_timeseries`; with media, also
        `decomp_channels` and `channel_evidence`.
    """
    groups = term_groups(matrix, section.channels, section.identifiability, generated)
    channels = media_channels(section.channels, section.currency_scale, groups, matrix, frame)
    split, joint, units = (
        _split(draws, matrix, groups, method),
        draws_for(draws, len(matrix.response)),
        units_of(matrix),
    )
    periods = choose_periods(labels, units, len(split.parts), joint.noise_sd.size)
    returns = Returns(channels, section.kpi_type, section.value_per_kpi)
    sums = accumulate(joint, matrix, split, units, periods, groups, channels, returns)
    tables = {
        "decomp_summary": _summary(sums, matrix, split, periods, draws, report),
        "decomp_predictor_impact": sums.totals.by_term(section.top_n),
        "decomp_group_impact": sums.totals.by_group(),
    }
    if channels:
        tables["decomp_channels"] = sums.returns.table()
    stamped = {name: table.assign(reliability=report.reliability) for name, table in tables.items()}
    stamped["decomp_timeseries"] = _with_groups(sums.series, groups)
    if channels:
        baseline = baseline_terms(groups, matrix)
        stamped["channel_evidence"] = channel_evidence(channels, draws, matrix, prior_table, baseline)
    return stamped


def _split(draws: Draws, matrix: ModelMatrix, groups: Mapping[str, TermGroup], method: ConversionMethod) -> Attribution:
    media = [term for term, group in groups.items() if group == "media"]
    used: ConversionMethod = "point_exp" if draws.is_point else method
    return attribution(
        draws.all_terms,
        media,
        multiplicative=matrix.response_scale == "log",
        method=used if matrix.response_scale == "log" else "identity",
        has_offset=bool(matrix.offset.any()),
    )


def _with_groups(series: pd.DataFrame, groups: Mapping[str, TermGroup]) -> pd.DataFrame:
    series.insert(list(series.columns).index("term") + 1, "term_group", series["term"].map(groups))
    return series


def _summary(
    sums: Accumulated,
    matrix: ModelMatrix,
    split: Attribution,
    periods: Periods,
    draws: Draws,
    report: DiagnosticsReport,
) -> pd.DataFrame:
    """One row: what was divided, how, and what may be made of it."""
    low, high = quantiles(sums.whole, (LOW, HIGH))
    return pd.DataFrame({
        "reasons": [" ".join(report.reasons)],
        "diagnostics_overall": report.overall,
        "estimate": "point" if draws.is_point else "posterior",
        "draws": sums.whole.size,
        "response": matrix.response_name,
        "response_scale": matrix.response_scale,
        "conversion_method": split.method,
        "attribution": "aumann_shapley" if split.multiplicative else "sum",
        "rows": len(matrix.response),
        "fitted": sums.whole.mean(),
        "fitted_q05": low,
        "fitted_q95": high,
        "observed": observed_to_kpi(matrix.response, matrix.response_scale).sum(),
        "series_step": periods.step,
        "series_by_unit": periods.by_unit,
    })  # fmt: skip


def facts(tables: Mapping[str, pd.DataFrame]) -> dict[str, str | float | int]:
    """Key numbers for the asset's metadata."""
    summary, groups = tables["decomp_summary"].iloc[0], tables["decomp_group_impact"]
    shares = groups[groups["group"] == ALL].set_index("term_group")["share"].drop("total")
    weak = tables["channel_evidence"]["weak"].sum() if "channel_evidence" in tables else 0
    return {
        "reliability": str(summary["reliability"]),
        "attribution": str(summary["attribution"]),
        **{f"share_{name}": float(share) for name, share in shares.items()},
        "weak_channels": int(weak),
    }
