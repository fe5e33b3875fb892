"""What fits of a model beside its own share: other formulas on the same data, or the same formula on fewer weeks."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dsam_assets.config.schema_data import DataSection
from dsam_assets.config.schema_model import FitSection
from dsam_assets.config.slices import FormulaSlice, PriorsSlice
from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.additions import ModelInputs, model_inputs
from dsam_assets.design.build import matrix_from_slices
from dsam_assets.design.matrix import ModelMatrix


@dataclass(frozen=True)
class RefitInputs:
    """A model's data and the config's sections that fit it.

    Attributes:
        frame: the data.
        formula: the config's formula with its scenarios, `cre` and pooling.
        data, priors, fit: the config's sections.
        holidays: generated features, or `None`.
        pooling: labels of a pooled model, or `None`.
    """

    frame: pd.DataFrame
    formula: FormulaSlice
    data: DataSection
    priors: PriorsSlice
    fit: FitSection
    holidays: HolidayFeatures | None = None
    pooling: PoolingMap | None = None

    def built(self, formula: FormulaSlice) -> tuple[ModelInputs, ModelMatrix]:
        """Formula and frame with the generated columns, and all modelled rows; raises `DsamError` as those steps do."""
        made = model_inputs(formula, self.frame, self.holidays, date_var=self.data.date_var)
        return made, matrix_from_slices(made, formula, self.data, self.pooling).matrix
