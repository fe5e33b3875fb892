"""`forecast`: the KPI ahead of the data, from future values of the predictors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dsam_assets.config.schema_base import PositiveInt, Section, Text, Unit


class ForecastSection(Section):
    """`forecast`: the KPI ahead of the data."""

    enabled: bool = Field(default=False, description="Forecast the KPI after the fit.")
    data_path: Text | None = Field(
        default=None,
        examples=["data/uk.future.csv"],
        description="Future values of the predictors, relative to this config. Required when enabled.",
    )
    horizon: Annotated[PositiveInt | None, Unit("periods")] = Field(
        default=None, examples=[26], description="Periods ahead, for panels per unit; null uses every future row."
    )
