"""The names that statsmodels gives to columns and responses, in R's notation.

statsmodels names a column by the Python text of its factors (patsy's names): `np.log(z)`, `I(x ** 2)`,
`C(region)[T.north]:x`. The text is read with Python's own grammar and written anew; it is never run.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from dsam_assets.design.syntax import number_text, quote_name
from dsam_assets.errors import DesignError

# Python's names of functions, with or without the module's, and ours.
FUNCTIONS: Mapping[str, str] = {
    "log": "log",
    "exp": "exp",
    "sqrt": "sqrt",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arctan": "atan",
    "abs": "abs",
    "absolute": "abs",
    "maximum": "pmax",
    "minimum": "pmin",
    "I": "I",
}
# Operator, its precedence, and those of the operands below which they need parentheses.
_BINARY: Mapping[type[ast.operator], tuple[str, int, int, int]] = {
    ast.Add: (" + ", 1, 1, 2),
    ast.Sub: (" - ", 1, 1, 2),
    ast.Mult: (" * ", 2, 2, 3),
    ast.Div: ("/", 2, 2, 3),
    ast.Pow: ("^", 4, 5, 3),
}
_SIGN = 3
_WHOLE = 6


@dataclass(frozen=True)
class Part:
    """One factor of a column: its text in R's notation and, for a categorical one, the suffix that names the level."""

    factor: str
    suffix: str | None = None


def column_parts(name: str) -> tuple[Part, ...]:
    """The factors of a column: `C(region)[T.north]:x` → (`region`, `T.north`), (`x`, None).

    Raises:
        DesignError: a factor that has no counterpart in R's notation here.
    """
    return tuple(_part(text, name) for text in _split(name))


def translated(text: str, column: str) -> str:
    """A Python expression in R's notation.

    Args:
        text: the expression, e.g. `np.log(z + 1)`.
        column: the column or response that it is a part of, for the error's text.

    Raises:
        DesignError: the text has no counterpart here.
    """
    return _text(_tree(text, column), column)[0]


def difference(text: str, column: str) -> tuple[str, str] | None:
    """Both sides of `I(a - b)` in R's notation; `None` for any other expression."""
    match _tree(text, column):
        case ast.Call(func=ast.Name(id="I"), args=[ast.BinOp(left=left, op=ast.Sub(), right=right)], keywords=[]):
            return _text(left, column)[0], _text(right, column)[0]
    return None


def _split(name: str) -> list[str]:
    """Split at colons outside brackets and quotes."""
    pieces, depth, quote = [""], 0, ""
    for character in name:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "([") - (character in ")]")
        if character == ":" and not depth and not quote:
            pieces.append("")
        else:
            pieces[-1] += character
    return pieces


def _part(text: str, column: str) -> Part:
    start = text.rfind("[")
    if text.endswith("]") and start > 0:
        return Part(translated(text[:start], column), text[start + 1 : -1])
    return Part(translated(text, column))


def _tree(text: str, column: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _refused(column, "it cannot be read as an expression") from error


def _text(node: ast.expr, column: str) -> tuple[str, int]:
    """The node's text and how strongly it binds."""
    match node:
        case ast.Name(id=name):
            return quote_name(name), _WHOLE
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return number_text(float(value)), _WHOLE
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            sign, own, least_left, least_right = _BINARY[type(op)]
            return f"{_within(left, least_left, column)}{sign}{_within(right, least_right, column)}", own
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            return ("-" if isinstance(op, ast.USub) else "+") + _within(operand, _SIGN, column), _SIGN
        case ast.Call(func=function, args=args, keywords=[]):
            return _call(function, args, column), _WHOLE
    raise _refused(column, f"{ast.unparse(node)} has no counterpart here")


def _within(node: ast.expr, least: int, column: str) -> str:
    text, strength = _text(node, column)
    return text if strength >= least else f"({text})"


def _call(function: ast.expr, args: list[ast.expr], column: str) -> str:
    match function:
        case ast.Name(id="Q"):
            if len(args) == 1 and isinstance(args[0], ast.Constant) and isinstance(args[0].value, str):
                return quote_name(args[0].value)
        case ast.Name(id="C"):
            if len(args) == 1 and isinstance(args[0], ast.Name | ast.Call):
                return _text(args[0], column)[0]
            raise _refused(column, "only C(column) is known, which codes levels against the first")
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name):
            if name == "log1p" and len(args) == 1:
                return f"log(1 + {_within(args[0], 2, column)})"
            if name in FUNCTIONS:
                return f"{FUNCTIONS[name]}({', '.join(_text(arg, column)[0] for arg in args)})"
    raise _refused(column, f"{ast.unparse(function)}() has no counterpart here")


def _refused(column: str, why: str) -> DesignError:
    return DesignError(
        f"The term {column} of the OLS fit cannot be written in R's notation: {why}.",
        where="OLS results",
        got=column,
        wanted="columns, C(column), I(…) and " + ", ".join(name for name in (*FUNCTIONS, "log1p") if name != "I"),
        fix="Compute the term as a column of the data, and fit the OLS to that.",
    )
