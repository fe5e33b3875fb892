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
_EXCLUSIVE = re.compile(r"argument (.+): not allowed with argument (.+)")
_NO_NUMBER = re.compile(r"argument (.+): invalid int value: '(.*)'")
_NO_VALUE = re.compile(r"argument (.+): expected one argument")
_UNKNOWN = re.compile(r"unrecognized arguments: (.+)")


class UsageError(DsamError):
    """The command line is not one that the program knows."""


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` with a suggestion where argparse would print its own message and leave.

    Attributes:
        quiet: what `--quiet` leaves of a command's output; empty for a command that has neither `--quiet` nor `--json`.
    """

    def __init__(self, *, quiet: str = "", **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)
        self.quiet = quiet

    def add_amount(self) -> None:
        """Add the flags that all commands share, below a command's own."""
        if self.quiet:
            amount = self.add_mutually_exclusive_group()
            amount.add_argument("-q", "--quiet", action="store_true", help=f"print only {self.quiet}")
            amount.add_argument("--json", action="store_true", help="print one JSON document")

    @property
    def usage_line(self) -> str:
        """The command with its flags, on one line."""
        return " ".join(self.format_usage().removeprefix("usage: ").split())

    def flags(self, *, hidden: bool = False) -> list[str]:
        """The flags that help shows, or also those that programs alone use."""
        shown = [action for action in self._actions if hidden or action.help != argparse.SUPPRESS]
        return [flag for action in shown for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        what, fix = self._told(message)
        raise UsageError(what, where=self.prog, wanted=self.usage_line, fix=fix or f"{self.prog} --help says more.")

    def _told(self, message: str) -> tuple[str, str]:
        """argparse's message as a sentence, and a suggestion."""
        if found := _MISSING.fullmatch(message):
            return f"{found[1]} is missing.", ""
        if found := _CHOICE.fullmatch(message):
            choices = re.findall(r"[\w-]+", found[3])
            kind = "command" if found[1] == "COMMAND" else f"{found[1]} called"
            return f"There is no {kind} {found[2]}.", _nearest(found[2], choices) or f"One of: {', '.join(choices)}"
        if found := _EXCLUSIVE.fullmatch(message):
            return f"{found[1]} and {found[2]} exclude each other.", "Leave one of them out."
        if found := _NO_NUMBER.fullmatch(message):
            return f"{found[1]} needs a whole number, not {found[2]}.", ""
        if found := _NO_VALUE.fullmatch(message):
            return f"{found[1]} needs a value.", ""
        if found := _UNKNOWN.fullmatch(message):
            return f"This is not understood: {found[1]}", ""
        return f"{message[:1].upper()}{message[1:]}.", ""


def _nearest(word: str, choices: Sequence[str]) -> str:
    """A suggestion; dashes, which all flags have, make no word alike."""
    plain = {choice.strip("-"): choice for choice in choices}
    near = difflib.get_close_matches(word.strip("-"), list(plain), n=1)
    return f"Did you mean {plain[near[0]]}?" if near else ""


def require_known_words(given: Sequence[str], parser: Parser, commands: Mapping[str, Parser]) -> None:
    """Refuse what argparse would refuse with less to say: flags that do not exist or stand before the command, and a
    file without its flag.
    """
    if not given:
        return
    if given[0] in commands:
        _require_flags(given[1:], commands[given[0]])
        _require_flag_of_file(given[1:], commands[given[0]])
    elif given[0].startswith("-") and given[0] not in parser.flags():
        command = next((word for word in given if word in commands), "COMMAND")
        known = any(given[0] in each.flags() for each in commands.values())
        fix = f"Flags follow the command: {PROGRAM} {command} {given[0]}" if known else ""
        raise _no_flag(given[0], parser, fix)


def _require_flags(given: Sequence[str], command: Parser) -> None:
    """Refuse an unknown flag before asking for one that is missing: it was probably meant."""
    for word in given:
        flag = word.partition("=")[0]
        if word.startswith("--") and word != "--" and flag not in command.flags(hidden=True):
            raise _no_flag(flag, command)


def _no_flag(flag: str, command: Parser, fix: str = "") -> UsageError:
    fix = fix or _nearest(flag, command.flags()) or f"{command.prog} --help says more."
    return UsageError(f"There is no flag {flag}.", where=command.prog, wanted=command.usage_line, fix=fix)


def _require_flag_of_file(given: Sequence[str], command: Parser) -> None:
    """Say how a file is named when it stands alone, as in `dsam run uk.yaml`."""
    needed = [action.option_strings[0] for action in command._actions if action.required and action.option_strings]
    if needed and given[:1] and not given[0].startswith("-") and needed[0] not in given:
        raise UsageError(
            f"{needed[0]} is missing.",
            where=command.prog,
            wanted=command.usage_line,
            fix=f"{command.prog} {needed[0]} {' '.join(given)}",
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
    about = f"{brief[:1].upper()}{brief[1:]}."
    parser: Parser = commands.add_parser(name, help=brief, description=about, epilog=more, quiet=quiet)
    parser.set_defaults(command=run, parser=parser, refusal=dict)
    return parser


def refused_as(parser: argparse.ArgumentParser, refusal: Callable[[argparse.Namespace], Mapping[str, Any]]) -> None:
    """What `--json` prints of a refusal besides the error: the keys that the command's document always has."""
    parser.set_defaults(refusal=refusal)
