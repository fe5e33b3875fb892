"""The command line's grammar: commands with examples and exit statuses, and refusals in the form of all others."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from dsam_assets.errors import DsamError

PROGRAM = "dsam"
EXIT_STATUSES = """\
exit status:
  0    done
  2    bad input, or a step failed: one message says what, where, what was
       wanted, and what to do
  3    a quality gate halted the run; the evidence is in its run folder
  130  interrupted: the next run reuses the steps that were finished"""
EPILOG = f"""\
first steps:
  dsam init --out configs/uk.yaml          a commented config to edit
  dsam validate --config configs/uk.yaml   check it: nothing is fitted
  dsam run --config configs/uk.yaml        fit, check, decompose, plan, report
  dsam report configs/results --open       read the newest run's report

{EXIT_STATUSES}

Colour is for terminals; NO_COLOR=1 turns it off. DSAM_BROWSER=none leaves out
the PNGs, which is quicker. DSAM_TRACEBACK=1 shows where an error came from."""

_MISSING = re.compile(r"the following arguments are required: (.+)")
_CHOICE = re.compile(r"argument (.+): invalid choice: '(.*)' \(choose from (.+)\)")
_UNKNOWN = re.compile(r"unrecognized arguments: (.+)")


class UsageError(DsamError):
    """The command line is not one that the program knows."""


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` with a suggestion where argparse would print its own message and leave."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        what, fix = self._told(message)
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise UsageError(what, where=self.prog, wanted=usage, fix=fix or f"{self.prog} --help says more.")

    def _told(self, message: str) -> tuple[str, str]:
        """argparse's message as a sentence, and a suggestion."""
        if found := _MISSING.fullmatch(message):
            return f"{found[1]} is missing.", ""
        if found := _CHOICE.fullmatch(message):
            choices = re.findall(r"[\w-]+", found[3])
            kind = "command" if found[1] == "COMMAND" else f"{found[1]} called"
            return f"There is no {kind} {found[2]}.", _nearest(found[2], choices) or f"One of: {', '.join(choices)}"
        if found := _UNKNOWN.fullmatch(message):
            return f"This is not understood: {found[1]}", ""
        return f"{message[:1].upper()}{message[1:]}.", ""


def _nearest(word: str, choices: Sequence[str]) -> str:
    """A suggestion; dashes, which all flags have, make no word alike."""
    plain = {choice.strip("-"): choice for choice in choices}
    near = difflib.get_close_matches(word.strip("-"), list(plain), n=1)
    return f"Did you mean {plain[near[0]]}?" if near else ""


def require_known_flags(given: Sequence[str], commands: Mapping[str, argparse.ArgumentParser]) -> None:
    """Refuse a flag that a command does not have before asking for one that it needs: it was probably meant."""
    command = next((commands[word] for word in given[:1] if word in commands), None)
    if command is None:
        return
    told = [action for action in command._actions if action.help != argparse.SUPPRESS]
    hidden = [flag for action in command._actions if action not in told for flag in action.option_strings]
    known = [flag for action in told for flag in action.option_strings]
    for word in given[1:]:
        flag = word.partition("=")[0]
        if word.startswith("--") and word != "--" and flag not in (*known, *hidden):
            raise UsageError(
                f"There is no flag {flag}.",
                where=command.prog,
                wanted=" ".join(command.format_usage().removeprefix("usage: ").split()),
                fix=_nearest(flag, known) or f"{command.prog} --help says more.",
            )


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], brief: str, more: str, *, quiet: str = ""
) -> Parser:
    """A command with its help.

    Args:
        commands: argparse's subparsers.
        name: the word.
        run: what it does; returns the exit status.
        brief: what it does, in the list of commands.
        more: examples and what to know, below its flags.
        quiet: what `--quiet` leaves; without it the command has neither `--quiet` nor `--json`.
    """
    parser: Parser = commands.add_parser(name, help=brief, description=f"{brief[:1].upper()}{brief[1:]}.", epilog=more)
    if quiet:
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument("-q", "--quiet", action="store_true", help=f"print only {quiet}")
        amount.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(command=run, parser=parser, refusal=dict)
    return parser


def refused_as(parser: argparse.ArgumentParser, refusal: Callable[[argparse.Namespace], Mapping[str, Any]]) -> None:
    """What `--json` prints of a refusal besides the error: the keys that the command's document always has."""
    parser.set_defaults(refusal=refusal)
