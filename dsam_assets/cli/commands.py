"""The command line: `dsam init | validate | run | report | compare | status | refresh | sync | stan | ui | help`.

Exit status 0 is success, 2 a bad input or a failed step, 3 a run that a quality gate halted, 130 an interrupted one.
Imports happen in the commands, so that `dsam --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from dsam_assets.cli.fleet import add_commands as add_fleet_commands
from dsam_assets.cli.parser import (
    EPILOG,
    EXIT_STATUSES,
    PROGRAM,
    Parser,
    UsageError,
    add_command,
    refused_as,
    require_known_words,
)
from dsam_assets.cli.results import add_commands as add_result_commands
from dsam_assets.errors import ConfigError, DsamError

TRACEBACK_SETTING = "DSAM_TRACEBACK"
INTERRUPTED_EXIT_STATUS, BROKEN_PIPE_EXIT_STATUS = 130, 141
TEMPLATES = ("master", "blm", "re", "cre", "pooled", "hierarchical")
RUN_KEYS = ("run_dir", "verdict", "plan")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = argparse.Namespace(json="--json" in given, refusal=lambda _: {})
    started = time.perf_counter()
    try:
        options = _understood(given)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except KeyboardInterrupt:
        print(f"\n{PROGRAM}: interrupted; the next run reuses the steps that were finished", file=sys.stderr)
        return INTERRUPTED_EXIT_STATUS
    except BrokenPipeError:
        # Whoever read the output has gone, e.g. `dsam run … | head`; Python must not try to write the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE_EXIT_STATUS
    except Exception as error:
        return _report(error, options, time.perf_counter() - started)


def _understood(given: Sequence[str]) -> argparse.Namespace:
    parser = build_parser()
    require_known_words(given, parser, parser.get_default("commands"))
    options = parser.parse_args(given)
    return options if "command" in options else parser.parse_args(["help"])


def _report(error: Exception, options: argparse.Namespace, seconds: float) -> int:
    """Every error ends in one message; `DSAM_TRACEBACK=1` shows where it came from."""
    from dsam_assets.cli.words import is_terminal, message

    known = error if isinstance(error, DsamError) else _unexpected(error)
    if os.environ.get(TRACEBACK_SETTING, "0") not in ("", "0"):
        print(getattr(error, "details", "") or "".join(traceback.format_exception(error)), file=sys.stderr)
    if getattr(options, "json", False):
        from dsam_assets.cli.documents import as_json, error_document

        print(as_json({**options.refusal(options), **error_document(known, seconds)}))
    text = f"{PROGRAM}: {known}"
    print(message(text) if is_terminal(sys.stderr) else text, file=sys.stderr)
    return known.exit_status


def _unexpected(error: Exception) -> DsamError:
    return DsamError(
        "An unexpected error stopped the command; this is a defect of the program, or of the machine that it runs on.",
        got=f"{type(error).__name__}: {error}",
        fix=f"Set {TRACEBACK_SETTING}=1 to see where it happened, and report it.",
    )


def build_parser() -> Parser:
    """All commands and their flags."""
    parser = Parser(
        prog=PROGRAM, epilog=EPILOG,
        description="Bayesian marketing mix models for many markets: config to gated budget plan.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=_version(), help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    _add_init(commands)
    _add_validate(commands)
    _add_run(commands)
    add_result_commands(commands)
    add_fleet_commands(commands)
    _add_machine_commands(commands)
    helper = add_command(commands, "help", lambda options: _help(parser, options), "show this help, or a command's", "")
    helper.add_argument("about", nargs="?", metavar="COMMAND", help="the command to explain")
    for command in commands.choices.values():
        command.add_amount()
    parser.set_defaults(commands=commands.choices)
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"{PROGRAM} {version('dsam-assets')}"


def _add_init(commands: argparse._SubParsersAction[Parser]) -> None:
    more = "example:\n  dsam init --template hierarchical --out configs/europe.yaml"
    init = add_command(commands, "init", _init, "write a commented config to edit", more, quiet="the file's path")
    init.add_argument("--out", required=True, type=Path, metavar="FILE", help="file to write")
    init.add_argument(
        "--template", default="blm", choices=TEMPLATES, metavar="NAME",
        help="blm (one market, the default), re (a panel), cre (a panel with group means), pooled (coefficients shared"
        " by labels), hierarchical (a panel with all that it can have), master (every key)",
    )  # fmt: skip
    init.add_argument("--overwrite", action="store_true", help="replace an existing file")
    refused_as(init, lambda options: {"path": None})


def _add_validate(commands: argparse._SubParsersAction[Parser]) -> None:
    more = (
        "Checks config, data, formula, design and budget. Nothing is fitted, and nothing\n"
        "is written unless there is a run folder.\n\n"
        "example:\n  dsam validate --config configs/blm_demo.yaml"
    )
    validate = add_command(
        commands, "validate", _validate, "check a config and its data without fitting", more,
        quiet="errors and the run folder",
    )  # fmt: skip
    validate.add_argument("--config", required=True, type=Path, metavar="FILE", help="YAML config")
    validate.add_argument(
        "--run-dir", metavar="FOLDER", help="write the run's metadata there; without one nothing is written"
    )
    refused_as(validate, _refused_run)


def _add_run(commands: argparse._SubParsersAction[Parser]) -> None:
    more = (
        "Steps whose code and inputs are unchanged are reused. The run folder holds a\n"
        "report, tables, figures and the fitted model; docs/artefacts.md lists them.\n\n"
        f"example:\n  dsam run --config configs/blm_demo.yaml\n\n{EXIT_STATUSES}"
    )
    run = add_command(
        commands, "run", _run, "run a config from data to budget plan and report", more,
        quiet="errors and the run folder",
    )  # fmt: skip
    run.add_argument("--config", required=True, type=Path, metavar="FILE", help="YAML config")
    run.add_argument("--run-dir", metavar="FOLDER", help="run folder (default: outputs.run_dir, else a dated folder)")
    run.add_argument("--force", action="store_true", help="compute every step again, even if nothing changed")
    run.add_argument("--verbose", action="store_true", help="name every step, the quick and the reused ones as well")
    refused_as(run, _refused_run)


def _refused_run(options: argparse.Namespace) -> dict[str, object]:
    return {"market": options.config.stem, **dict.fromkeys(RUN_KEYS), "checks": []}


def _add_machine_commands(commands: argparse._SubParsersAction[Parser]) -> None:
    more = "example:\n  dsam sync --configs configs"
    sync = add_command(
        commands, "sync", _sync, "register the markets of a folder of configs with Dagster", more, quiet="what is wrong"
    )
    refused_as(sync, lambda options: {"added": [], "removed": [], "refused": []})
    more = "example:\n  dsam stan --compile    # ahead of the first run; about a minute"
    stan = add_command(
        commands, "stan", _stan, "say which Stan is used; compile its programs", more, quiet="the path of its home"
    )
    stan.add_argument("--compile", action="store_true", help="compile all programs now")
    refused_as(stan, lambda options: {"programs": []})
    more = "Prints a link with a token; Ctrl-C stops it.\n\nexample:\n  dsam ui --configs configs --port 3000"
    ui = add_command(commands, "ui", _ui, "open the Dagster UI on 127.0.0.1", more, quiet="the link")
    refused_as(ui, lambda options: {"url": None})
    ui.add_argument("--port", type=int, default=3000, help="port (default: 3000)")
    for command in (sync, ui):
        command.add_argument(
            "--configs", metavar="FOLDER", help="folder of configs, or its URL (default: DSAM_CONFIGS, else configs)"
        )


def _print_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _help(parser: Parser, options: argparse.Namespace) -> int:
    if options.about is None:
        return _print_help(parser)
    if options.about not in options.commands:
        known = ", ".join(options.commands)
        raise UsageError(f"There is no command {options.about}.", where="dsam help", wanted=f"one of {known}")
    return _print_help(options.commands[options.about])


def _init(options: argparse.Namespace) -> int:
    from dsam_assets.cli.words import wrapped
    from dsam_assets.config.templates import template, to_edit

    text = template(options.template)
    where = str(options.out)
    if options.out.is_dir():
        raise ConfigError("The path is a folder.", where=where, fix="Name a file in it, e.g. uk.yaml.")
    if options.out.exists() and not options.overwrite:
        raise ConfigError("The file exists already.", where=where, fix="Choose another name, or add --overwrite.")
    if not options.out.parent.is_dir():
        raise ConfigError("The folder does not exist.", where=str(options.out.parent), fix="Create it first.")
    options.out.write_text(text, encoding="utf-8")
    if options.json:
        from dsam_assets.cli.documents import as_json

        print(as_json({"status": "written", "path": str(options.out), "template": options.template}))
    elif options.quiet:
        print(options.out)
    else:
        print(f"Wrote {options.out} (template {options.template})")
        print(wrapped(f"Edit in it: {to_edit(text)}", "", "  "))
        print(f"Next: {PROGRAM} validate --config {options.out}")
    return 0


def _validate(options: argparse.Namespace) -> int:
    from dsam_assets.cli.terminal import validation_summary
    from dsam_assets.cli.validating import validate_yaml
    from dsam_assets.cli.words import shown_path

    validation = validate_yaml(options.config, run_dir=options.run_dir)
    if options.json:
        from dsam_assets.cli.documents import as_json, validation_document

        print(as_json(validation_document(validation)))
    elif not options.quiet:
        print(validation_summary(validation, options.config))
    elif validation.run_dir is not None:
        print(shown_path(validation.run_dir))
    return 0


def _run(options: argparse.Namespace) -> int:
    from dsam_assets.cli.progress import listen
    from dsam_assets.cli.terminal import summary
    from dsam_assets.cli.words import is_terminal, shown_path
    from dsam_assets.running import GATE_EXIT_STATUS, run_from_yaml

    talkative = not (options.quiet or options.json)
    if talkative:
        print(options.config, flush=True)
    handler = listen(sys.stdout if talkative else None, forced=options.force, every=options.verbose)
    bar = talkative and is_terminal(sys.stderr)
    try:
        result = run_from_yaml(options.config, run_dir=options.run_dir, force=options.force, progress=bar)
    finally:
        handler.rest()
    if options.json:
        from dsam_assets.cli.documents import as_json, run_document

        print(as_json(run_document(result, handler)))
    elif talkative:
        print(summary(result, handler))
    else:
        print(shown_path(result.path))
    if result.status == "complete":
        return 0
    if not talkative:
        print(f"{PROGRAM}: {result.halted_by}", file=sys.stderr)
    return GATE_EXIT_STATUS


def _sync(options: argparse.Namespace) -> int:
    from dsam_assets.cli.serving import sync_markets

    added, removed, refused, problems = sync_markets(options.configs)
    for problem in problems:
        print(f"{PROGRAM}: {problem}", file=sys.stderr)
    status = 2 if refused else 0
    if options.json:
        from dsam_assets.cli.documents import as_json

        word = "failed" if refused else "done"
        print(as_json({"status": word, "added": added, "removed": removed, "refused": refused}))
        return status
    if options.quiet:
        print(*refused, sep="\n", end="\n" if refused else "")
        return status
    for line in (*(f"added {name}" for name in added), *(f"removed {name}" for name in removed), *refused):
        print(line)
    print(f"{len(added)} added, {len(removed)} removed" + (f", {len(refused)} refused" if refused else ""))
    return status


def _stan(options: argparse.Namespace) -> int:
    from resources.toolchain.executables import compile_all
    from resources.toolchain.home import find_home

    talkative = not (options.quiet or options.json)
    tell = print if talkative else lambda _: None
    home = find_home(progress=tell)
    tell(f"Stan {home.version}, {home.origin}: {home.path}")
    ready = [str(path) for path in compile_all(tell, home=home)] if options.compile else []
    for path in ready:
        tell(f"ready: {path}")
    if options.json:
        from dsam_assets.cli.documents import as_json

        facts = {"version": home.version, "origin": home.origin, "path": str(home.path)}
        print(as_json({"status": "found", **facts, "programs": ready}))
    elif options.quiet:
        print(home.path)
    return 0


def _ui(options: argparse.Namespace) -> int:
    from dsam_assets.cli.documents import as_json
    from dsam_assets.cli.serving import serve

    def tell(configs: str, url: str) -> None:
        if options.json:
            print(as_json({"status": "starting", "url": url, "configs": configs}))
        else:
            print(url if options.quiet else f"Markets: {configs}\nOpen {url} (stop with Ctrl-C)")

    return serve(options.configs, options.port, tell=tell)
