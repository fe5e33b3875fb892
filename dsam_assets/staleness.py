"""What a run of a market would compute again, since when, and why; nothing is materialised.

The graph is walked from the sources down with the rules of a run: an asset is current when its stored record names the
code, the inputs and the files that are there now. Config, data and design are cheap, so where these are stale they are
made again in memory. That tells an edit that reaches the model from one that does not, exactly as a run would find out.
What comes after Stan is not made: below a stale posterior everything may change, and counts as stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from dsam_assets.errors import DsamError
from dsam_assets.stale_causes import (
    CONFIG_CHANGED,
    NEVER,
    Cause,
    Causes,
    changed_at,
    code_causes,
    config_cause,
    ended_on,
    merge,
    source_cause,
)
from resources.clock import utc_today
from resources.codecs import CODECS
from resources.config_files import config_files
from resources.dry_store import DryStore
from resources.store import Problem, Record, Store

if TYPE_CHECKING:
    from dsam_assets.assets.declaration import Declaration
    from resources.catalogue import ConfigCatalogue

type Condition = Literal["current", "stale", "waiting", "halted", "broken"]
type MarketCondition = Literal["current", "stale", "halted", "never_run", "broken", "gone"]
SNAPSHOT = "run_bundle"
VERDICT = "diagnostics_report"


@dataclass(frozen=True)
class AssetState:
    """What a run would do with one asset.

    Attributes:
        asset: its name.
        condition: `current`: reused; `stale`: computed again; `waiting`: computed again unless what it waits for comes
            out as before; `halted`: a gate refuses it; `broken`: it cannot be made.
        causes: why, by what changed.
        made: when the stored one was computed, ISO 8601; empty without one.
        known: whether the content that a run would give is known: stored, or made in memory.
        same: whether that content is the stored one.
        problem: why it cannot be made.
    """

    asset: str
    condition: Condition
    causes: Mapping[str, Cause] = field(default_factory=dict)
    made: str = ""
    known: bool = True
    same: bool = True
    problem: str = ""


@dataclass(frozen=True)
class MarketState:
    """What a run of one market would do.

    Attributes:
        market: partition key.
        condition: `current`, `stale`, `halted` (nothing to compute, and a gate holds back decisions), `never_run`,
            `broken` (config or data cannot be used) or `gone` (no config).
        assets: every asset, upstream first; empty when the config is gone.
        problem: what is wrong, on one line; empty when nothing is.
        failures: attempts that failed and were not made good since, latest first.
    """

    market: str
    condition: MarketCondition
    assets: tuple[AssetState, ...] = ()
    problem: str = ""
    failures: tuple[Problem, ...] = ()

    @property
    def stale(self) -> tuple[str, ...]:
        """Assets that a run computes, or may compute, upstream first."""
        return tuple(state.asset for state in self.assets if state.condition in ("stale", "waiting"))

    @property
    def causes(self) -> dict[str, list[AssetState]]:
        """What changed → the assets that it makes stale; files and configs before code."""
        found: dict[str, list[AssetState]] = {}
        for state in self.assets:
            for what in state.causes if state.condition in ("stale", "waiting") else ():
                found.setdefault(what, []).append(state)
        return dict(sorted(found.items(), key=lambda item: (item[0] == NEVER, item[0].startswith("code"))))

    @property
    def since(self) -> str:
        """When the first known change was, ISO 8601; empty when none is known."""
        times = [cause.since for state in self.assets for cause in state.causes.values() if cause.since]
        return min(times, default="")


def market_states(store: Store, catalogue: ConfigCatalogue, markets: Iterable[str]) -> list[MarketState]:
    """The state of each market. A market that is broken is a row that says so."""
    return [market_state(store, catalogue, market) for market in markets]


def market_state(store: Store, catalogue: ConfigCatalogue, market: str) -> MarketState:
    """Walk the graph of one market."""
    if market not in config_files(Path(catalogue.folder)):
        return MarketState(market, "gone", problem=f"there is no config for market {market} in {catalogue.named}")
    walk = _Walk(store, catalogue, market)
    states = tuple(walk.visit(declaration) for declaration in _in_order())
    condition = _condition(states)
    problem = next((state.problem for state in states if state.condition == "broken"), "")
    if condition == "halted":
        problem = _halted_by(store.record(market, VERDICT))
    left = {state.asset for state in states if state.condition != "current"} | {"inputs"}
    failures = tuple(failure for failure in store.problems(market) if failure.asset in left)
    return MarketState(market, condition, states, problem, failures)


def _day_causes(declaration: Declaration, record: Record | None) -> Iterable[Cause]:
    """The verdict's source is the day: it changes by itself when a waiver ends."""
    if declaration.name == VERDICT and record is not None and (last := ended_on(record.metadata["shown"], utc_today())):
        since = datetime.combine(last + timedelta(days=1), time(), UTC).isoformat(timespec="seconds")
        yield Cause(f"a waiver ended on {last}", since, (VERDICT,))


def _halted_by(verdict: Record | None) -> str:
    checks = [] if verdict is None else verdict.metadata["checks"]
    failing = [check["check_name"] for check in checks if not check["passed"] and check["severity"] == "ERROR"]
    return f"a quality gate holds back decisions: {', '.join(failing) or 'convergence was not shown'}"


def _condition(states: Sequence[AssetState]) -> MarketCondition:
    found = {state.condition for state in states}
    if "broken" in found:
        return "broken"
    if not any(state.made for state in states):
        return "never_run"
    if found & {"stale", "waiting"}:
        return "stale"
    return "halted" if "halted" in found else "current"


def declared() -> Mapping[str, Declaration]:
    """Every asset of a market, by name."""
    from dsam_assets import definitions
    from dsam_assets.assets.declaration import DECLARED

    assert definitions.STAGE_MODULES  # noqa: S101 (importing them is what declares the assets)
    return DECLARED


@cache
def _in_order() -> tuple[Declaration, ...]:
    """Every declaration, upstream first."""
    known = declared()
    order = TopologicalSorter({name: each.upstream for name, each in known.items()}).static_order()
    return tuple(known[name] for name in order)


@cache
def _worth_making() -> frozenset[str]:
    """Assets that are cheap to make and that others are made from: no Stan in or above them."""
    cheap: set[str] = set()
    for each in _in_order():
        if not each.runs_stan and cheap.issuperset(each.upstream):
            cheap.add(each.name)
    read = {name for each in _in_order() if each.name != SNAPSHOT for name in each.upstream}
    return frozenset(cheap & read)


class _Values(dict[str, Any]):
    """Inputs by parameter, decoded when they are asked for."""

    def __init__(self, walk: _Walk) -> None:
        self.walk = walk

    def __missing__(self, parameter: str) -> Any:
        from dsam_assets.assets.declaration import asset_name

        self[parameter] = value = self.walk.value(asset_name(parameter))
        return value


class _Walk:
    """One look at the graph of one market."""

    def __init__(self, store: Store, catalogue: ConfigCatalogue, market: str) -> None:
        self.store, self.market = DryStore(store.root), market
        self.context = SimpleNamespace(partition_key=market, resources=SimpleNamespace(catalogue=catalogue))
        self.states: dict[str, AssetState] = {}
        self.values = _Values(self)

    def visit(self, declaration: Declaration) -> AssetState:
        try:
            state = self._state(declaration)
        except DsamError as error:
            state = AssetState(declaration.name, "broken", problem=error.brief, known=False)
        except Exception as error:  # a defect of one step must not hide the state of the others
            text = f"{declaration.name}: {type(error).__name__}: {error}"
            state = AssetState(declaration.name, "broken", problem=text, known=False)
        self.states[declaration.name] = state
        return state

    def value(self, asset: str) -> Any:
        record = self.store.record(self.market, asset)
        assert record is not None, f"{asset} is known, so it is stored or made"  # noqa: S101
        codec = CODECS[declared()[asset].codec]
        return codec.decode(asset, tuple(record.files), lambda name: self.store.read(self.market, record, name))

    def _state(self, declaration: Declaration) -> AssetState:
        record = self.store.record(self.market, declaration.name)
        above = [self.states[name] for name in declaration.upstream]
        made = "" if record is None else record.made or "unknown"
        if any(state.condition == "broken" or state.problem for state in above):
            problem = next(state.problem for state in above if state.problem)
            return AssetState(declaration.name, "waiting", {}, made, known=False, problem=problem)
        own, inherited = self._own(declaration, record), self._inherited(declaration, record)
        pending = [state for state in above if not state.known]
        if not own and not inherited and not pending:
            return AssetState(declaration.name, "current", {}, made)
        if self._is_halted(declaration):
            return AssetState(declaration.name, "halted", {}, made, known=False)
        causes = {**inherited, **own}
        if pending:
            for state in pending:
                for cause in state.causes.values():
                    merge(causes, cause.reaches(declaration.name))
        if pending or declaration.name not in _worth_making():
            condition: Condition = "stale" if own or inherited else "waiting"
            return AssetState(declaration.name, condition, causes, made, known=False, same=False)
        return self._made(declaration, record, causes, made)

    def _made(self, declaration: Declaration, record: Record | None, causes: Causes, made: str) -> AssetState:
        """The state of a stale asset that is cheap to make: make it in memory and compare."""
        from dsam_assets.assets.declaration import asset_name
        from dsam_assets.assets.making import input_versions, make

        versions = input_versions(self.store, self.market, declaration.upstream)
        before = None if record is None else self._section(declaration, record)
        inputs = {name: self.values[name] for name in declaration.inputs}
        found = make(self.context, declaration, inputs, versions)
        self.store.write(self.market, found.record, found.files)
        for parameter in [name for name in self.values if asset_name(name) == declaration.name]:
            del self.values[parameter]
        same = record is not None and record.data_version == found.record.data_version
        if before is not None and not same and CONFIG_CHANGED in causes:
            (after,) = found.files.values()
            since = causes.pop(CONFIG_CHANGED).since
            merge(causes, Cause(config_cause(declaration.name, before, after), since, (declaration.name,)))
        return AssetState(declaration.name, "stale", causes, made, same=same)

    def _section(self, declaration: Declaration, record: Record) -> bytes | None:
        """The stored content of a section of the config; `None` for any other asset, or when it is gone."""
        if declaration.codec != "slice" or not self.store.intact(self.market, record):
            return None
        (name,) = record.files
        return self.store.read(self.market, record, name)

    def _own(self, declaration: Declaration, record: Record | None) -> Causes:
        """Causes that lie with the asset itself: it was never made, or its files, its code or its sources changed."""
        causes: Causes = {}
        name = (declaration.name,)
        if record is None:
            merge(causes, Cause(NEVER, "", name))
        else:
            if not self.store.intact(self.market, record):
                merge(causes, Cause("a stored file is missing", "", name))
            if record.code_version != declaration.code_version:
                for what in code_causes(record.code, declaration.code):
                    merge(causes, Cause(what, "", name))
        for cause in (*self._source_causes(declaration, record), *_day_causes(declaration, record)):
            merge(causes, cause)
        return causes

    def _source_causes(self, declaration: Declaration, record: Record | None) -> Iterable[Cause]:
        from dsam_assets.assets.sources import MISSING, source_path, source_version

        for source in declaration.sources:
            path = source_path(source, self.context, self.values)
            found = source_version(path)
            recorded = None if record is None else record.sources.get(source)
            if record is not None and found != recorded:
                what = source_cause(source, recorded, found, path, MISSING)
                yield Cause(what, changed_at(path), (declaration.name,))

    def _inherited(self, declaration: Declaration, record: Record | None) -> Causes:
        """Causes that lie above: an input whose content is known is not the one that the asset was made from."""
        causes: Causes = {}
        if record is None:
            return causes
        for name in declaration.upstream:
            state, found = self.states[name], self.store.record(self.market, name)
            if not state.known or (found is not None and record.inputs.get(name) == found.data_version):
                continue
            for cause in state.causes.values():
                merge(causes, cause.reaches(declaration.name))
            if not state.causes:
                again = f"{name} was made again"
                merge(causes, Cause(again, "" if found is None else found.made, (declaration.name,)))
        gone = [name for name in record.inputs if name not in declaration.upstream]
        if gone:
            merge(causes, Cause(f"no longer made from {', '.join(gone)}", "", (declaration.name,)))
        return causes

    def _is_halted(self, declaration: Declaration) -> bool:
        """Whether a gate refuses the asset: it asks the verdict, which is current, or stands below one that does."""
        if any(self.states[name].condition == "halted" for name in declaration.upstream):
            return True
        if VERDICT not in declaration.inputs or self.states[VERDICT].condition != "current":
            return False
        verdict = self.store.record(self.market, VERDICT)
        return verdict is not None and verdict.metadata["shown"].get("reliability") == "blocked"
