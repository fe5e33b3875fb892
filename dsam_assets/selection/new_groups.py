"""Draws that predict held-out rows, groups that the fit has never seen included.

A group without training rows has no data of its own, so its deviations are those of a group drawn at random from the
population: normal(0, τ), anew for each posterior draw of τ, which makes its predictions exact. Where the design is
centred τ is the spread of the groups' levels at the predictors' means, as everywhere else (see `design.hierarchical`),
and the intercept is moved to zero predictors as the other groups' are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictor import JointDraws, joint_draws
from dsam_assets.scales import FloatArray


def holdout_draws(draws: Draws, design: ModelDesign, holdout: ModelMatrix, *, seed: Sequence[int]) -> JointDraws:
    """The draws of a fit on training rows, laid out for the rows of `holdout`.

    Args:
        draws: draws of `design`, group deviations included.
        design: the design of the training rows.
        holdout: rows with the same columns, whose group levels begin with the design's.
        seed: of the new groups' deviations.
    """
    joint = joint_draws(draws)
    if not isinstance(design, HierarchicalDesign):
        return joint
    new = _new_deviations(draws, design, holdout.groups, np.random.default_rng(seed))
    return replace(
        joint,
        deviations=tuple(np.concatenate([known, added]) for known, added in zip(joint.deviations, new, strict=True)),
    )


def _new_deviations(
    draws: Draws, design: HierarchicalDesign, later: Sequence[GroupTerm], rng: np.random.Generator
) -> list[FloatArray]:
    """Deviations of each group term's new groups in data units, shape (new groups, J, S) each."""
    found = []
    for group, now in zip(design.groups, later, strict=True):
        sd = np.stack([draws.group_sd[name].reshape(-1) for name in group.sd_names])
        found.append(sd * rng.normal(size=(len(now.levels) - len(group.levels), *sd.shape)))
    moved = [values.copy() for values in found]
    for position, scaling in enumerate(design.group_scalings):
        if scaling.intercept_term is None or not len(found[position]):
            continue
        host = scaling.intercept_term
        shift = np.einsum("gjs,j->gs", found[position], scaling.center)
        place = _same_new_groups(later[position], later[host], len(design.groups[position].levels))
        moved[host][place, design.groups[host].terms.index(INTERCEPT)] -= shift
    return moved


def _same_new_groups(group: GroupTerm, host: GroupTerm, known: int) -> NDArray[np.intp]:
    """Which of `host`'s new groups each new group is; the same groups, maybe in another order."""
    place = np.zeros(len(group.levels), dtype=np.intp)
    place[group.codes] = host.codes
    return np.asarray(place[known:] - known, dtype=np.intp)
