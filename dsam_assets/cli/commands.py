"""The command line: `dsam init | validate | run | compare | status | refresh | sync | stan | ui | help`.

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
from dsam_assets.errors import ConfigError, DsamError

PROGRAM = "dsam"
TRACEBACK_SETTING = "DSAM_TRACEBACK"
INTERRUPTED_EXIT_STATUS, BROKEN_PIPE_EXIT_STATUS = 130, 141
TEMPLATES = ("master", "blm", "re", "cre", "pooled", "hierarchical")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] | None = getattr(options, "command", None)
    if command is None:
        parser.print_help()
        return 0
    started = time.perf_counter()
    try:
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


def _report(error: Exception, options: argparse.Namespace, seconds: float) -> int:
    """Every error ends in one message; `DSAM_TRACEBACK=1` shows where it came from."""
    from dsam_assets.cli.words import message

    known = error if isinstance(error, DsamError) else _unexpected(error)
    if os.environ.get(TRACEBACK_SETTING, "0") not in ("", "0"):
        print(getattr(error, "details", "") or "".join(traceback.format_exception(error)), file=sys.stderr)
    if getattr(options, "json", False):
        from dsam_assets.cli.documents import as_json

        print(as_json(_error_document(known, options, seconds)))
    text = f"{PROGRAM}: {known}"
    print(message(text) if sys.stderr.isatty() else text, file=sys.stderr)
    return known.exit_status


def _error_document(error: DsamError, options: argparse.Namespace, seconds: float) -> dict[str, object]:
    """The document of a refusal, in the form of the command's own."""
    from dsam_assets.cli.comparing import comparison_error
    from dsam_assets.cli.documents import error_document
    from dsam_assets.cli.fleet import fleet_error

    if "runs" in options:
        return comparison_error(error, seconds)
    return fleet_error(error, seconds) if "markets" in options else error_document(error, options.config, seconds)


def _unexpected(error: Exception) -> DsamError:
    return DsamError(
        "An unexpected error stopped the command; this is a defect of the program, or of the machine that it runs on.",
        got=f"{type(error).__name__}: {error}",
        fix=f"Set {TRACEBACK_SETTING}=1 to see where it happened, and report it.",
    )


def build_parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Bayesian marketing mix models for many markets, from config to gated budget plan."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    init = commands.add_parser("init", help="write a config template")
    init.add_argument("--out", required=True, type=Path, help="file to write")
    init.add_argument("--template", default="blm", choices=TEMPLATES, help="which template (default: blm)")
    init.add_argument("--overwrite", action="store_true", help="replace an existing file")
    init.set_defaults(command=_init)

    validate = commands.add_parser("validate", help="check a config and its data without fitting")
    validate.add_argument("--config", required=True, type=Path, help="YAML config")
    validate.add_argument("--run-dir", help="folder for the run's metadata files; without one nothing is written")
    _add_output_flags(validate)
    validate.set_defaults(command=_validate)

    run = commands.add_parser("run", help="run a config from data to budget plan")
    run.add_argument("--config", required=True, type=Path, help="YAML config")
    run.add_argument("--run-dir", help="run folder (default: outputs.run_dir, else a dated folder)")
    run.add_argument("--force", action="store_true", help="compute every step again, even if nothing changed")
    _add_output_flags(run)
    run.set_defaults(command=_run)

    compare = commands.add_parser("compare", help="rank finished runs by how well they predict")
    compare.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder")
    compare.add_argument(
        "--force-different-data", action="store_true", help="compare the shared rows of runs with different data"
    )
    compare.add_argument("--json", action="store_true", help="print one JSON document")
    compare.set_defaults(command=_compare)

    add_fleet_commands(commands)

    sync = commands.add_parser("sync", help="register the markets of a folder of configs with Dagster")
    sync.add_argument("--configs", type=Path, help="folder of configs (default: DSAM_CONFIGS, else configs)")
    sync.set_defaults(command=_sync)

    stan = commands.add_parser("stan", help="say which Stan is used; compile its programs")
    stan.add_argument("--compile", action="store_true", help="compile all programs ahead of the first run")
    stan.set_defaults(command=_stan)

    ui = commands.add_parser("ui", help="open the Dagster UI on 127.0.0.1")
    ui.add_argument("--port", type=int, default=3000, help="port (default: 3000)")
    ui.add_argument("--configs", type=Path, help="folder of configs (default: DSAM_CONFIGS, else configs)")
    ui.set_defaults(command=_ui)

    helper = commands.add_parser("help", help="show this help")
    helper.set_defaults(command=lambda _: _print_help(parser))
    return parser


def _add_output_flags(parser: argparse.ArgumentParser) -> None:
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("-q", "--quiet", action="store_true", help="print only errors and the run folder")
    amount.add_argument("--json", action="store_true", help="print one JSON document")


def _print_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _init(options: argparse.Namespace) -> int:
    from dsam_assets.config.templates import template

    text = template(options.template)
    where = str(options.out)
    if options.out.is_dir():
        raise ConfigError("The path is a folder.", where=where, fix="Name a file in it, e.g. uk.yaml.")
    if options.out.exists() and not options.overwrite:
        raise ConfigError("The file exists already.", where=where, fix="Choose another name, or add --overwrite.")
    if not options.out.parent.is_dir():
        raise ConfigError("The folder does not exist.", where=str(options.out.parent), fix="Create it first.")
    options.out.write_text(text, encoding="utf-8")
    print(f"Wrote {options.out}. Edit data.path and model.formula, then: {PROGRAM} validate --config {options.out}")
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
    from dsam_assets.cli.terminal import listen, summary
    from dsam_assets.cli.words import shown_path
    from dsam_assets.running import GATE_EXIT_STATUS, run_from_yaml

    talkative = not (options.quiet or options.json)
    if talkative:
        print(options.config, flush=True)
    handler = listen(sys.stdout if talkative else None, forced=options.force)
    bar = talkative and sys.stderr.isatty()
    result = run_from_yaml(options.config, run_dir=options.run_dir, force=options.force, progress=bar)
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


def _compare(options: argparse.Namespace) -> int:
    from dsam_assets.cli.comparing import comparison_document, comparison_text
    from dsam_assets.comparing import compare_runs

    comparison = compare_runs(options.runs, force_different_data=options.force_different_data)
    if options.json:
        from dsam_assets.cli.documents import as_json

        print(as_json(comparison_document(comparison)))
    else:
        print(comparison_text(comparison))
    return 0


def _sync(options: argparse.Namespace) -> int:
    from dsam_assets.cli.serving import sync_markets

    added, removed, refused = sync_markets(options.configs)
    for line in (*(f"added {name}" for name in added), *(f"removed {name}" for name in removed), *refused):
        print(line)
    print(f"{len(added)} added, {len(removed)} removed" + (f", {len(refused)} refused" if refused else ""))
    return 2 if refused else 0


def _stan(options: argparse.Namespace) -> int:
    from resources.toolchain.executables import compile_all
    from resources.toolchain.home import find_home

    home = find_home(progress=print)
    print(f"Stan {home.version}, {home.origin}: {home.path}")
    if options.compile:
        for path in compile_all(print, home=home):
            print(f"ready: {path}")
    return 0


def _ui(options: argparse.Namespace) -> int:
    from dsam_assets.cli.serving import serve

    return serve(options.configs, options.port)
