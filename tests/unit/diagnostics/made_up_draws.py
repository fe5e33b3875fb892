"""Made-up posteriors whose defects are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dsam_assets.fit.draws import Draws

TERMS = ("(Intercept)", "m_tv")


def healthy_draws(chains: int = 4, size: int = 1000, seed: int = 1) -> Draws:
    """Independent normal draws: R-hat 1, ESS near the number of draws, no sampler trouble."""
    rng = np.random.default_rng(seed)
    shape = (chains, size)
    sampler = {
        "energy": rng.normal(size=shape),
        "diverging": np.zeros(shape, dtype=bool),
        "tree_depth": np.full(shape, 3.0),
        "step_size": np.full(shape, 0.5),
    }
    return Draws(
        terms=TERMS,
        coef=rng.normal(size=(*shape, len(TERMS))),
        noise_sd=1 + 0.1 * rng.normal(size=shape),
        sampler=sampler,
        max_treedepth=10,
        attributes={},
    )


def point_estimate(converged: int | None = 1, **facts: int) -> Draws:
    """One point, as an optimiser leaves it; `converged` None leaves out how it ended."""
    known = {} if converged is None else {"converged": converged}
    return Draws(TERMS, np.ones((1, 1, len(TERMS))), np.ones((1, 1)), {}, 0, {"method": "optimise", **known, **facts})


def with_coef(draws: Draws, term: int, chain: int | slice, value: float) -> Draws:
    """The draws with one coefficient overwritten in one chain (or in several)."""
    coef = draws.coef.copy()
    coef[chain, :, term] = value
    return replace(draws, coef=coef)


def with_sampler(draws: Draws, name: str, chain: int, draw: slice, value: float) -> Draws:
    """The draws with some values of one sampler statistic overwritten."""
    values = draws.sampler[name].copy()
    values[chain, draw] = value
    return replace(draws, sampler={**draws.sampler, name: values})
