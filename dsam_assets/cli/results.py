"""`dsam report` and `dsam compare`: reading what runs have left behind."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dsam_assets.cli.parser import add_command, refused_as


def add_commands(commands: Any) -> None:
    """Add both commands to the parser's."""
    more = (
        "RUN is a run folder, or a folder of run folders, whose newest is taken.\n\n"
        "examples:\n"
        "  dsam report configs/results --open     # the newest run, in the browser\n"
        "  dsam report configs/results --rebuild  # write it again from the run's tables\n"
        "  dsam report configs/results --out uk.html  # a copy made anew, e.g. to mail it"
    )
    report = add_command(
        commands, "report", _report, "say where a run's report is; open it, or write it again", more, quiet="its path"
    )
    report.add_argument("run", type=Path, metavar="RUN", help="run folder, or a folder of run folders")
    report.add_argument("--open", action="store_true", help="open it in the browser")
    where = report.add_mutually_exclusive_group()
    where.add_argument("--rebuild", action="store_true", help="write it again from the tables and figures of the run")
    where.add_argument("--out", type=Path, metavar="FILE", help="write it there instead; the run folder stays as it is")
    refused_as(report, lambda options: {"run_dir": str(options.run), "report": None, "verdict": None})

    more = (
        "Needs two run folders or more that explain the same data.\n\n"
        "example:\n  dsam compare configs/results/RUN1 configs/results/RUN2"
    )
    compare = add_command(
        commands, "compare", _compare, "rank finished runs by how well they predict", more,
        quiet="the recommended run, if there is one",
    )  # fmt: skip
    compare.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder")
    compare.add_argument(
        "--force-different-data", action="store_true", help="compare the shared rows of runs with different data"
    )
    refused_as(compare, lambda options: {"recommended": None, "runs": []})


def _report(options: argparse.Namespace) -> int:
    from dsam_assets.cli.reports import find_report, opened, report_document, report_text

    found = find_report(options.run, rebuild=options.rebuild, out=options.out)
    if options.json:
        from dsam_assets.cli.documents import as_json

        print(as_json(report_document(found)))
    else:
        print(found.page if options.quiet else report_text(found, opened=options.open))
    if options.open:
        opened(found.page)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from dsam_assets.cli.comparing import comparison_document, comparison_text
    from dsam_assets.comparing import compare_runs

    comparison = compare_runs(options.runs, force_different_data=options.force_different_data)
    if options.json:
        from dsam_assets.cli.documents import as_json

        print(as_json(comparison_document(comparison)))
    elif options.quiet:
        print(comparison.recommended, end="\n" if comparison.recommended else "")
    else:
        print(comparison_text(comparison))
    return 0
