"""Recursive descent from formula text to syntax tree, with R's precedence.

From weakest to strongest: `~`, `|`, `+ -`, `* /`, `:`, unary `+ -`, `^` (right-associative). So `-a:b` is `(-a):b` and
`-a^2` is `-(a^2)`, as in R's grammar.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dsam_assets.design.syntax import Bar, Call, Chain, Name, Node, Number, Paren, Power, Python, Sign, Step
from dsam_assets.design.tokens import Token, formula_error, tokenize
from dsam_assets.errors import FormulaError

MAX_DEPTH = 50
MAX_LAG = 10_000

# Name → fewest and most arguments.
ALLOWED_CALLS: dict[str, tuple[int, int]] = {
    "log": (1, 1),
    "exp": (1, 1),
    "sqrt": (1, 1),
    "atan": (1, 1),
    "sin": (1, 1),
    "cos": (1, 1),
    "tan": (1, 1),
    "I": (1, 1),
    "offset": (1, 1),
    "pmax": (2, 20),
    "pmin": (2, 20),
    "abs": (1, 1),
    "lag": (1, 2),
    "lead": (1, 2),
}
SHIFTS = ("lag", "lead")
_HINTS = {
    "factor": "write the column alone: text columns become factors by themselves",
    "as.factor": "write the column alone: text columns become factors by themselves",
    "C": "write the column alone: text columns become factors by themselves",
    "poly": "write x + I(x^2)",
    "log1p": "write log(x + 1)",
    "log10": "write log(x)",
    "log2": "write log(x)",
    "scale": "set model.scale: true",
    "ns": "compute the spline columns in the data",
    "bs": "compute the spline columns in the data",
    "s": "compute the spline columns in the data",
    "ifelse": "compute the column in the data",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of Python in a formula, and where it ends."""

    end: int
    node: Python


def parse_sides(text: str, pieces: Mapping[int, Piece] | None = None) -> tuple[Node, Node]:
    """Parse `response ~ predictors` into its two trees.

    Args:
        text: the formula.
        pieces: Python that stands in it, by place.

    Raises:
        FormulaError: with a caret under the place where the text stops being an allowed formula.
    """
    return _Parser(text, pieces or {}).sides()


class _Parser:
    """A cursor over the tokens; one method per level of precedence."""

    def __init__(self, text: str, pieces: Mapping[int, Piece]) -> None:
        self.text = text
        self.pieces = pieces
        self.tokens = tokenize(text, {start: piece.end for start, piece in pieces.items()})
        self.index = 0
        self.depth = 0
        self.calls = 0  # how many calls enclose the cursor: inside one, operators are arithmetic

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def fail(self, pos: int, why: str, *, fix: str | None = None, wanted: str | None = None) -> FormulaError:
        return formula_error(self.text, pos, why, fix=fix, wanted=wanted)

    def ended(self) -> bool:
        return self.token.kind == "end"

    def at(self, *operators: str) -> bool:
        return self.token.kind == "operator" and self.token.text in operators

    def take(self) -> Token:
        token = self.token
        self.index += 1
        return token

    def expect(self, operator: str, opened: Token) -> None:
        if not self.at(operator):
            raise self.fail(
                self.token.pos, f"Expected `{operator}` for the `(` at character {opened.pos + 1}, found {self._seen()}"
            )
        self.take()

    def _seen(self) -> str:
        return self.token.text if self.ended() else f"`{self.token.text}`"

    def sides(self) -> tuple[Node, Node]:
        if self.at("~") or self.ended():
            raise self.fail(self.token.pos, "The formula has no response", wanted="response ~ predictors")
        left = self.bar()
        if not self.at("~"):
            raise self.fail(
                self.token.pos, f"Expected `~` after the response, found {self._seen()}", wanted="response ~ predictors"
            )
        self.take()
        right = self.bar()
        if not self.ended():
            raise self._not_the_end()
        if isinstance(right, Bar):
            raise self.fail(right.pos, "A group term needs parentheses", fix="write it as (1 + x | group)")
        return left, right

    def _not_the_end(self) -> FormulaError:
        if self.at("~"):
            return self.fail(self.token.pos, "A formula has one `~`")
        if self.at(")"):
            return self.fail(self.token.pos, "This `)` was never opened")
        return self.fail(self.token.pos, f"Expected an operator, found {self._seen()}", fix="put + between terms")

    def bar(self) -> Node:
        left = self.sum()
        if not self.at("|"):
            return left
        token = self.take()
        if self.calls:
            raise self.fail(token.pos, "`|` cannot stand inside a call")
        return Bar(left, self.sum(), token.pos)

    def sum(self) -> Node:
        return self._chain(("+", "-"), self.product)

    def product(self) -> Node:
        return self._chain(("*", "/"), self.colon)

    def colon(self) -> Node:
        node = self._chain((":",), self.unary)
        if self.calls and isinstance(node, Chain):
            raise self.fail(
                node.steps[0].pos,
                "`:` is an interaction; inside a call there is only arithmetic",
                fix="write * for a product",
            )
        return node

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        first = operand()
        steps = []
        while self.at(*operators):
            token = self.take()
            steps.append(Step(token.text, operand(), token.pos))
        return Chain(first, tuple(steps), first.pos) if steps else first

    def unary(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(
                self.token.pos, f"The formula is nested more than {MAX_DEPTH} levels deep", fix="simplify it"
            )
        if self.at("+", "-"):
            token = self.take()
            node: Node = Sign(token.text, self.unary(), token.pos)
        else:
            node = self.power()
        self.depth -= 1
        return node

    def power(self) -> Node:
        base = self.atom()
        if not self.at("^"):
            return base
        token = self.take()
        return Power(base, self.unary(), token.pos)

    def atom(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return Number(float(token.text.rstrip("L")), token.text.endswith("L"), token.pos)
        if token.kind == "quoted":
            if self.at("("):
                raise self.fail(
                    token.pos, "A column cannot be called", fix="remove the back quotes around a function's name"
                )
            return Name(token.text, token.pos)
        if token.kind == "python":
            return self.pieces[token.pos].node
        if token.kind == "name":
            return self.call(token) if self.at("(", "::") else Name(token.text, token.pos)
        if token.text == "(":
            inner = self.bar()
            self.expect(")", token)
            return Paren(inner, token.pos)
        self.index -= 1
        raise self.fail(token.pos, f"Expected a column, a number, a call or `(`, found {self._seen()}")

    def call(self, token: Token) -> Node:
        function, shown = self._function(token)
        opened = self.take()
        self.calls += 1
        args, keys = self._arguments(function, opened)
        self.calls -= 1
        node = Call(function, tuple(args), shown, tuple(keys) if any(keys) else (), token.pos)
        self._check_arguments(node)
        return node

    def _function(self, token: Token) -> tuple[str, str]:
        if not self.at("::"):
            self._check_function(token, token.text)
            return token.text, token.text
        self.take()
        name = self.take()
        shown = f"{token.text}::{name.text}"
        if name.kind != "name" or not self.at("("):
            raise self.fail(
                token.pos, "`::` must name a function and be followed by `(`", fix="write : for an interaction"
            )
        if token.text != "dplyr" or name.text not in SHIFTS:
            raise self.fail(token.pos, f"`{shown}` is not an allowed call", wanted="dplyr::lag or dplyr::lead")
        return name.text, shown

    def _check_function(self, token: Token, function: str) -> None:
        if function not in ALLOWED_CALLS:
            near = difflib.get_close_matches(function[:40], ALLOWED_CALLS, n=1, cutoff=0.6)
            fix = _HINTS.get(function) or (
                f"did you mean {near[0]}?" if near else "compute the column in the data and use its name"
            )
            raise self.fail(
                token.pos, f"`{function}` is not an allowed call", fix=fix, wanted="one of " + ", ".join(ALLOWED_CALLS)
            )
        if function == "offset" and self.calls:
            raise self.fail(
                token.pos, "offset() cannot stand inside another call", fix="write offset(…) as a term of its own"
            )

    def _arguments(self, function: str, opened: Token) -> tuple[list[Node], list[str]]:
        args: list[Node] = []
        keys: list[str] = []
        if self.at(")"):
            raise self.fail(self.token.pos, f"{function}() needs an argument")
        while True:
            keys.append(self._key(function, len(args)))
            args.append(self.sum())
            if not self.at(","):
                break
            self.take()
        if self.at("|"):
            raise self.fail(self.token.pos, "`|` cannot stand inside a call")
        self.expect(")", opened)
        return args, keys

    def _key(self, function: str, position: int) -> str:
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        if following.kind != "operator" or following.text != "=":
            return ""
        token = self.take()
        if function not in SHIFTS or token.text != "n" or position != 1:
            raise self.fail(
                token.pos,
                f"{function}() takes no argument named `{token.text}` here",
                wanted="named arguments: only n of lag and lead",
            )
        self.take()
        return token.text

    def _check_arguments(self, call: Call) -> None:
        fewest, most = ALLOWED_CALLS[call.function]
        if not fewest <= len(call.args) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise self.fail(call.pos, f"{call.function}() takes {wanted} argument(s), got {len(call.args)}")
        if call.function in SHIFTS and len(call.args) == 2:
            steps = call.args[1]
            if not isinstance(steps, Number) or not (steps.value.is_integer() and 1 <= steps.value <= MAX_LAG):
                raise self.fail(
                    steps.pos, f"{call.function}() shifts by a whole number of rows", wanted=f"1 to {MAX_LAG:,}"
                )
