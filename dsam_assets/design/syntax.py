"""The syntax tree of a formula, and its text in R's spelling.

The tree is data: no node is ever handed to an interpreter, but for `Python`, which only a config that allows it can
have. Positions are left out of comparisons, so that two nodes
are equal when R would call them the same variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dsam_assets.design.tokens import is_plain_name


@dataclass(frozen=True, slots=True)
class Name:
    """A column."""

    name: str
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A literal; `whole` keeps R's `L` suffix, which shows in labels."""

    value: float
    whole: bool = False
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Sign:
    """Unary plus or minus."""

    op: str
    operand: Node
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One operator and its right operand within a chain."""

    op: str
    operand: Node
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """Left-associative operators of one precedence, flat: a sum of 500 terms must not be a tree 500 deep."""

    first: Node
    steps: tuple[Step, ...]
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Power:
    """`base ^ exponent`."""

    base: Node
    exponent: Node
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Paren:
    """Parentheses, kept because R's labels keep them."""

    inner: Node
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Bar:
    """`effects | group`, only ever inside parentheses."""

    effects: Node
    group: Node
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an allowed function; `shown` is the name as written, e.g. `dplyr::lag`; `keys` names its arguments."""

    function: str
    args: tuple[Node, ...]
    shown: str
    keys: tuple[str, ...] = ()
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Python:
    """A piece of Python, where `security.allow_unsafe_formula` lets it in; `shown` is its text as written."""

    code: str
    names: tuple[Name, ...]
    shown: str = field(compare=False)
    pos: int = field(default=0, compare=False)


type Node = Name | Number | Sign | Chain | Power | Paren | Bar | Call | Python

_SPACED = frozenset("+-*|")


def children(node: Node) -> tuple[Node, ...]:
    """Direct children, left to right."""
    match node:
        case Name() | Number():
            return ()
        case Sign(operand=inner) | Paren(inner=inner):
            return (inner,)
        case Chain(first=first, steps=steps):
            return (first, *(step.operand for step in steps))
        case Power(base=left, exponent=right) | Bar(effects=left, group=right):
            return (left, right)
        case Call(args=args):
            return args
        case Python(names=names):
            return names


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in textual order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def names_in(node: Node) -> tuple[Name, ...]:
    """Columns used by a node, in textual order, repeats included."""
    return tuple(part for part in walk(node) if isinstance(part, Name))


def quote_name(name: str) -> str:
    """A column name as it stands in a formula: back-quoted where it is not a plain name."""
    return name if is_plain_name(name) else f"`{name}`"


def deparse(node: Node) -> str:
    """A node's text with R's spacing: blanks around `+ - * |`, none around `/ ^ :`."""
    match node:
        case Name(name=name):
            return quote_name(name)
        case Number(value=value, whole=whole):
            return number_text(value) + "L" * whole
        case Sign(op=op, operand=operand):
            return op + deparse(operand)
        case Paren(inner=inner):
            return f"({deparse(inner)})"
        case Power(base=base, exponent=exponent):
            return f"{deparse(base)}^{deparse(exponent)}"
        case Bar(effects=effects, group=group):
            return f"{deparse(effects)} | {deparse(group)}"
        case Chain(first=first, steps=steps):
            return deparse(first) + "".join(_step_text(step) for step in steps)
        case Call():
            return _call_text(node)
        case Python(shown=shown):
            return shown


def _step_text(step: Step) -> str:
    blank = " " if step.op in _SPACED else ""
    return f"{blank}{step.op}{blank}{deparse(step.operand)}"


def _call_text(call: Call) -> str:
    keys = call.keys or ("",) * len(call.args)
    args = (f"{key} = {deparse(arg)}" if key else deparse(arg) for key, arg in zip(keys, call.args, strict=True))
    return f"{call.shown}({', '.join(args)})"


def number_text(value: float) -> str:
    """A number as R prints it: up to 15 digits, scientific only where that is shorter (`1e+05`, but `1000`)."""
    digits = next((d for d in range(15) if float(f"{value:.{d}e}") == float(f"{value:.14e}")), 14)
    scientific = f"{value:.{digits}e}"
    exponent = int(scientific.split("e")[1])
    fixed = f"{value:.{max(0, digits - exponent)}f}"
    return fixed if len(fixed) <= len(scientific) else scientific
