"""The config cut into the parts that single stages read, so that an edit recomputes only what it can change."""

from __future__ import annotations

from typing import Literal

from dsam_assets.config.schema import Config
from dsam_assets.config.schema_allocation import AllocationSection, ForecastSection
from dsam_assets.config.schema_base import Section, Text
from dsam_assets.config.schema_data import CreSection, DataSection, PoolingSection, TimeComponentsSection
from dsam_assets.config.schema_diagnostics import DiagnosticsSection
from dsam_assets.config.schema_model import BoundariesSection, FitSection, ModelType, PriorsSection, TransformsSection
from dsam_assets.config.schema_outputs import OutputsSection, SecuritySection


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


class AllocationSlice(Section):
    """What makes the budget plan."""

    kpi_type: Literal["revenue", "subscriptions"]
    allocation: AllocationSection


class ReportSlice(Section):
    """What makes the run folder."""

    name: Text
    outputs: OutputsSection
    forecast: ForecastSection


SLICES: dict[str, type[Section]] = {
    "data": DataSection,
    "formula": FormulaSlice,
    "priors": PriorsSlice,
    "fit": FitSection,
    "diagnostics": DiagnosticsSection,
    "allocation": AllocationSlice,
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


def config_slices(config: Config) -> dict[str, Section]:
    """Every slice of a config, by name."""
    return {
        "data": config.data,
        "formula": formula_slice(config),
        "priors": priors_slice(config),
        "fit": config.fit,
        "diagnostics": config.diagnostics,
        "allocation": AllocationSlice(kpi_type=config.model.kpi_type, allocation=config.allocation),
        "report": ReportSlice(name=config.model.name, outputs=config.outputs, forecast=config.forecast),
    }
