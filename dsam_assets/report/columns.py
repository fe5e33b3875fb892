"""Columns that several tables share, and short forms of the usual kinds."""

from __future__ import annotations

from dsam_assets.tables import Column

ROW = Column("row", "integer", "position", "0-based position in the data file", at_least=0)
DATE = Column("date", "date", "date", "date of the row", required=False)
GROUP = Column("group", "text", "text", "panel unit of the row", required=False)
TERM = Column("term", "text", "name", "design column, by R's name")
PARAMETER = Column("parameter", "text", "name", "coefficient by R's name, noise_sd, group sd or pooled label")
MODEL = "response on the model scale"
STATUS = ("pass", "warn", "fail", "skipped", "not_computed")


def number(name: str, unit: str, description: str, **rules: object) -> Column:
    return Column(name, "number", unit, description, **rules)  # type: ignore[arg-type]


def text(name: str, description: str, **rules: object) -> Column:
    return Column(name, "text", "text", description, **rules)  # type: ignore[arg-type]


def count(name: str, description: str, **rules: object) -> Column:
    return Column(name, "integer", "count", description, at_least=0, **rules)  # type: ignore[arg-type]


def quantile_columns(unit: str, *names: tuple[str, str]) -> tuple[Column, ...]:
    """Quantiles over draws. Of a point only the middle is known, which is the point."""
    return tuple(
        number(name, unit, f"{share} quantile over draws" + ("" if name == "q50" else "; missing for a point"),
               nullable=name != "q50")
        for name, share in names
    )  # fmt: skip


FITTED_COLUMNS = (
    ROW,
    DATE,
    GROUP,
    number("fitted", "response", "mean over draws"),
    number("sd", "response", "standard deviation over draws; missing for a point", nullable=True, at_least=0),
    *quantile_columns("response", ("q05", "5 %"), ("q50", "50 %"), ("q95", "95 %")),
    text("conversion_method", "how draws reached this scale"),
)
PREDICTIVE_COLUMNS = (
    ROW,
    DATE,
    GROUP,
    number("observed", "KPI", "observed KPI"),
    *quantile_columns(
        "KPI",
        ("q025", "2.5 %"), ("q05", "5 %"), ("q25", "25 %"), ("q50", "50 %"), ("q75", "75 %"), ("q95", "95 %"),
        ("q975", "97.5 %"),
    ),
)  # fmt: skip
OBSERVED_COLUMNS = (
    ROW,
    DATE,
    GROUP,
    number("observed", "response", "observed response"),
    text("conversion_method", "how values reached this scale"),
)

SUMMARY_COLUMNS = (
    number("mean", "data units, model scale", "posterior mean"),
    number("sd", "data units, model scale", "posterior sd; missing for a point", nullable=True, at_least=0),
    *quantile_columns(
        "data units, model scale",
        ("q025", "2.5 %"), ("q05", "5 %"), ("q50", "50 %"), ("q95", "95 %"), ("q975", "97.5 %"),
    ),
    number(
        "share_positive", "share", "share of draws above zero; missing for a point",
        nullable=True, at_least=0, at_most=1,
    ),
)  # fmt: skip

MODE_COLUMNS = (
    number("estimate", "data units, model scale", "mode of the posterior", nullable=True),
    number("sd", "data units, model scale", "approximate sd from the curvature", nullable=True, at_least=0),
    Column("at_bound", "text", "text", "bound that it lies on", one_of=("none", "lower", "upper")),
    text("note", "why there is no sd; may be empty"),
)
