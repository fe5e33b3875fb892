"""The media channels of a model: what was spent on them, and how their columns answer to spend.

Channels are those of the config's section `allocation`, whether or not it is enabled, and every other media term, with
the spend column that its name suggests (`m_tv`: `spend_tv`, `tv_spend` or `m_tv_spend`) where the data have it.

**Marginal return.** The next unit of money is spent as the last ones were: all weeks' spend grows in proportion. With x
the term's column and ε(s) = s f'(s) / f(s) the elasticity of the response f at the week's spend s, the column grows by
x ε per 100 % of spend, so a channel returns Σ coefficient · x · ε / Σ money per further unit of money, and under a log
response Σ coefficient · x · ε · (fitted KPI) / Σ money. For a concave f this is below the average return. It holds
exactly where the column is f(spend), or proportional to it; whether it is, is checked and said in `assumption`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from dsam_assets.decomposition.blocks import Slopes, columns_at
from dsam_assets.decomposition.term_groups import OFFSET, TermGroup
from dsam_assets.design.response import Response, response_from
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix

# A column within this share of its largest value of k·f(spend) is k·f(spend); files round to six digits.
SAME_COLUMN = 1e-4

NO_SPEND = "no spend column: contribution only"
BAD_SPEND = "{column} is not a number ≥ 0 in every modelled row: contribution only"
AS_MODELLED = "the column is {response} of {column}"
OTHER_COLUMN = "the column is not {response} of {column} week by week; the marginal return takes its elasticity"
PROPORTIONAL = "no response is given and the column is not proportional to {column}; the marginal return takes it to be"


class ChannelLike(Protocol):
    """A channel of the config's section `allocation`."""

    @property
    def name(self) -> str: ...
    @property
    def term(self) -> str: ...
    @property
    def spend_col(self) -> str: ...
    @property
    def currency_col(self) -> str | None: ...
    @property
    def response(self) -> Any: ...


@dataclass(frozen=True, eq=False)
class MediaChannel:
    """One channel over the modelled rows.

    Attributes:
        name, term: label, and the model's term.
        spend: in units of the spend column, shape (N,); `None` without one.
        money: spend in money, shape (N,); `None` without a spend column.
        response: how spend turns into the column.
        assumption: what the spend and the marginal return rest on.
    """

    name: str
    term: str
    spend: FloatArray | None
    money: FloatArray | None
    response: Response
    assumption: str


def media_channels(
    channels: Sequence[ChannelLike],
    currency_scale: float | None,
    groups: Mapping[str, TermGroup],
    matrix: ModelMatrix,
    frame: pd.DataFrame,
) -> tuple[MediaChannel, ...]:
    """The channels that the config lists and the model has, then its other media terms.

    Args:
        channels: of the config's section `allocation`.
        currency_scale: `allocation.currency_scale`.
        groups: as `term_groups` makes them.
        matrix: the model's rows.
        frame: the data file.
    """
    terms = [term for term in groups if term != OFFSET]
    listed = [channel for channel in channels if channel.term in terms]
    others = [t for t, g in groups.items() if g == "media" and t not in {channel.term for channel in listed}]
    rows, scale = frame.iloc[matrix.rows], 1.0 if currency_scale is None else float(currency_scale)
    found = [
        _channel(c.name, c.term, c.spend_col, c.currency_col, response_from(c.response), scale, matrix, rows)
        for c in listed
    ]
    for term in others:
        column = next((name for name in _suggested(term) if name in rows.columns), "")
        found.append(_channel(term, term, column, None, Response(), scale, matrix, rows))
    return tuple(found)


def _suggested(term: str) -> tuple[str, ...]:
    bare = re.sub(r"^m_", "", term)
    return f"spend_{bare}", f"{bare}_spend", f"{term}_spend"


def _channel(
    name: str,
    term: str,
    column: str,
    currency: str | None,
    response: Response,
    scale: float,
    matrix: ModelMatrix,
    rows: pd.DataFrame,
) -> MediaChannel:
    if column not in rows.columns:
        return MediaChannel(name, term, None, None, response, NO_SPEND)
    spend = _numbers(rows, column)
    money = spend if currency is None else _numbers(rows, currency)
    if spend is None or money is None:
        bad = column if spend is None else str(currency)
        return MediaChannel(name, term, None, None, response, BAD_SPEND.format(column=bad))
    said = _assumption(term, column, spend, response, matrix)
    return MediaChannel(name, term, spend, scale * money, response, said)


def _numbers(rows: pd.DataFrame, column: str) -> FloatArray | None:
    """A column as numbers ≥ 0; `None` when it is anything else."""
    if column not in rows.columns or not pd.api.types.is_numeric_dtype(rows[column]):
        return None
    values = rows[column].to_numpy(dtype=np.float64, na_value=np.nan)
    return values if np.isfinite(values).all() and (values >= 0).all() else None


def _assumption(term: str, column: str, spend: FloatArray, response: Response, matrix: ModelMatrix) -> str:
    x, f = columns_at(matrix, (term,), np.arange(len(spend)))[:, 0], response.value(spend)
    size = float(f @ f)
    apart = np.abs(x - (float(x @ f) / size if size > 0 else 0.0) * f).max()
    if apart <= SAME_COLUMN * np.abs(x).max():
        return AS_MODELLED.format(response=response, column=column)
    text = PROPORTIONAL if response.kind == "identity" else OTHER_COLUMN
    return text.format(response=response, column=column)


def slopes_of(channels: Sequence[MediaChannel], terms: Sequence[str], matrix: ModelMatrix) -> Slopes:
    """x · ε(spend) of each channel, shape (N, M); zeros without a spend column."""
    rows = np.arange(len(matrix.response))
    columns = np.zeros((len(rows), len(channels)))
    for position, channel in enumerate(channels):
        if channel.spend is not None:
            x = columns_at(matrix, (channel.term,), rows)[:, 0]
            columns[:, position] = x * channel.response.elasticity(channel.spend)
    return Slopes(columns, [list(terms).index(channel.term) for channel in channels])
