"""How far every coefficient moved between two fits: the table `drift_parameters`.

**Shift**: new posterior mean − previous posterior mean, in data units on the model scale.

**In previous sd**: shift / sd of the previous posterior. That is the spread that the last report gave: a reader who
believed it is surprised in these units, whatever became of the spread since.

**In combined sd**: shift / √(sd² previous + sd² new), the spread of the difference of two *independent* estimates. Two
fits share most of their rows, so a shift of one combined sd is a large one.

**Monte Carlo error**: √(mcse² previous + mcse² new), with mcse the standard error of each mean by its effective sample
size. A shift within twice that is what running the sampler again would bring (`within_mcse`).

**Sign flip**: the probability that a draw of the new posterior and an independent draw of the previous one lie on
opposite sides of zero, over all pairs of draws: with p the share of draws above zero, p_new (1 − p_prev) +
p_prev (1 − p_new). It exceeds 1/2 exactly when the two medians have opposite signs. Two draws of the *previous*
posterior already disagree with probability 2 p_prev (1 − p_prev) (`probability_sign_flip_unchanged`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.drift.samples import Key, Moments, Samples, places
from dsam_assets.scales import FloatArray

MCSE_FACTOR = 2.0


@dataclass(frozen=True, eq=False)
class Shares:
    """What data alone would have moved each parameter of the previous fit, shape (P,): see `reweighting`.

    Attributes:
        revised, rows: shifts of the two steps.
        error: standard error of the mean after both.
    """

    revised: FloatArray
    rows: FloatArray
    error: FloatArray


def sign_flip(previous: FloatArray, now: FloatArray) -> FloatArray:
    """P(opposite signs) of independent draws of two posteriors, given the share of draws above zero of each."""
    return np.asarray(now * (1 - previous) + previous * (1 - now))


def parameter_table(
    samples: tuple[Samples, Samples],
    told: tuple[Moments, Moments],
    shares: Shares | None,
    channels: Mapping[str, str],
) -> pd.DataFrame:
    """One row per parameter of either fit, those of the new one first.

    Args:
        samples, told: the previous fit's, and the new one's.
        shares: what data alone would have done; `None` when that is not known.
        channels: term → channel.
    """
    old_at, new_at = places(samples[0].keys), places(samples[1].keys)
    keys = list(dict.fromkeys([*samples[1].keys, *samples[0].keys]))
    kinds = dict(zip(samples[0].keys, samples[0].kinds, strict=True)) | dict(
        zip(samples[1].keys, samples[1].kinds, strict=True)
    )
    old, new = (_at(moments, keys, at) for moments, at in zip(told, (old_at, new_at), strict=True))
    table = pd.DataFrame(keys, columns=["grouping", "group", "parameter"])
    table["kind"] = [kinds[key] for key in keys]
    table["channel"] = [channels.get(key[2], "") for key in keys]
    table["state"] = ["both" if k in old_at and k in new_at else "added" if k in new_at else "removed" for k in keys]
    table = table.assign(mean_previous=old.mean, sd_previous=old.sd, mean=new.mean, sd=new.sd)
    table = table.assign(**_shift(old, new))
    none = np.full(len(samples[0].keys), np.nan)
    found = Shares(none, none, none) if shares is None else shares
    revised, rows, error = (
        np.array([values[old_at[key]] if key in old_at and key in new_at else np.nan for key in keys])
        for values in (found.revised, found.rows, found.error)
    )
    rest = table["shift"] - revised - rows
    return table.assign(
        shift_revised=revised, shift_rows=rows, shift_rest=rest, se_shift_rest=np.hypot(new.mcse, error)
    )


def _at(told: Moments, keys: list[Key], at: Mapping[Key, int]) -> Moments:
    """Numbers of the given parameters; NaN for those that the fit does not have."""

    def taken(values: FloatArray) -> FloatArray:
        return np.array([values[at[key]] if key in at else np.nan for key in keys], dtype=np.float64)

    return Moments(taken(told.mean), taken(told.sd), taken(told.mcse), taken(told.positive))


def _shift(old: Moments, new: Moments) -> dict[str, Any]:
    shift, mcse = new.mean - old.mean, np.hypot(old.mcse, new.mcse)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_previous, combined = shift / old.sd, shift / np.hypot(old.sd, new.sd)
    within = pd.array(np.abs(shift) <= MCSE_FACTOR * mcse, dtype="boolean")
    within[np.isnan(shift) | np.isnan(mcse)] = pd.NA
    return {
        "shift": shift,
        "shift_previous_sd": np.where(old.sd > 0, by_previous, np.nan),
        "shift_combined_sd": np.where(np.hypot(old.sd, new.sd) > 0, combined, np.nan),
        "mcse": mcse,
        "within_mcse": within,
        "probability_sign_flip": sign_flip(old.positive, new.positive),
        "probability_sign_flip_unchanged": sign_flip(old.positive, old.positive),
    }
