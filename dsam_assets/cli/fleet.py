"""`dsam status` and `dsam refresh`: what is stale of a folder of configs, and materialising exactly that."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsam_assets.cli.parser import add_command, refused_as
from dsam_assets.cli.words import COLOURS, count, message, paint, shown_path, wrapped

if TYPE_CHECKING:
    from dsam_assets.cli.progress import StepLines
    from dsam_assets.refreshing import Fleet, Refreshed
    from dsam_assets.staleness import AssetState, MarketState
    from resources.locations import Locations

FAILED, HALTED = 2, 3
NAME_WIDTH = 20
LONG_TRAIL = 5
CODE, FEW_PARTS = "code of ", 2  # how causes in the code begin; more of them share a line
WORDS = {"never_run": "never run", "gone": "no config"}
CONDITION_COLOURS = {
    "current": "pass",
    "stale": "warn",
    "never_run": "warn",
    "halted": "fail",
    "broken": "fail",
    "gone": "fail",
}
OUTCOME_COLOURS = {"refreshed": "pass", "current": "pass", "halted": "fail", "failed": "fail"}
# What a reader looks for first among the assets that a cause reaches.
NOTABLE = ("posterior", "diagnostics_report", "allocation", "run_bundle")


def add_commands(commands: Any) -> None:
    """Add both commands to the parser's."""
    more = "Computes nothing.\n\nexamples:\n  dsam status\n  dsam status uk    # asset by asset"
    status = add_command(
        commands, "status", _status, "say what is stale of each market, since when and why", more,
        quiet="the markets that need something",
    )  # fmt: skip
    more = (
        "Computes exactly what is stale; a market that fails stops no other.\n\n"
        "examples:\n  dsam refresh\n  dsam refresh uk de\n\n"
        "exit status: 2 if a market failed, else 3 if a gate halts one, else 0"
    )
    refresh = add_command(
        commands, "refresh", _refresh, "compute what is stale of one, several or all markets", more,
        quiet="errors and the run folders",
    )  # fmt: skip
    for command in (status, refresh):
        command.add_argument("markets", nargs="*", metavar="MARKET", help="names of configs (default: all)")
        command.add_argument(
            "--configs", metavar="FOLDER", help="folder of configs, or its URL (default: DSAM_CONFIGS, else configs)"
        )
        refused_as(command, lambda options: {"markets": []})
    refresh.add_argument(
        "--concurrency", type=positive, default=1, metavar="N", help="markets at a time, each in a process (default: 1)"
    )
    refresh.add_argument("--worker", type=int, help=argparse.SUPPRESS)  # process id of the refresh that started it


def positive(text: str) -> int:
    """A whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return int(text)


def _opened(options: argparse.Namespace) -> Fleet:
    """The folder that the options name; what of it cannot be read is said."""
    from dsam_assets.refreshing import open_fleet

    fleet = open_fleet(options.configs)
    for problem in fleet.problems:
        print(f"dsam: {problem}", file=sys.stderr)
    return fleet


def _status(options: argparse.Namespace) -> int:
    from dsam_assets.cli.documents import as_json
    from dsam_assets.refreshing import fleet_states

    fleet = _opened(options)
    states = fleet_states(fleet, fleet.markets(options.markets))
    if options.json:
        print(as_json({"status": "looked", "markets": [state_document(state) for state in states]}))
    elif options.quiet:
        idle = [state.market for state in states if state.condition != "current"]
        print(*idle, sep="\n", end="\n" if idle else "")
    else:
        print(states_text(states, fleet, detailed=bool(options.markets)))
    return 0


def states_text(states: Sequence[MarketState], fleet: Fleet, *, detailed: bool) -> str:
    """Every market with what is stale and why; a line per asset when detailed."""
    if not states:
        return _no_market(fleet.places)
    lines = []
    for state in states:
        lines += [_headline(state), *_cause_lines(state, detailed=detailed)]
        lines += [
            wrapped(
                f"last failure: {failure.asset}, {failure.when}: {failure.what.partition('\n')[0]}", "    ", "      "
            )
            for failure in state.failures[:1]
            if failure.what != state.problem
        ]
    return "\n".join([*lines, "", _next(states, fleet.places)])


def _no_market(places: Locations) -> str:
    if places.mirror is not None:
        return f"No market: there is no config in {places.named}.\nNext: put one there; dsam init writes templates"
    where = shown_path(places.configs)
    return f"No market: there is no config in {where}.\nNext: dsam init --out {where}/my_market.yaml"


def _headline(state: MarketState) -> str:
    condition = WORDS.get(state.condition, state.condition)
    since = f" since {state.since}" if state.condition == "stale" and state.since else ""
    head = f"{state.market:<{NAME_WIDTH}} {paint(condition, COLOURS[CONDITION_COLOURS[state.condition]])}{since}"
    return head if not state.problem else f"{head}\n{wrapped(state.problem, '    ', '      ')}"


def _cause_lines(state: MarketState, *, detailed: bool) -> list[str]:
    """What changed and how far it reaches. A market that was never run needs no list."""
    if state.condition == "never_run":
        return []
    code = [what for what in state.causes if what.startswith(CODE)]
    folded = code if len(code) > FEW_PARTS and not detailed else []
    lines = []
    for what, reached in state.causes.items():
        if what in folded:
            continue
        lines.append(wrapped(_way(what, reached), "    ", "      "))
        lines += _reach_lines(reached) if detailed else []
    return [*lines, _code_line(state, folded)] if folded else lines


def _reach_lines(reached: Sequence[AssetState]) -> list[str]:
    """The assets that a cause reaches: those that are computed for sure, and those that depend."""
    sure = [each.asset for each in reached if each.condition == "stale"]
    maybe = [each.asset for each in reached if each.condition == "waiting"]
    lines = [wrapped(f"computes {', '.join(sure)}", "      ", "        ")] if sure else []
    if maybe:
        lines.append(wrapped(f"then, unless nothing changes above: {', '.join(maybe)}", "      ", "        "))
    return lines


def _code_line(state: MarketState, code: Sequence[str]) -> str:
    """All changes of code as one: a new version of the program changes many parts at once."""
    assets = {each.asset for what in code for each in state.causes[what]}
    text = f"code changed in {count(len(code), 'part')} → {count(len(assets), 'asset')}"
    return wrapped(f"{text} (dsam status {state.market} lists them)", "    ", "      ")


def _way(what: str, reached: Sequence[AssetState]) -> str:
    """`data file changed → model_frame → posterior (and 12 more)`."""
    by_name = {each.asset: each for each in reached}
    target = next((by_name[name] for name in NOTABLE if name in by_name), reached[-1])
    trail = target.causes[what].trail
    shown = trail if len(trail) <= LONG_TRAIL else (*trail[: LONG_TRAIL - 2], "…", trail[-1])
    more = len(reached) - len(trail)
    return " → ".join((what, *shown)) + (f" (and {more} more)" if more > 0 else "")


def _where(places: Locations) -> str:
    """The option that names the folder of configs again, as far as it is needed."""
    if places.mirror is not None:
        return f" --configs {shlex.quote(places.named)}"
    return "" if places.configs == Path("configs").resolve() else f" --configs {shown_path(places.configs)}"


def _next(states: Sequence[MarketState], places: Locations) -> str:
    """The next command."""
    where = _where(places)
    found = Counter(state.condition for state in states)
    todo = [state.market for state in states if state.condition in ("stale", "never_run")]
    lines = []
    if todo:
        every = len(states) > 1 and len(todo) + found["current"] + found["halted"] == len(states)
        lines.append(f"dsam refresh{'' if every or len(todo) > LONG_TRAIL else ' ' + ' '.join(todo)}{where}")
    lines += [
        f"dsam validate --config {shown_path(places.configs / state.market)}.yaml"
        for state in states
        if state.condition == "broken" and places.mirror is None  # a copy is not what is to be mended
    ]
    lines += [f"dsam sync{where}"] if found["gone"] else []
    counts = ", ".join(f"{number} {WORDS.get(name, name)}" for name, number in found.items())
    return "\n".join([f"{count(len(states), 'market')}: {counts}", *(f"Next: {line}" for line in lines)])


def state_document(state: MarketState) -> dict[str, Any]:
    """A market's state as a document."""
    return {
        "market": state.market,
        "condition": state.condition,
        "since": state.since or None,
        "problem": state.problem or None,
        "failures": [asdict(failure) for failure in state.failures],
        "causes": [
            {"what": what, "since": reached[0].causes[what].since or None, "assets": [each.asset for each in reached]}
            for what, reached in state.causes.items()
        ],
        "assets": [
            {
                "asset": each.asset,
                "condition": each.condition,
                "made": each.made or None,
                "why": [str(cause) for cause in each.causes.values()],
                "same_content": each.same if each.known else None,
                "problem": each.problem or None,
            }
            for each in state.assets
        ],
    }


def _refresh(options: argparse.Namespace) -> int:
    from dsam_assets.cli.progress import listen

    fleet = _opened(options)
    markets = fleet.markets(options.markets)
    if options.worker is not None:
        from resources.workers import die_with_parent

        die_with_parent(options.worker)
    talkative = not (options.quiet or options.json)
    handler = listen(None, clock=sys.stdout if talkative else None)
    done = []
    for document in _documents(fleet, markets, options.concurrency, handler):
        done.append(document)
        if talkative:
            left = f" ({len(done)} of {len(markets)})" if len(markets) > 1 else ""
            print(refreshed_text(document, left), flush=True)
        elif options.quiet:
            _print_quietly(document)
    changed = options.worker is None and any(document["outcome"] != "current" for document in done)
    views = _refresh_views(fleet) if changed else 0
    handler.rest()
    status = _exit_status(done) or views
    if options.json:
        from dsam_assets.cli.documents import as_json

        word = {0: "done", HALTED: "halted"}.get(status, "failed")
        print(as_json({"status": word, "markets": sorted(done, key=lambda document: str(document["market"]))}))
    elif talkative:
        print(_summary(done))
    return status


def _documents(fleet: Fleet, markets: Sequence[str], most: int, handler: StepLines) -> Iterator[dict[str, Any]]:
    """What was done for each market: in this process, or side by side in several."""
    from dsam_assets.refreshing import refresh_markets

    if most > 1 and len(markets) > 1:
        yield from _side_by_side(fleet, markets, most, handler)
        return
    for each in refresh_markets(fleet, markets):
        handler.rest()
        yield refreshed_document(each, handler)
        handler.computed.clear()
        handler.reused.clear()


def _side_by_side(fleet: Fleet, markets: Sequence[str], most: int, handler: StepLines) -> Iterator[dict[str, Any]]:
    """The same in several processes; the clock says how many markets are left."""
    from dsam_assets.refreshing_workers import refresh_side_by_side

    left = len(markets)
    handler.started(f"{count(left, 'market')}, {min(most, left)} at a time")
    for document in refresh_side_by_side(fleet, markets, most):
        handler.rest()
        yield document
        left -= 1
        handler.started(f"{count(left, 'market')} left")
    handler.rest()


def _print_quietly(document: Mapping[str, Any]) -> None:
    """The run folder, and what went wrong."""
    if document["run_dir"] is not None:
        print(shown_path(Path(document["run_dir"])), flush=True)
    if document["outcome"] in ("failed", "halted"):
        print(f"dsam: {document['market']}: {document['message']}", file=sys.stderr, flush=True)


def _refresh_views(fleet: Fleet) -> int:
    """Make the views of the fleet again; that they fail must not hide what was done for the markets."""
    from dsam_assets.errors import DsamError
    from dsam_assets.refreshing import refresh_fleet_views

    try:
        refresh_fleet_views(fleet)
    except DsamError as error:
        print(f"dsam: {error}", file=sys.stderr)
        return FAILED
    return 0


def _exit_status(done: Sequence[Mapping[str, Any]]) -> int:
    outcomes = {document["outcome"] for document in done}
    return FAILED if "failed" in outcomes else HALTED if "halted" in outcomes else 0


def refreshed_text(document: Mapping[str, Any], left: str = "") -> str:
    """What ran for one market, and what was reused."""
    outcome = paint(document["outcome"], COLOURS[OUTCOME_COLOURS[document["outcome"]]])
    if document["outcome"] == "current":
        return f"{document['market']:<{NAME_WIDTH}} {outcome}: nothing to compute{left}"
    lines = [f"{document['market']:<{NAME_WIDTH}} {outcome}, {document['seconds']:.1f} s{left}"]
    if document["computed"]:
        lines.append(wrapped(f"computed {', '.join(document['computed'])}", "    ", "      "))
        lines.append(f"    reused {document['reused']}")
    if document["message"]:
        lines.append("\n".join(f"    {line}" for line in message(document["message"]).splitlines()))
    if document["verdict"] is not None:
        verdict = f"{document['verdict']['overall']} ({document['verdict']['reliability']})"
        lines.append(f"    verdict {verdict}; run folder {shown_path(Path(document['run_dir']))}")
    return "\n".join(lines)


def _reused(each: Refreshed, handler: StepLines) -> int:
    return len(each.before.assets) - len(handler.computed) if each.result is not None else len(handler.reused)


def refreshed_document(each: Refreshed, handler: StepLines) -> dict[str, Any]:
    """What was done for one market, as a document."""
    result = each.result
    return {
        "market": each.market,
        "outcome": each.outcome,
        "why": list(each.before.causes),
        "computed": list(handler.computed),
        "reused": _reused(each, handler),
        "message": each.message or None,
        "verdict": None
        if result is None
        else {"overall": result.report.overall, "reliability": result.report.reliability},
        "run_dir": None if result is None else str(result.path),
        "seconds": round(each.seconds, 3),
    }


def _summary(done: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(str(document["outcome"]) for document in done)
    lines = [f"\n{count(len(done), 'market')}: " + ", ".join(f"{number} {name}" for name, number in counts.items())]
    for document in done:
        if document["outcome"] in ("failed", "halted"):
            lines.append(wrapped(f"{document['market']}: {document['message'].partition('\n')[0]}", "  ", "    "))
    made = [document["run_dir"] for document in done if document["run_dir"] is not None]
    lines += [f"Next: dsam report {shown_path(Path(made[-1]))} --open"] if made else []
    return "\n".join(lines)
