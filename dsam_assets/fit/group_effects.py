"""Group deviations: exact draws given the population, and what follows from them.

Given coefficients b, group standard deviations τ and residual sd σ, the deviations of a block are normal. With the
statistics of `design.blocks` (F, y₁ and X₁), T = diag(τ²) and S = I + T½ F'F T½ / σ²,

    u = T½ v,   v ~ normal(S⁻¹ T½ F'(y₁ − X₁ b) / σ², S⁻¹),

which stays sound where a τ is zero. One draw of u per posterior draw of (b, τ, σ) is a draw of the joint posterior.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.blocks import Block
from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.scaling import INTERCEPT, Scaling
from dsam_assets.errors import DesignError
from dsam_assets.fit.draws import Draws, GroupDeviations
from dsam_assets.scales import FloatArray

BLOCK_CELLS = 8_000_000


def with_group_effects(draws: Draws, design: HierarchicalDesign, *, seed: int) -> Draws:
    """The draws with the deviations of every group, one draw per posterior draw.

    Deviations come from their exact conditional distribution; those of a point estimate are its conditional means.
    Memory is that of the result, S · Σ G·J numbers; thin the draws first where that is too much. The result does not
    depend on how the work is cut up.
    """
    coef = coefficients_on_stan_scale(design.scaling, draws.coef_flat)
    group_sd = np.stack([draws.group_sd[name].reshape(-1) for name in design.sd_names], axis=-1) * design.sd_factor
    noise_sd = draws.noise_flat / design.scaling.y_spread
    first_sd = np.cumsum([0, *(len(group.terms) for group in design.groups)])
    scaled = [np.zeros((len(coef), len(group.levels), len(group.terms))) for group in design.groups]
    for number, block in enumerate(design.statistics.blocks):
        place = block.deviations
        tau = group_sd[:, first_sd[place.term] + place.effect]
        rng = np.random.default_rng([seed, number])
        normals = np.zeros(tau.shape) if draws.is_point else rng.normal(size=tau.shape)
        u = conditional_draws(block, coef, tau, noise_sd, normals)
        for position, target in enumerate(scaled):
            mine = place.term == position
            target[:, place.level[mine], place.effect[mine]] = u[:, mine]
    shape = draws.noise_sd.shape
    deviations = [
        GroupDeviations(group.key, group.levels, group.terms, values.reshape(*shape, *values.shape[1:]))
        for group, values in zip(design.groups, _to_data_units(scaled, design), strict=True)
    ]
    return replace(draws, deviations=tuple(deviations))


def coefficients_on_stan_scale(scaling: Scaling, coef: FloatArray) -> FloatArray:
    """The inverse of `Scaling.coefficients_to_data_units`, shape (…, K)."""
    shifted = coef.copy()
    if scaling.centred:
        shifted[..., scaling.terms.index(INTERCEPT)] += coef @ scaling.x_center - scaling.y_center
    return shifted * scaling.coefficient_factor()


def conditional_draws(
    block: Block, coef: FloatArray, tau: FloatArray, noise_sd: FloatArray, normals: FloatArray
) -> FloatArray:
    """Deviations of one block given everything else, on Stan's scale.

    Args:
        block: statistics of the block, with q deviations.
        coef: population coefficients, shape (S, K).
        tau: standard deviation of each deviation, shape (S, q).
        noise_sd: residual standard deviations, shape (S,).
        normals: standard normal draws, shape (S, q); zeros give the conditional means.

    Returns:
        Deviations, shape (S, q).
    """
    q = tau.shape[1]
    cross, left = block.F.T @ block.F, (block.y - coef @ block.X.T) @ block.F
    result = np.empty_like(tau)
    step = max(1, BLOCK_CELLS // q**2)
    for start in range(0, len(tau), step):
        part = slice(start, start + step)
        ratio = tau[part] / noise_sd[part, None]
        S = ratio[:, :, None] * cross * ratio[:, None, :]
        S[:, np.arange(q), np.arange(q)] += 1.0
        L = np.linalg.cholesky(S)
        target = (ratio * left[part] / noise_sd[part, None])[..., None]
        half = np.linalg.solve(L, target) + normals[part, :, None]
        result[part] = tau[part] * np.linalg.solve(L.transpose(0, 2, 1), half)[..., 0]
    return result


def _to_data_units(scaled: list[FloatArray], design: HierarchicalDesign) -> list[FloatArray]:
    """Undo the scaling; what centring moved into an intercept is moved back to zero predictors."""
    original = [values / scaling.sd_factor for values, scaling in zip(scaled, design.group_scalings, strict=True)]
    for position, (group, scaling) in enumerate(zip(design.groups, design.group_scalings, strict=True)):
        if scaling.intercept_term is not None:
            host = design.groups[scaling.intercept_term]
            moved = original[position] @ scaling.center  # an intercept's own center is zero
            original[scaling.intercept_term][:, _same_levels(group, host), host.terms.index(INTERCEPT)] -= moved
    return original


def _same_levels(group: GroupTerm, host: GroupTerm) -> NDArray[np.intp]:
    """Position in `host`'s levels of each of `group`'s, which are the same groups, maybe written `brand:market`."""
    place = np.empty(len(group.levels), dtype=np.intp)
    place[group.codes] = host.codes
    return place


def group_coefficients(
    draws: Draws, matrix: ModelMatrix, key: str
) -> tuple[tuple[str, ...], tuple[str, ...], FloatArray]:
    """Coefficients of each group of one grouping factor: population plus deviations.

    Deviations of factors in which this one is nested are included (`market` for `market:brand`); those of factors that
    cross it average out and are not.

    Args:
        draws: draws with deviations.
        matrix: the model, whose group terms say which group lies in which.
        key: the factor, as in `GroupTerm.key`.

    Returns:
        Groups (length G), terms (population terms, then terms that only vary) and draws, shape (chain, draw, G, terms).

    Raises:
        DesignError: no group term has this key.
    """
    own = next((group for group in matrix.groups if group.key == key), None)
    if own is None:
        known = ", ".join(dict.fromkeys(group.key for group in matrix.groups))
        raise DesignError("No group term has this key.", got=key, wanted=f"one of {known}")
    terms = draws.all_terms
    values = np.zeros((*draws.noise_sd.shape, len(own.levels), len(terms)))
    values[..., : len(draws.terms)] = draws.coef[:, :, None, :]
    used = set(draws.terms)
    for group, deviations in zip(matrix.groups, draws.deviations, strict=True):
        parent = _parents(own, group)
        if parent is not None:
            used.update(group.terms)
            values[..., [terms.index(term) for term in group.terms]] += deviations.values[:, :, parent]
    kept = [position for position, term in enumerate(terms) if term in used]
    return own.levels, tuple(terms[position] for position in kept), values[..., kept]


def _parents(own: GroupTerm, other: GroupTerm) -> NDArray[np.intp] | None:
    """For each level of `own`, the level of `other` that holds it; None where some level lies in several."""
    parent = np.empty(len(own.levels), dtype=np.intp)
    parent[own.codes] = other.codes
    return parent if np.array_equal(parent[own.codes], other.codes) else None
