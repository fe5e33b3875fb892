"""One pass over all rows: the series period by period, totals unit by unit, and what channels returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pandas as pd

from dsam_assets.decomposition.attribution import Attribution
from dsam_assets.decomposition.blocks import PartBlock, part_blocks
from dsam_assets.decomposition.channels import MediaChannel, slopes_of
from dsam_assets.decomposition.impact import ALL, Totals
from dsam_assets.decomposition.periods import Periods, Series
from dsam_assets.decomposition.returns import Returns
from dsam_assets.decomposition.term_groups import TermGroup
from dsam_assets.design.groups import Grouping
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.predictor import JointDraws
from dsam_assets.scales import FloatArray


@dataclass(frozen=True, eq=False)
class Accumulated:
    """Everything that was added up.

    Attributes:
        totals: by term and by group of terms.
        series: by period.
        returns: by channel.
        whole: fitted total under each draw, shape (S,).
    """

    totals: Totals
    series: pd.DataFrame
    returns: Returns
    whole: FloatArray


@dataclass(eq=False)
class _Sums:
    """Running sums over blocks, shapes (P, S), (P,) and (M, S); 0 before the first."""

    parts: FloatArray = field(default_factory=lambda: np.zeros(()))
    model_scale: FloatArray = field(default_factory=lambda: np.zeros(()))
    marginals: FloatArray = field(default_factory=lambda: np.zeros(()))

    def add(self, parts: FloatArray, model_scale: FloatArray, marginals: FloatArray) -> None:
        self.parts = self.parts + parts
        self.model_scale = self.model_scale + model_scale
        self.marginals = self.marginals + marginals

    def add_block(self, block: PartBlock) -> None:
        self.add(block.parts.sum(axis=0), block.model_scale, block.marginals)


def accumulate(
    joint: JointDraws,
    matrix: ModelMatrix,
    split: Attribution,
    units: Grouping,
    periods: Periods,
    groups: Mapping[str, TermGroup],
    channels: Sequence[MediaChannel],
    returns: Returns,
) -> Accumulated:
    """Add up all parts of all rows.

    Args:
        joint: draws.
        matrix: the model's rows.
        split: how a row's fitted value is divided.
        units: panel unit of each row.
        periods: period of each row.
        groups: kind of each term.
        channels: media channels.
        returns: the empty table of their returns.
    """
    series = Series(periods, units, split.parts, joint.noise_sd.size)
    totals, everything = Totals(split.parts, groups), _Sums()
    positions = [split.parts.index(channel.term) for channel in channels]
    spend, money = by_unit([c.spend for c in channels], units), by_unit([c.money for c in channels], units)
    blocks = part_blocks(joint, matrix, split, units, periods.codes, slopes_of(channels, split.terms, matrix))
    for code, of_unit in groupby(blocks, key=lambda block: block.unit):
        sums = _Sums()
        for block in of_unit:
            series.add(block)
            sums.add_block(block)
        everything.add(sums.parts, sums.model_scale, sums.marginals)
        if len(units.levels) > 1:
            totals.add(units.levels[code], sums.parts, sums.model_scale)
            returns.add(units.levels[code], sums.parts[positions], sums.marginals, spend[:, code], money[:, code])
    totals.add(ALL, everything.parts, everything.model_scale)
    returns.add(ALL, everything.parts[positions], everything.marginals, spend.sum(axis=1), money.sum(axis=1))
    return Accumulated(totals, series.table(), returns, everything.parts.sum(axis=0))


def by_unit(amounts: Sequence[FloatArray | None], units: Grouping) -> FloatArray:
    """Sums of M columns by panel unit, shape (M, U); NaN for a column that is missing."""
    out = np.full((len(amounts), len(units.levels)), np.nan)
    for position, amount in enumerate(amounts):
        if amount is not None:
            out[position] = np.bincount(units.codes, weights=amount, minlength=len(units.levels))
    return out
