"""Asking what is stale of a folder of configs, and materialising exactly that, market by market."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dsam_assets.errors import ConfigError, DsamError, StoreError

if TYPE_CHECKING:
    from dsam_assets.running import RunResult
    from dsam_assets.staleness import MarketState
    from resources.catalogue import ConfigCatalogue
    from resources.locations import Locations
    from resources.store import Store

type Outcome = Literal["refreshed", "current", "halted", "failed"]
INPUTS = "inputs"  # under this name a problem is noted that was found before the first step


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did with one market.

    Attributes:
        market: partition key.
        outcome: `refreshed`; `current`: there was nothing to do; `halted`: a gate holds back decisions; `failed`.
        before: its state before.
        message: why it was halted or failed; empty otherwise.
        result: the run; `None` when nothing was run, or when it failed.
        seconds: wall-clock time.
    """

    market: str
    outcome: Outcome
    before: MarketState
    message: str
    result: RunResult | None
    seconds: float


@dataclass(frozen=True)
class Fleet:
    """A folder of configs, with its store.

    Attributes:
        problems: a sentence for each file behind the folder's URL that a config names and that cannot be had.
    """

    places: Locations
    catalogue: ConfigCatalogue
    store: Store
    problems: tuple[str, ...] = ()

    def markets(self, named: Sequence[str] = ()) -> list[str]:
        """The named markets, or all: every config, and what is stored of configs that are gone.

        Raises:
            ConfigError: a name is neither.
        """
        from resources.config_files import config_files

        known = sorted({*config_files(self.places.configs), *self.store.markets()})
        unknown = [name for name in named if name not in known]
        if unknown:
            raise ConfigError(
                f"There is no market {', '.join(unknown)}.",
                where=self.places.named,
                got="markets " + (", ".join(known) or "none"),
                fix="Name a config of this folder without its ending, or another folder with --configs.",
            )
        return list(dict.fromkeys(named)) or known


def open_fleet(configs: Path | str | None = None) -> Fleet:
    """The fleet of a folder of configs, or of its URL; the served folder when none is given.

    Raises:
        ConfigError: the folder does not exist, or cannot be read.
    """
    from resources.catalogue import ConfigCatalogue
    from resources.locations import locations
    from resources.places import require_configs
    from resources.store import Store

    places = locations(configs)
    problems = require_configs(places)
    url = "" if places.mirror is None else places.mirror.url
    return Fleet(places, ConfigCatalogue(folder=str(places.configs), url=url), Store(places.store), problems)


def fleet_states(fleet: Fleet, markets: Sequence[str]) -> list[MarketState]:
    """What a run of each market would do, and why; nothing is materialised."""
    from dsam_assets.staleness import market_states

    return market_states(fleet.store, fleet.catalogue, markets)


def refresh_markets(fleet: Fleet, markets: Sequence[str], *, progress: bool = False) -> Iterator[Refreshed]:
    """Materialise what is stale of each market as `dsam run` would, one after the other; a failure stops no other.

    Args:
        fleet: the folder.
        markets: names; `Fleet.markets` has all.
        progress: show a progress bar while sampling.
    """
    for market in markets:
        started = time.perf_counter()
        (before,) = fleet_states(fleet, [market])
        outcome, message, result = _refresh(fleet, before, progress)
        yield Refreshed(market, outcome, before, message, result, time.perf_counter() - started)


def _refresh(fleet: Fleet, before: MarketState, progress: bool) -> tuple[Outcome, str, RunResult | None]:
    from dsam_assets.running import RunFailedError, run_from_yaml

    if before.condition == "current":
        return "current", "", None
    if before.condition == "halted":
        return "halted", before.problem, None
    try:
        path = fleet.catalogue.path(before.market)
        result = run_from_yaml(path, progress=progress, only=before.stale or None)
    except RunFailedError as error:  # the step has noted it
        return "failed", str(error), None
    except DsamError as error:
        fleet.store.note_problem(before.market, INPUTS, error.brief)
        return "failed", str(error), None
    fleet.store.clear_problem(before.market, INPUTS)
    return ("halted" if result.status == "halted" else "refreshed"), result.halted_by, result


def refresh_fleet_views(fleet: Fleet) -> None:
    """Make the fleet's own assets again: they are views of all markets.

    Raises:
        StoreError: they could not be made.
    """
    from dsam_assets.definitions import build_definitions
    from dsam_assets.running import first_failure
    from resources.local_instance import local_instance
    from resources.locations import prepare_dagster_home
    from resources.places import valid_markets
    from resources.run_launcher import process_tag

    home = prepare_dagster_home(fleet.places.dagster_home)
    job = build_definitions(fleet.places).resolve_job_def("fleet")
    with local_instance(home, *valid_markets(fleet.places.configs)[0]) as instance:
        outcome = job.execute_in_process(
            instance=instance,
            tags=process_tag(),
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    if not outcome.success:
        raise StoreError("The views of the fleet could not be made.", got=first_failure(outcome).what)
