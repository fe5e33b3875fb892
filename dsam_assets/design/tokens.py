"""Formula text to tokens, and refusals that point at the offending character."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dsam_assets.errors import FormulaError

MAX_LENGTH = 10_000
MAX_NUMBER_LENGTH = 32
SMALLEST, LARGEST = 1e-300, 1e300
SHOWN_WIDTH = 100

TokenKind = Literal["name", "quoted", "number", "operator", "python", "end"]

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?L?")
_OPERATORS = ("::", "~", "+", "-", "*", "/", "^", ":", "|", "(", ")", ",", "=")
_RESERVED_CONSTANTS = ("TRUE", "FALSE", "NULL", "Inf", "NaN", "NA", "NA_integer_", "NA_real_", "NA_character_")
_RESERVED = frozenset(("if", "else", "repeat", "while", "function", "for", "next", "break", "in", *_RESERVED_CONSTANTS))
_QUOTE_IT = "write the column name in back quotes, like `my column`, or rename the column"
USE_COLUMN = "compute the column in the data and use its name"
# Things people type, longest first; what is not listed gets the general answer.
_FOREIGN: tuple[tuple[str, str, str], ...] = (
    (":::", "`:::` reaches into a package and is not allowed", "use an allowed call by its plain name"),
    ("**", "`**` is not an operator here", "write ^ for a power"),
    ("||", "`||` is not needed: group effects are independent of each other already", "write a single |"),
    ("==", "comparisons are not allowed in a formula", USE_COLUMN),
    ("%", "operators between percent signs (such as %in%) are not supported", "write nesting as a/b or a + a:b"),
    ("<-", "a formula cannot assign", "remove the assignment"),
    ("<", "comparisons are not allowed in a formula", USE_COLUMN),
    (">", "comparisons are not allowed in a formula", USE_COLUMN),
    ("!", "logical operators are not allowed in a formula", USE_COLUMN),
    ("&", "logical operators are not allowed in a formula", USE_COLUMN),
    ('"', "text in quotes is not allowed in a formula", _QUOTE_IT),
    ("'", "text in quotes is not allowed in a formula", _QUOTE_IT),
    ("{", "code is not allowed in a formula", "use column names, operators and the allowed calls only"),
    ("[", "indexing is not allowed in a formula", USE_COLUMN),
    ("$", "`$` is not allowed in a formula", "write the column name alone"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is the name (without back quotes), number or operator, `pos` its place in the formula."""

    kind: TokenKind
    text: str
    pos: int


def formula_error(
    text: str, pos: int, why: str, *, fix: str | None = None, wanted: str | None = None, got: str | None = None
) -> FormulaError:
    """A refusal that shows the formula's line with a caret under position `pos`."""
    start = text.rfind("\n", 0, pos) + 1
    end = text.find("\n", pos)
    line, column = text[start : len(text) if end < 0 else end], pos - start
    cut = max(0, column - SHOWN_WIDTH // 2)
    line, column = line[cut : cut + SHOWN_WIDTH], column - cut
    shown = "".join(ch if ch.isprintable() else " " if ch.isspace() else "?" for ch in line)
    lead = "… " if cut else ""
    return FormulaError(
        f"{why}\n\n    {lead}{shown}\n    {' ' * (len(lead) + _width(shown[:column]))}^",
        where="model formula",
        got=got,
        wanted=wanted,
        fix=fix,
    )


def _width(text: str) -> int:
    """Terminal cells that `text` takes, so that the caret stays under its character."""
    return sum(0 if unicodedata.combining(ch) else 1 + (unicodedata.east_asian_width(ch) in "WF") for ch in text)


def is_plain_name(name: str) -> bool:
    """Whether a column name can stand in a formula without back quotes (R's rule for syntactic names)."""
    return name not in _RESERVED and bool(name.strip(".")) and name_end(name, 0) == len(name)


def tokenize(text: str, python: Mapping[int, int] | None = None) -> list[Token]:
    """Split a formula into tokens, the last of kind `end`.

    Args:
        text: the formula.
        python: where pieces of Python start and end; each is one token.

    Raises:
        FormulaError: for text that is too long or holds a character that has no place in a formula.
    """
    require_length(text)
    tokens: list[Token] = []
    pos = 0
    while pos < len(text):
        if text[pos] in " \t\r\n\f":
            pos += 1
            continue
        if python and pos in python:
            token, pos = Token("python", text[pos : python[pos]], pos), python[pos]
        else:
            token, pos = _next_token(text, pos)
        tokens.append(token)
    return [*tokens, Token("end", "the end of the formula", len(text))]


def require_length(text: str) -> None:
    """Refuse what is no text, or too much of it."""
    if not isinstance(text, str):
        raise FormulaError("The formula is not text", where="model formula", got=repr(text)[:80], wanted="y ~ x1 + x2")
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            "The formula is too long",
            where="model formula",
            got=f"{len(text):,} characters, starting with {text[:60]!r}",
            wanted=f"at most {MAX_LENGTH:,} characters",
            fix="combine columns in the data",
        )


def _next_token(text: str, pos: int) -> tuple[Token, int]:
    if text[pos] == "`":
        return _quoted(text, pos)
    if number := _NUMBER.match(text, pos):
        return _number(text, pos, number.group())
    if (end := name_end(text, pos)) > pos:
        return _name(text, pos, end)
    for foreign, why, fix in _FOREIGN:
        if text.startswith(foreign, pos):
            raise formula_error(text, pos, f"In a formula, {why}", fix=fix)
    for operator in _OPERATORS:
        if text.startswith(operator, pos):
            return Token("operator", operator, pos), pos + len(operator)
    raise _odd_character(text, pos)


def name_end(text: str, pos: int) -> int:
    """End of the name that starts at `pos`; `pos` itself when no name starts there."""
    if pos >= len(text) or not (text[pos].isalpha() or text[pos] == "."):
        return pos
    if text[pos] == "." and text[pos + 1 : pos + 2].isdigit():
        return pos
    end = pos + 1
    while end < len(text) and (text[end] in "._" or ("a" + text[end]).isidentifier()):
        end += 1
    return end


def number_end(text: str, pos: int) -> int:
    """End of the number that starts at `pos`; `pos` itself when none starts there."""
    number = _NUMBER.match(text, pos)
    return number.end() if number else pos


def _name(text: str, pos: int, end: int) -> tuple[Token, int]:
    name = text[pos:end]
    if not name.strip("."):
        why = f"`{name}` (all other columns) is not supported"
        raise formula_error(text, pos, why, fix="name every predictor, so that a new column cannot change the model")
    if name in _RESERVED:
        raise formula_error(text, pos, f"`{name}` is a reserved word, not a column name", fix=_QUOTE_IT)
    return Token("name", name, pos), end


def _quoted(text: str, pos: int) -> tuple[Token, int]:
    end = text.find("`", pos + 1)
    if end < 0:
        raise formula_error(text, pos, "This back quote is never closed", fix="add a back quote after the column name")
    name = text[pos + 1 : end]
    if not name or not name.isprintable():
        raise formula_error(text, pos, "The back quotes hold no usable column name", fix="rename the column")
    return Token("quoted", name, pos), end + 1


def _number(text: str, pos: int, number: str) -> tuple[Token, int]:
    value = math.nan if len(number) > MAX_NUMBER_LENGTH else float(number.rstrip("L"))
    is_zero = not any(ch in "123456789" for ch in number.lower().split("e")[0])
    if not (is_zero or SMALLEST <= value <= LARGEST) or math.isnan(value):
        raise formula_error(
            text,
            pos,
            "This number cannot be represented",
            wanted=f"at most {MAX_NUMBER_LENGTH} characters and a size between {SMALLEST:g} and {LARGEST:g}",
        )
    if number.endswith("L") and not value.is_integer():
        raise formula_error(text, pos, "`L` marks a whole number", fix="remove the L")
    return Token("number", number, pos), pos + len(number)


def _odd_character(text: str, pos: int) -> FormulaError:
    ch = text[pos]
    name = unicodedata.name(ch, "a control or unassigned character")
    look = unicodedata.normalize("NFKC", ch)
    lookalikes = {"−": "-", "–": "-", "—": "-", "×": "*", "∗": "*", "∼": "~", "˜": "~", "’": "`", "‘": "`"}
    meant = lookalikes.get(ch, look if look in {"~", "+", "-", "*", "/", "^", ":", "|", "(", ")", " "} else "")
    shown = repr(ch) if ch.isprintable() else "This character"
    fix = f"type a plain {meant!r} in its place" if meant else _QUOTE_IT
    if ch == "_":
        return formula_error(text, pos, "A name cannot start with an underscore", fix=_QUOTE_IT)
    return formula_error(text, pos, f"{shown} (U+{ord(ch):04X}, {name}) has no place in a formula", fix=fix)
