"""Priors and boundaries as an analyst writes them: `normal(0, 10)`, `"m_tv ~ normal(0, 10)"`, `"m_tv > 0"`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from dsam_assets.errors import ConfigError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?[Ii]nf(?:inity)?"
_PRIOR = re.compile(rf"\s*(.+?)\s*~\s*(normal|lognormal_ms)\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*")
_ONE_SIDED = re.compile(rf"\s*(.+?)\s*(<=?|>=?)\s*({_NUMBER})\s*")
_REVERSED = re.compile(rf"\s*({_NUMBER})\s*(<=?|>=?)\s*(.+?)\s*")
_TWO_SIDED = re.compile(rf"\s*({_NUMBER})\s*<=?\s*(.+?)\s*<=?\s*({_NUMBER})\s*")


@dataclass(frozen=True)
class Distribution:
    """A prior without its parameter. `mean` and `sd` are in data units; for `lognormal_ms` those of the variable."""

    family: Literal["normal", "lognormal_ms"]
    mean: float
    sd: float


@dataclass(frozen=True)
class Bounds:
    """A boundary without its parameter, in data units."""

    lower: float = -math.inf
    upper: float = math.inf


def normal(mean: float, sd: float) -> Distribution:
    """Normal prior with the given mean and standard deviation, in data units."""
    return Distribution("normal", float(mean), float(sd))


def lognormal_ms(mean: float, sd: float) -> Distribution:
    """Lognormal prior with the given mean and standard deviation *of the variable*; for noise_sd and sd_*."""
    return Distribution("lognormal_ms", float(mean), float(sd))


def prior_rows(
    texts: Iterable[str | Mapping[str, Distribution]], named: Mapping[str, Distribution]
) -> list[dict[str, object]]:
    """Rows of `priors.overrides`.

    Args:
        texts: `"m_tv ~ normal(0, 10)"`, or mappings of parameter to distribution for names that are no keyword.
        named: parameter → distribution.

    Raises:
        ConfigError: a text is not a prior, or a value is not a distribution.
    """
    found: dict[str, Distribution] = {}
    for item in (*texts, named):
        found |= dict(_priors(item))
    return [{"parameter": name, **_distribution(name, each)} for name, each in found.items()]


def _priors(item: str | Mapping[str, Distribution]) -> Iterable[tuple[str, Distribution]]:
    if not isinstance(item, str):
        return item.items()
    match = _PRIOR.fullmatch(item)
    if match is None:
        raise ConfigError(
            "This is not a prior.",
            where="set_prior",
            got=item,
            wanted='a text such as "m_tv ~ normal(0, 10)" or "noise_sd ~ lognormal_ms(1, 0.5)"',
        )
    name, family, mean, sd = match.groups()
    make = normal if family == "normal" else lognormal_ms
    return [(name, make(float(mean), float(sd)))]


def _distribution(name: str, distribution: object) -> dict[str, object]:
    if not isinstance(distribution, Distribution):
        raise ConfigError(
            "This is not a prior.",
            where=f"set_prior, {name}",
            got=repr(distribution),
            wanted="normal(mean, sd) or lognormal_ms(mean, sd)",
        )
    return {"family": distribution.family, "mean": distribution.mean, "sd": distribution.sd}


type Limits = Bounds | tuple[float, float]


def boundary_rows(texts: Iterable[str | Mapping[str, Limits]], named: Mapping[str, Limits]) -> list[dict[str, object]]:
    """Rows of `boundaries.overrides`; the two sides of one parameter may come one by one.

    Args:
        texts: `"m_tv > 0"`, `"m_tv <= 5"`, `"0 < m_tv < 5"`, or mappings of parameter to (lower, upper).
        named: parameter → (lower, upper) or `Bounds`.

    Raises:
        ConfigError: a text is not a boundary, or a value is not a pair.
    """
    found: dict[str, Bounds] = {}
    for item in (*texts, named):
        for name, bounds in _boundaries(item):
            known = found.get(name, Bounds())
            lower = known.lower if bounds.lower == -math.inf else bounds.lower
            found[name] = Bounds(lower, known.upper if bounds.upper == math.inf else bounds.upper)
    return [{"parameter": name, "lower": each.lower, "upper": each.upper} for name, each in found.items()]


def _boundaries(item: str | Mapping[str, Limits]) -> list[tuple[str, Bounds]]:
    if not isinstance(item, str):
        return [(name, _bounds(name, limits)) for name, limits in item.items()]
    if match := _TWO_SIDED.fullmatch(item):
        lower, name, upper = match.groups()
        return [(name, Bounds(float(lower), float(upper)))]
    if match := _ONE_SIDED.fullmatch(item):
        name, sign, limit = match.groups()
        return [(name, Bounds(lower=float(limit)) if sign[0] == ">" else Bounds(upper=float(limit)))]
    if match := _REVERSED.fullmatch(item):
        limit, sign, name = match.groups()
        return [(name, Bounds(lower=float(limit)) if sign[0] == "<" else Bounds(upper=float(limit)))]
    raise ConfigError(
        "This is not a boundary.",
        where="set_boundary",
        got=item,
        wanted='a text such as "m_tv > 0", "price < 0" or "0 < m_tv < 5"',
    )


def _bounds(name: str, limits: object) -> Bounds:
    if isinstance(limits, Bounds):
        return limits
    if isinstance(limits, tuple) and len(limits) == 2 and all(isinstance(each, int | float) for each in limits):
        return Bounds(float(limits[0]), float(limits[1]))
    raise ConfigError(
        "This is not a boundary.", where=f"set_boundary, {name}", got=repr(limits), wanted="a pair (lower, upper)"
    )
