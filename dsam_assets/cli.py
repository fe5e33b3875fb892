"""The command line: `dsam init | validate | run | sync | stan | ui | help`.

Exit status 0 is success, 2 a bad input or a failed step, 3 a run that a quality gate halted. Imports happen in the
commands, so that `dsam --help` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dsam_assets.errors import ConfigError, DsamError

PROGRAM = "dsam"
TEMPLATES = ("master", "blm", "re", "cre", "pooled", "hierarchical")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] | None = getattr(options, "command", None)
    if command is None:
        parser.print_help()
        return 0
    try:
        return command(options)
    except DsamError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"\n{PROGRAM}: interrupted", file=sys.stderr)
        return 130


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
    validate.set_defaults(command=_validate)

    run = commands.add_parser("run", help="run a config from data to budget plan")
    run.add_argument("--config", required=True, type=Path, help="YAML config")
    run.add_argument("--run-dir", help="run folder (default: outputs.run_dir, else a dated folder)")
    run.add_argument("--force", action="store_true", help="compute every step again, even if nothing changed")
    run.set_defaults(command=_run)

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
    helper.set_defaults(command=lambda _: parser.print_help() or 0)
    return parser


def _init(options: argparse.Namespace) -> int:
    from dsam_assets.config.templates import template

    text = template(options.template)
    if options.out.exists() and not options.overwrite:
        raise ConfigError("The file exists already.", where=str(options.out), fix="Choose another name, or add --overwrite.")
    if not options.out.parent.is_dir():
        raise ConfigError("The folder does not exist.", where=str(options.out.parent), fix="Create it first.")
    options.out.write_text(text, encoding="utf-8")
    print(f"Wrote {options.out}. Edit data.path and model.formula, then: {PROGRAM} validate --config {options.out}")
    return 0


def _validate(options: argparse.Namespace) -> int:
    from dsam_assets.preflight import load_checked, preflight

    checked = preflight(load_checked(options.config))
    rows, terms = checked.design.matrix.values.shape
    if options.run_dir is not None or checked.loaded.config.outputs.run_dir is not None:
        from dsam_assets.validating import write_metadata

        print(f"Wrote the run's metadata to {write_metadata(checked.loaded, options.run_dir)}")
    print(f"{options.config} is valid: {checked.loaded.config.model.type}, {rows} rows, {terms} coefficients.")
    print(f"Next: {PROGRAM} run --config {options.config}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from dsam_assets.running import GATE_EXIT_STATUS, run_from_yaml
    from dsam_assets.terminal import listen, summary

    print(f"{options.config}", flush=True)
    handler = listen(sys.stdout)
    result = run_from_yaml(options.config, run_dir=options.run_dir, force=options.force, progress=sys.stderr.isatty())
    print(summary(result, handler))
    return GATE_EXIT_STATUS if result.status == "halted" else 0


def _sync(options: argparse.Namespace) -> int:
    from dsam_assets.serving import sync_markets

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
    from dsam_assets.serving import serve

    return serve(options.configs, options.port)


if __name__ == "__main__":
    sys.exit(main())
