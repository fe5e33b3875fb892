"""What kind of driver each term is: baseline, trend, seasonality, holidays, controls or media.

A term belongs to the first of these that holds:

1. the intercept, an offset and group means of correlated random effects are *baseline*: they set a unit's level;
2. *media*: a channel of the allocation, a media term of the identifiability check, a variable of the pooling map, or a
   term that uses a column `m_…` (the specification's name for media) or a channel's spend column. So an interaction
   with media is media: without media it is nothing;
3. *holidays*: generated features, and names `holiday_…` or `h_…`; *seasonality*: `sin52_1`, `cos52_1`, `season…`;
   *trend*: `t`, `t_scaled`, `trend…`;
4. *baseline*: what the config calls a baseline term, by name or by pattern, and none of the above;
5. everything else is *controls*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from dsam_assets.design.scaling import INTERCEPT

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix

TermGroup = Literal["baseline", "trend", "seasonality", "holidays", "controls", "media"]

# In the order of a waterfall: from what is always there to what was bought.
TERM_GROUPS: tuple[TermGroup, ...] = ("baseline", "trend", "seasonality", "holidays", "controls", "media")
OFFSET = "offset()"

PATTERNS: Mapping[TermGroup, re.Pattern[str]] = {
    "holidays": re.compile(r"^(holiday|h_)"),
    "seasonality": re.compile(r"^(sin|cos)[0-9(]|^season"),
    "trend": re.compile(r"^t(_|$)|^trend"),
}
_MEDIA_COLUMN = re.compile(r"^m_")
_COLUMNS = re.compile(r"`([^`]+)`|([^\W\d][\w.]*)")  # names in R's text of a term


class IdentifiabilityLike(Protocol):
    """What is read of the config's section `diagnostics.identifiability`."""

    @property
    def media_terms(self) -> Sequence[str]: ...
    @property
    def baseline_terms(self) -> Sequence[str]: ...
    @property
    def baseline_regex(self) -> Sequence[str]: ...


class ChannelLike(Protocol):
    """What is read of a channel of the config's section `allocation`."""

    @property
    def term(self) -> str: ...
    @property
    def spend_col(self) -> str: ...


def term_groups(
    matrix: ModelMatrix,
    channels: Sequence[ChannelLike] = (),
    identifiability: IdentifiabilityLike | None = None,
    generated: Iterable[str] = (),
) -> dict[str, TermGroup]:
    """The kind of each term: of the population's, of those that only vary by group, and of an offset.

    Args:
        matrix: the model's rows.
        channels: channels of the config's section `allocation`, whether or not it is enabled.
        identifiability: the config's `diagnostics.identifiability`.
        generated: generated holiday terms, as `design.additions.generated_terms` lists them.
    """
    media = {channel.term for channel in channels}
    media |= set(() if identifiability is None else identifiability.media_terms)
    media |= set(() if matrix.pooling is None else matrix.pooling.variables)
    columns, holidays = media | {channel.spend_col for channel in channels}, frozenset(generated)
    kinds: dict[str, TermGroup] = {}
    for term in (*all_terms(matrix), OFFSET):
        if term in (INTERCEPT, OFFSET, *matrix.group_means):
            kinds[term] = "baseline"
        elif term in media or _uses_media(term, columns):
            kinds[term] = "media"
        else:
            kinds[term] = "holidays" if term in holidays else _by_name(term, identifiability)
    return kinds


def all_terms(matrix: ModelMatrix) -> tuple[str, ...]:
    """The population's terms, then those that only vary by group."""
    return tuple(dict.fromkeys([*matrix.terms, *(term for group in matrix.groups for term in group.terms)]))


def baseline_terms(groups: Mapping[str, TermGroup], matrix: ModelMatrix) -> tuple[str, ...]:
    """Terms that media should be told apart from: trend, season, holidays, and what the config calls baseline."""
    level = {INTERCEPT, OFFSET, *matrix.group_means}
    wanted = ("baseline", "trend", "seasonality", "holidays")
    return tuple(term for term, group in groups.items() if group in wanted and term not in level)


def _uses_media(term: str, columns: set[str]) -> bool:
    names = [quoted or plain for quoted, plain in _COLUMNS.findall(term)]
    return any(name in columns or _MEDIA_COLUMN.match(name) for name in names)


def _by_name(term: str, identifiability: IdentifiabilityLike | None) -> TermGroup:
    for group, pattern in PATTERNS.items():
        if pattern.search(term):
            return group
    if identifiability is None:
        return "controls"
    named = term in identifiability.baseline_terms
    return "baseline" if named or any(re.search(p, term) for p in identifiability.baseline_regex) else "controls"
