"""The config as frozen, closed models. Every key and every default of the system lives in these `schema_*` modules.

Defaults that depend on other keys (`data.format`, `model.type`, `cre.enabled`, …) are filled by `defaults.py` before
validation, so a validated `Config` holds no open question.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from dsam_assets.config.defaults import fill_dependent_defaults
from dsam_assets.config.schema_allocation import AllocationSection
from dsam_assets.config.schema_base import SchemaVersion, Section, part
from dsam_assets.config.schema_data import CreSection, DataSection, PoolingSection, TimeComponentsSection
from dsam_assets.config.schema_diagnostics import DiagnosticsSection
from dsam_assets.config.schema_forecast import ForecastSection
from dsam_assets.config.schema_model import (
    BoundariesSection,
    FitSection,
    ModelSection,
    PriorsSection,
    TransformsSection,
)
from dsam_assets.config.schema_outputs import OutputsSection, SecuritySection


class Config(Section):
    """One market's model, as resolved: all defaults applied, all values valid by themselves.

    Build it with `Config.model_validate(mapping)` or `load_config(path)`; rules between sections are in `rules.py`.
    """

    schema_version: SchemaVersion = Field(default=1, description="Version of this schema.")
    data: DataSection = Field(description="Input data.")
    model: ModelSection = Field(description="Formula and model type.")
    cre: CreSection = Field(description="Correlated random effects (Mundlak).")
    pooling: PoolingSection = Field(description="Pooled media coefficients.")
    transforms: TransformsSection = part(TransformsSection, "Media transforms.")
    priors: PriorsSection = part(PriorsSection, "Priors, on the original scale.")
    boundaries: BoundariesSection = part(BoundariesSection, "Parameter bounds, on the original scale.")
    time_components: TimeComponentsSection = part(TimeComponentsSection, "Calendar features.")
    fit: FitSection = part(FitSection, "Sampler and optimiser.")
    allocation: AllocationSection = part(AllocationSection, "Budget optimisation.")
    outputs: OutputsSection = part(OutputsSection, "Run folder and artefacts.")
    forecast: ForecastSection = part(ForecastSection, "Forecast.")
    diagnostics: DiagnosticsSection = Field(description="Checks and gates.")
    security: SecuritySection = part(SecuritySection, "Formula safety.")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, raw: Any) -> Any:
        return fill_dependent_defaults(raw) if isinstance(raw, dict) else raw
