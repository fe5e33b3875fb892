"""What the response curve tables hold. Curves and points share their columns, so that points lie on the curves."""

from __future__ import annotations

from collections.abc import Mapping

from dsam_assets.allocation.column_forms import (
    CHANNEL,
    EXTRAPOLATED,
    METRIC,
    METRIC_UNIT,
    RESPONSE_UNIT,
    number,
    one_of,
)
from dsam_assets.tables import Column

_PLACE = (
    number("spend", "spend", "Spend per period."),
    number("spend_currency", "money", "Spend per period in money."),
)
_CURVE = (
    *_PLACE,
    number("mean", "response", "Response above zero spend, others at reference: posterior mean."),
    number("lower", "response", "5 % quantile: lower end of the 90 % band; missing for a point.", True),
    number("lower_50", "response", "25 % quantile: lower end of the 50 % band; missing for a point.", True),
    number("p50", "response", "Posterior median."),
    number("upper_50", "response", "75 % quantile: upper end of the 50 % band; missing for a point.", True),
    number("upper", "response", "95 % quantile: upper end of the 90 % band; missing for a point.", True),
    number("marginal", "response per spend", "Mean response per further unit; missing where infinite.", True),
    number("marginal_lower", "response per spend", "The same: 5 % quantile; missing for a point.", True),
    number("marginal_upper", "response per spend", "The same: 95 % quantile; missing for a point.", True),
    RESPONSE_UNIT,
    METRIC,
    METRIC_UNIT,
    number("metric_value", "metric", "ROI or CPA of all spend from zero to here; missing when undefined.", True),
    EXTRAPOLATED,
)
_MARGINAL = (
    CHANNEL,
    one_of(
        "point", "curve: a step of the grid; reference; optimised: the recommended spend.",
        "curve", "reference", "optimised",
    ),
    *_PLACE,
    METRIC,
    METRIC_UNIT,
    number("value", "metric", "ROI or CPA of the next unit, others at reference; missing when undefined.", True),
    number("value_lower", "metric", "The same: 5 % quantile; missing for a point.", True),
    number("value_upper", "metric", "The same: 95 % quantile; missing for a point.", True),
    EXTRAPOLATED,
)  # fmt: skip

CURVE_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "budget_response_curves": (CHANNEL, *_CURVE),
    "budget_response_points": (
        CHANNEL,
        one_of("point", "reference, or optimised: the recommended spend.", "reference", "optimised"),
        *_CURVE,
    ),
    "budget_marginal_roi": _MARGINAL,
}
