"""What the design matrix holds, term by term, and the specification in one row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dsam_assets.design.formula import Formula
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.scaling import INTERCEPT


def design_matrix_manifest(matrix: ModelMatrix) -> pd.DataFrame:
    """One row per design column, in data units."""
    values = matrix.values
    return pd.DataFrame(
        {
            "term": list(matrix.terms),
            "role": ["intercept" if term == INTERCEPT else "predictor" for term in matrix.terms],
            "rows": np.full(len(matrix.terms), len(matrix.response)),
            "mean": values.mean(axis=0),
            "sd": values.std(axis=0, ddof=1),
            "min": values.min(axis=0),
            "max": values.max(axis=0),
            "share_zero": (values == 0).mean(axis=0),
            "unique": [len(np.unique(values[:, column])) for column in range(values.shape[1])],
        }
    )


def spec_summary(
    name: str, kind: str, formula: Formula, matrix: ModelMatrix, frame_rows: int, unsafe: str = "no"
) -> pd.DataFrame:
    """The model in one row: class, formula, response scale, rows, columns, parameters, and the Python that it runs."""
    rows, terms = matrix.values.shape
    parameters = parameter_count(matrix)
    return pd.DataFrame(
        [
            {
                "model_name": name,
                "model_type": kind,
                "formula": " ".join(formula.text.split()),
                "response": matrix.response_name,
                "response_scale": matrix.response_scale,
                "rows_in_file": frame_rows,
                "rows_modelled": rows,
                "rows_dropped": frame_rows - rows,
                "dropped_by_column": "; ".join(f"{column}: {count}" for column, count in matrix.dropped.items()),
                "terms": terms,
                "parameters": parameters,
                "rows_per_parameter": rows / parameters,
                "unsafe_formula": unsafe,
            }
        ]
    )


def parameter_count(matrix: ModelMatrix) -> int:
    """Coefficients, of labels instead of the variables that share them; group standard deviations; the noise's."""
    pooling = matrix.pooling
    shared = 0 if pooling is None else len(pooling.label_names) - len(pooling.variables)
    return len(matrix.terms) + shared + sum(len(group.terms) for group in matrix.groups) + 1
