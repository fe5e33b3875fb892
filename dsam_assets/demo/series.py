"""Weekly series that look like a market's, and the text files that hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from dsam_assets.scales import FloatArray

FIRST_WEEK = date(2022, 8, 1)  # 156 weeks from here hold three of every holiday
YEAR = 52  # weeks in a season


def stream(seed: int, *names: str) -> np.random.Generator:
    """Random numbers of one column: adding or changing a column leaves the others as they were."""
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


def rounded(values: FloatArray, decimals: int) -> FloatArray:
    """Values as they are written to a file."""
    return np.asarray(np.round(values, decimals) + 0.0)  # + 0.0 turns -0.0 into 0.0


def mondays(weeks: int) -> list[date]:
    """The first days of the weeks."""
    return [FIRST_WEEK + timedelta(weeks=week) for week in range(weeks)]


def bursts(rng: np.random.Generator, weeks: int, on: tuple[int, int], off: tuple[int, int]) -> FloatArray:
    """1 in weeks on air, 0 otherwise; lengths are uniform within `on` and `off`, ends included."""
    flags: list[float] = []
    while len(flags) < weeks:
        flags += [0.0] * int(rng.integers(*off, endpoint=True)) + [1.0] * int(rng.integers(*on, endpoint=True))
    return np.array(flags[:weeks])


def autoregression(rng: np.random.Generator, weeks: int, keep: float, sd: float) -> FloatArray:
    """A stationary series with mean 0: each week keeps the share `keep` of the last; `sd` is the series' own."""
    series = sd * rng.standard_normal(weeks)
    for week in range(1, weeks):
        series[week] = keep * series[week - 1] + math.sqrt(1 - keep**2) * series[week]
    return series


def seasons(weeks: int, harmonics: int) -> dict[str, FloatArray]:
    """Sine and cosine of the year, `sin52_1`, `cos52_1`, …, shape (weeks,) each."""
    columns: dict[str, FloatArray] = {}
    for harmonic in range(1, harmonics + 1):
        angle = 2 * np.pi * harmonic * np.arange(weeks) / YEAR
        columns |= {f"sin52_{harmonic}": np.sin(angle), f"cos52_{harmonic}": np.cos(angle)}
    return {name: rounded(values, 6) for name, values in columns.items()}


def response(spec: Mapping[str, str | float], spend: FloatArray) -> FloatArray:
    """f(spend), elementwise: spend / (spend + k) with powers n (hill), atan or log1p of spend / scale."""
    if spec["type"] == "hill":
        powered = spend ** float(spec["n"])
        return np.asarray(powered / (powered + float(spec["k"]) ** float(spec["n"])))
    curve: Callable[[FloatArray], FloatArray] = {"atan": np.arctan, "log1p": np.log1p}[str(spec["type"])]
    return curve(spend / float(spec["scale"]))


def write_text(path: Path, text: str) -> Path:
    """Write ASCII text with Unix line ends, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("ascii"))
    return path


def csv_text(frame: pd.DataFrame, decimals: Callable[[str], int]) -> str:
    """The frame as CSV; `decimals` says for each column of numbers how many it was rounded to."""
    columns = [[_cell(value, decimals(str(name))) for value in frame[name]] for name in frame.columns]
    rows = [list(map(str, frame.columns)), *map(list, zip(*columns, strict=True))]
    return "".join(",".join(row) + "\n" for row in rows)


def _cell(value: str | float, decimals: int) -> str:
    return value if isinstance(value, str) else f"{value:.{decimals}f}"


def json_text(document: Mapping[str, Any]) -> str:
    """The document as indented JSON with a line end."""
    return json.dumps(document, indent=2) + "\n"
