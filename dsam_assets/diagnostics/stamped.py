"""Tables of a decision, stamped with the state of the evidence under them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dsam_assets.verdict import Overall, Reliability

CAVEAT = "Passing checks show that the computation is sound under the model; they do not show causality."


@dataclass(frozen=True)
class StampedTables:
    """Tables by name with their reliability; without tables when the config does not ask for them."""

    tables: Mapping[str, pd.DataFrame]
    reliability: Reliability
    overall: Overall
    reasons: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The tables and their stamp as one JSON document."""
        return {
            "enabled": bool(self.tables),
            "reliability": self.reliability,
            "diagnostics_overall": self.overall,
            "reasons": list(self.reasons),
            "caveat": CAVEAT,
            **{name: _records(frame) for name, frame in self.tables.items()},
        }

    def facts(self) -> dict[str, Any]:
        """The stamp for the asset's metadata."""
        return {"enabled": bool(self.tables), "reliability": self.reliability, "overall": self.overall}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON objects with every digit; missing values are null, an infinite bound is the text `inf`."""
    known = frame.astype(object).where(frame.notna(), None)
    return [{str(key): _json_number(value) for key, value in row.items()} for row in known.to_dict("records")]


def _json_number(value: Any) -> Any:
    return str(value) if isinstance(value, float) and math.isinf(value) else value
