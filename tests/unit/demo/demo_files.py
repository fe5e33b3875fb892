"""The committed demo files, and designs built from them with pandas and NumPy alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

CONFIGS = Path(__file__).parents[3] / "configs"
DATA = CONFIGS / "data"


def read_truth(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / f"{name}.true_parameters.json").read_text())
    return document


def read_config(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    return document


def with_holidays(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the weekly counts of the committed calendar: events from Monday to Sunday."""
    calendar = pd.read_csv(DATA / "holidays_demo.csv", parse_dates=["date"])
    week = (calendar["date"] - pd.to_timedelta(calendar["date"].dt.weekday, unit="D")).dt.strftime("%Y-%m-%d")
    counts = pd.crosstab(week, "holiday_" + calendar["holiday"].str.lower().str.replace(" ", "_"))
    return frame.join(counts, on="date").fillna(dict.fromkeys(counts, 0))


def design(frame: pd.DataFrame, beta: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """X with the columns that `beta` names, and β."""
    complete = frame.assign(**{"(Intercept)": 1.0})
    return complete[list(beta)].to_numpy(dtype=float), np.array(list(beta.values()))


def formula_terms(config: dict[str, Any]) -> tuple[str, list[str]]:
    """Response and population terms of a config's formula."""
    left, right = config["model"]["formula"].split("~")
    terms = [term.strip() for term in right.split("(")[0].split("+")]
    return left.strip(), [term for term in terms if term]
