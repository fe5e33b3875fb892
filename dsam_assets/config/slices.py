"""The config cut into the parts that single stages read, so that an edit recomputes only what it can change."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dsam_assets.config.schema import Config
from dsam_assets.config.schema_allocation import AllocationSection, ChannelSection
from dsam_assets.config.schema_base import PositiveInt, Section, Text
from dsam_assets.config.schema_data import CreSection, DataSection, PoolingSection, TimeComponentsSection
from dsam_assets.config.schema_diagnostics import (
    DiagnosticsSection,
    IdentifiabilitySection,
    ModelSelectionSection,
    TimeSeriesSelectionSection,
    Waiver,
)
from dsam_assets.config.schema_forecast import ForecastSection
from dsam_assets.config.schema_model import BoundariesSection, FitSection, ModelType, PriorsSection, TransformsSection
from dsam_assets.config.schema_outputs import OutputsSection, SecuritySection
from dsam_assets.verdict import Gating, PolicyMode


class FormulaSlice(Section):
    """What makes the design matrix."""

    formula: Text
    type: ModelType
    cre: CreSection
    pooling: PoolingSection
    transforms: TransformsSection
    time_components: TimeComponentsSection
    security: SecuritySection


class PriorsSlice(Section):
    """What makes the prior table: priors, boundaries, and whether Stan sees standardised data."""

    scale: bool
    priors: PriorsSection
    boundaries: BoundariesSection


class DiagnosticsSlice(Section):
    """What makes the evidence: which checks are computed and by which thresholds they are judged."""

    enabled: bool
    policy_mode: PolicyMode
    model_selection: ModelSelectionSection
    time_series_selection: TimeSeriesSelectionSection
    identifiability: IdentifiabilitySection


class GatingSlice(Section):
    """What makes the verdict of the evidence. Nothing is computed from it, so an edit here refits nothing."""

    enabled: bool
    policy_mode: PolicyMode
    gating: Gating
    enforce_publish_gate: bool
    waivers: Annotated[tuple[Waiver, ...], Field(strict=False)]


class AllocationSlice(Section):
    """What makes the budget plan."""

    kpi_type: Literal["revenue", "subscriptions"]
    allocation: AllocationSection


class PlotsSlice(Section):
    """What makes the figures: how many predictors they show, and which are drawn as PNG."""

    decomp_top_n: PositiveInt
    save_fit_png: bool
    save_decomp_png: bool
    save_diagnostics_png: bool
    draw_tscv: bool
    save_allocator_png: bool


class DecompositionSlice(Section):
    """What the decomposition reads: which terms are media, what they cost, and what a KPI unit is worth."""

    kpi_type: Literal["revenue", "subscriptions"]
    channels: Annotated[tuple[ChannelSection, ...], Field(strict=False)]
    currency_scale: float | None
    value_per_kpi: float | None
    identifiability: IdentifiabilitySection
    top_n: PositiveInt


class ReportSlice(Section):
    """What makes the run folder."""

    name: Text
    outputs: OutputsSection


SLICES: dict[str, type[Section]] = {
    "data": DataSection,
    "formula": FormulaSlice,
    "priors": PriorsSlice,
    "fit": FitSection,
    "diagnostics": DiagnosticsSlice,
    "gating": GatingSlice,
    "allocation": AllocationSlice,
    "forecast": ForecastSection,
    "plots": PlotsSlice,
    "decomposition": DecompositionSlice,
    "report": ReportSlice,
}


def formula_slice(config: Config) -> FormulaSlice:
    """What makes the design matrix."""
    return FormulaSlice(
        formula=config.model.formula,
        type=config.model.type,
        cre=config.cre,
        pooling=config.pooling,
        transforms=config.transforms,
        time_components=config.time_components,
        security=config.security,
    )


def priors_slice(config: Config) -> PriorsSlice:
    """What makes the prior table."""
    return PriorsSlice(scale=config.model.scale, priors=config.priors, boundaries=config.boundaries)


def plots_slice(config: Config) -> PlotsSlice:
    """What makes the figures."""
    outputs = config.outputs
    return PlotsSlice(
        decomp_top_n=outputs.decomp_top_n,
        save_fit_png=outputs.save_fit_png,
        save_decomp_png=outputs.save_decomp_png,
        save_diagnostics_png=outputs.save_diagnostics_png,
        draw_tscv=config.diagnostics.time_series_selection.save_png,
        save_allocator_png=outputs.save_allocator_png,
    )


def decomposition_slice(config: Config) -> DecompositionSlice:
    """What the decomposition reads; the channels count whether or not a budget is asked for."""
    return DecompositionSlice(
        kpi_type=config.model.kpi_type,
        channels=config.allocation.channels,
        currency_scale=config.allocation.currency_scale,
        value_per_kpi=config.allocation.objective.value_per_kpi,
        identifiability=config.diagnostics.identifiability,
        top_n=config.outputs.decomp_top_n,
    )


def _part(kind: type[Section], section: DiagnosticsSection) -> Section:
    """Some keys of a section."""
    return kind.model_validate({name: getattr(section, name) for name in kind.model_fields})


def config_slices(config: Config) -> dict[str, Section]:
    """Every slice of a config, by name."""
    return {
        "data": config.data,
        "formula": formula_slice(config),
        "priors": priors_slice(config),
        "fit": config.fit,
        "diagnostics": _part(DiagnosticsSlice, config.diagnostics),
        "gating": _part(GatingSlice, config.diagnostics),
        "allocation": AllocationSlice(kpi_type=config.model.kpi_type, allocation=config.allocation),
        "forecast": config.forecast,
        "plots": plots_slice(config),
        "decomposition": decomposition_slice(config),
        "report": ReportSlice(name=config.model.name, outputs=config.outputs),
    }
