"""Models and future data for the tests of the forecast stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.config.schema import Config
from dsam_assets.config.slices import PriorsSlice, formula_slice, priors_slice
from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.additions import model_inputs
from dsam_assets.design.build import matrix_from_slices
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics.report import DiagnosticsReport, build_report
from dsam_assets.fit.draws import Draws
from dsam_assets.forecast.future_rows import FutureRows
from dsam_assets.forecast.joined import ModelSource
from dsam_assets.scales import FloatArray

WEEK = np.timedelta64(7, "D")


def weekly(weeks: int = 40, seed: int = 5) -> pd.DataFrame:
    """One market, a row a week."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=weeks, freq="7D")})
    frame["tv"], frame["price"] = rng.gamma(2.0, 50.0, weeks), rng.normal(40, 2, weeks)
    frame["kpi"] = 500 + 0.8 * frame["tv"] - 3 * frame["price"] + rng.normal(0, 10, weeks)
    return frame


def panel(weeks: int = 30, markets: int = 3) -> pd.DataFrame:
    """Markets `m0`, `m1`, … of equal length, one after the other."""
    frames = [weekly(weeks, 6 + number).assign(market=f"m{number}") for number in range(markets)]
    for number, frame in enumerate(frames):
        frame["tv"] += 40 * number
    return pd.concat(frames, ignore_index=True)


def split(frame: pd.DataFrame, weeks: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows before the last `weeks` dates, and those rows."""
    later = frame["date"] > frame["date"].max() - weeks * WEEK
    return frame[~later].reset_index(drop=True), frame[later].reset_index(drop=True)


def config(formula: str, **sections: Any) -> Config:
    model = {"formula": formula, **sections.pop("model", {})}
    data = {"path": "data.csv", "date_var": "date"}
    return Config.model_validate({"data": data, "model": model, **sections})


def source_of(
    frame: pd.DataFrame,
    formula: str,
    *,
    holidays: HolidayFeatures | None = None,
    pooling_labels: PoolingMap | None = None,
    **sections: Mapping[str, Any],
) -> ModelSource:
    """The model that the assets would make of a config with these sections."""
    made = config(formula, **sections)
    section = formula_slice(made)
    inputs = model_inputs(section, frame, holidays, date_var="date")
    matrix = matrix_from_slices(inputs, section, made.data, pooling_labels).matrix
    return ModelSource(frame, section, made.data, matrix, holidays, pooling_labels)


def priors_of(formula: str, **sections: Any) -> PriorsSlice:
    return priors_slice(config(formula, **sections))


def draws_of(terms: tuple[str, ...], coef: FloatArray, noise_sd: FloatArray, **more: Any) -> Draws:
    """Draws of shape (S, K) and (S,) as one chain."""
    attributes = {"seed": 7, **more.pop("attributes", {})}
    return Draws(terms, coef[np.newaxis], noise_sd[np.newaxis], {}, 10, attributes, **more)


def rows_of(matrix: ModelMatrix, unit: NDArray[np.intp] | None = None, units: tuple[str, ...] = ("all",)) -> FutureRows:
    """Future rows for a matrix that a test has made itself."""
    size = len(matrix.response)
    dates = pd.Series(pd.date_range("2030-01-07", periods=size, freq="7D"))
    own = np.zeros(size, dtype=np.intp) if unit is None else unit
    return FutureRows(matrix, pd.DataFrame(index=range(size)), dates, np.arange(size) + 1, own, units, (), ())


def matrix_of(values: FloatArray, *, log: bool = False, response: FloatArray | None = None) -> ModelMatrix:
    """A model matrix without groups; its KPI is not known unless a response is given."""
    size = len(values)
    return ModelMatrix(
        terms=tuple(f"x{j}" for j in range(values.shape[1])),
        values=values,
        response=np.full(size, np.nan) if response is None else response,
        offset=np.zeros(size),
        response_name="kpi",
        response_scale="log" if log else "identity",
        rows=np.arange(size),
        dropped={},
    )


def report() -> DiagnosticsReport:
    """A verdict without any check: provisional."""
    return build_report((), "explore", "warn", False)
