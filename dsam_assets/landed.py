"""What to do about files that have landed: which markets to register, to look at again, and what to compute of them.

A market is looked at when the content of one of its files is not what it was, once that file is quiet and no run of the
market is going. What is asked for is what `dsam refresh` would compute: an edit that changes nothing asks for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dsam_assets.errors import DsamError
from resources.config_files import config_files
from resources.landing import MISSING, Known, Look, Memory, Sighting, fingerprint_of, look_at, sight

if TYPE_CHECKING:
    from resources.catalogue import ConfigCatalogue
    from resources.store import Store

CONFIG = "config_file"
CAUSES_SHOWN = 3
LOOKING_SECONDS = 20.0  # a tick that takes more than a minute is cut off, and all of its work with it


@dataclass(frozen=True)
class Request:
    """A run to ask for.

    Attributes:
        market: partition key.
        n: the market's number of runs asked for, this one included.
        fingerprint: of its files.
        assets: what to compute; empty for everything.
        why: what changed.
    """

    market: str
    n: int
    fingerprint: str
    assets: tuple[str, ...]
    why: str

    @property
    def key(self) -> str:
        """Unique to this request: coming back to an earlier state of the files is a new one."""
        return f"{self.market}:{self.n}:{self.fingerprint}"


@dataclass(frozen=True)
class Landed:
    """What a tick found.

    Attributes:
        memory: for the next tick.
        added: markets to register.
        removed: markets to drop.
        requests: runs to ask for.
        observed: market → source → content version, of the markets that were looked at.
        waiting: market → what it waits for.
        refused: config file → why its name cannot be a market.
    """

    memory: Memory
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    requests: tuple[Request, ...] = ()
    observed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> dict[str, str]:
        """Market → what is wrong with it, in this tick or since an earlier one; configs that can be no market last."""
        return {name: known.problem for name, known in sorted(self.memory.markets.items()) if known.problem} | dict(
            self.refused
        )

    @property
    def story(self) -> str:
        """What keeps markets from being made again; that nothing landed if there is nothing of the kind."""
        parts = [f"{market}: {text}" for texts in (self.problems, self.waiting) for market, text in texts.items()]
        return "; ".join(parts) or f"nothing new in the files of {len(self.memory.markets)} markets"


@dataclass(frozen=True)
class Watch:
    """What a tick looks at, and what it may ask.

    Attributes:
        store: results.
        catalogue: the folder of configs.
        registered: markets that Dagster knows.
        settle: seconds for which a file must look the same before it is read.
        now: seconds since the epoch, by this machine's clock.
        busy: of some markets, those of which a run is queued or going.
        last_n: the number of the last run that was asked for of a market, as the runs themselves tell it.
    """

    store: Store
    catalogue: ConfigCatalogue
    registered: Collection[str]
    settle: float
    now: float
    busy: Callable[[Collection[str]], Collection[str]]
    last_n: Callable[[str], int]


def landed(watch: Watch, memory: Memory | None) -> Landed:
    """Look at the files of all markets.

    Args:
        watch: where to look.
        memory: what the last tick left; `None` to begin anew.
    """
    return _Tick(watch, memory or Memory()).run()


@lru_cache(maxsize=1024)
def _named_files(folder: str, roots: tuple[str, ...], market: str, look: Look) -> Mapping[str, Path | None]:
    """The files that a config names. Read again when it looks otherwise, and as long as it cannot be used."""
    from dsam_assets.config.source_files import source_files
    from resources.catalogue import ConfigCatalogue

    return source_files(ConfigCatalogue(folder=folder, data_roots=list(roots)).load(market).config)


class _Tick:
    """One look at all files."""

    def __init__(self, watch: Watch, memory: Memory) -> None:
        self.watch, self.memory = watch, memory
        self.seen: dict[str, Sighting] = {}
        self.landed: set[str] = set()  # paths whose content became known in this tick
        self.broken: dict[str, str] = {}  # market → why its config cannot be used
        self.known: dict[str, Known] = {}
        self.requests: list[Request] = []
        self.observed: dict[str, Mapping[str, str]] = {}
        self.waiting: dict[str, str] = {}

    def run(self) -> Landed:
        from resources.places import valid_markets

        folder = Path(self.watch.catalogue.folder)
        markets, refused = valid_markets(folder)
        registered = set(self.watch.registered)
        removed = [name for name in sorted(registered - set(markets)) if self._see(folder / f"{name}.yaml") == MISSING]
        contents = {market: self._contents(market) for market in markets}
        self._decide([market for market in markets if self._due(market, contents[market])], contents)
        return Landed(
            memory=Memory(self.known, self.seen),
            added=tuple(sorted(set(markets) - registered)),
            removed=tuple(removed),
            requests=tuple(self.requests),
            observed=self.observed,
            waiting=self.waiting,
            refused={Path(error.where or "").name: error.what for error in refused},
        )

    def _see(self, path: Path) -> str:
        """A file's content version; empty while it is not quiet."""
        from dsam_assets.assets.sources import source_version

        name = str(path)
        if name not in self.seen:
            before = self.memory.files.get(name)
            self.seen[name] = found = sight(path, before, self.watch.now, self.watch.settle, source_version)
            if found.content and found != before:
                self.landed.add(name)
        return self.seen[name].content

    def _contents(self, market: str) -> dict[str, str]:
        """Source → content version of a market's files; of the config alone when it cannot be used."""
        from dsam_assets.assets.sources import UNUSED

        if market in self.memory.markets:
            self.known[market] = self.memory.markets[market]
        config = config_files(Path(self.watch.catalogue.folder))[market]
        paths = self._named(market, config)  # also of a config that is not quiet yet: its files need not wait for it
        named = {name: self._see(path) if path else UNUSED for name, path in paths.items()}
        contents = {CONFIG: self._see(config), **named}
        moving = [name for name, content in contents.items() if not content]
        if moving:
            self.waiting[market] = f"waits until {' and '.join(moving)} is quiet"
        return contents

    def _named(self, market: str, config: Path) -> Mapping[str, Path | None]:
        catalogue = self.watch.catalogue
        try:
            catalogue.path(market)
            return _named_files(catalogue.folder, tuple(catalogue.data_roots), market, look_at(config))
        except DsamError as error:
            self.broken[market] = error.brief
            return {}

    def _due(self, market: str, contents: Mapping[str, str]) -> bool:
        if market in self.waiting:
            return False
        known = self.known.get(market)
        if known is None or known.fingerprint != fingerprint_of(contents):
            return True
        # Files may have been something else for a moment, and a run may have read them just then.
        return bool(self.landed) and self._was_read_otherwise(market, contents)

    def _was_read_otherwise(self, market: str, contents: Mapping[str, str]) -> bool:
        """Whether something stored was made from other contents of the files than these."""
        from dsam_assets.staleness import declared

        readers = [each.name for each in declared().values() if each.sources]
        records = [self.watch.store.record(market, name) for name in readers]
        read = [pair for record in records if record is not None for pair in record.sources.items()]
        return any(contents.get(source, version) != version for source, version in read)

    def _decide(self, due: Sequence[str], contents: Mapping[str, Mapping[str, str]]) -> None:
        busy = self.watch.busy(due) if due else ()
        until = time.monotonic() + LOOKING_SECONDS
        for market in due:
            known = self.known.setdefault(market, Known("", self.watch.last_n(market)))
            if market in busy:
                # Which version that run reads is not known, so that they are looked at once it is over.
                self.known[market] = replace(known, fingerprint="")
                self.waiting[market] = "waits for the end of its run"
            elif time.monotonic() > until:
                self.waiting[market] = "is looked at in the next tick"
            else:
                self.observed[market] = contents[market]
                self._look(market, known, fingerprint_of(contents[market]))

    def _look(self, market: str, known: Known, fingerprint: str) -> None:
        """Ask for what is stale of a market."""
        broken = self.broken.get(market)
        problem, assets, why = (broken, (), "") if broken else self._stale(market)
        n = known.n + 1 if why else known.n
        self.known[market] = Known(fingerprint, n, problem)
        if why:
            self.requests.append(Request(market, n, fingerprint, assets, why))

    def _stale(self, market: str) -> tuple[str, tuple[str, ...], str]:
        """What is wrong with a market, what a run would compute of it (nothing named means everything), and why."""
        from dsam_assets.stale_causes import NEVER
        from dsam_assets.staleness import market_state

        if market not in self.watch.store.markets():
            return "", (), NEVER
        try:
            state = market_state(self.watch.store, self.watch.catalogue, market)
        except Exception as error:  # one market's damaged store must not keep the others from being looked at
            return f"{type(error).__name__}: {error}", (), ""
        if state.condition in ("broken", "gone"):
            return state.problem, (), ""
        return "", state.stale, "; ".join(list(state.causes)[:CAUSES_SHOWN])
