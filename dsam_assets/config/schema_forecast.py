"""`forecast`: the KPI ahead of the data, from future values of the predictors."""

from __future__ import annotations

from pydantic import Field

from dsam_assets.config.schema_base import PositiveInt, Section, Text


class ForecastSection(Section):
    """`forecast`: the KPI ahead of the data."""

    enabled: bool = Field(default=False, description="Forecast the KPI after the fit.")
    data_path: Text | None = Field(
        default=None,
        description="Future values of the predictors, relative to this config. Required when enabled.",
    )
    horizon: PositiveInt | None = Field(
        default=None, description="Periods ahead, for panels per unit; null uses every future row."
    )
