"""Model formulas: parsed, checked, and held as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dsam_assets.design.expansion import BarTerm, Expansion, Term
from dsam_assets.design.parser import SHIFTS, Piece, parse_sides
from dsam_assets.design.syntax import Call, Name, Node, Python, children, deparse, names_in
from dsam_assets.design.tokens import USE_COLUMN, formula_error, require_length
from dsam_assets.errors import FormulaError
from dsam_assets.scales import ResponseScale

__all__ = ["BarTerm", "Formula", "Term", "parse_formula"]


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula; safe to evaluate unless it has Python.

    Attributes:
        text: the formula as written.
        response: the left-hand side: a column, or `log` of one.
        response_scale: `log` when the response is `log(column)`.
        terms: population terms in R's order, without intercept, offsets and group terms.
        intercept: whether the population part has an intercept.
        bar_terms: group terms; `(1 | a/b)` becomes two, as in lme4.
        offsets: the arguments of `offset(…)`, on the model scale.
        names: first use of each column, in textual order.
        python: pieces of Python, which only a config that allows unsafe formulas can have.
    """

    text: str
    response: Node
    response_scale: ResponseScale
    terms: tuple[Term, ...]
    intercept: bool
    bar_terms: tuple[BarTerm, ...]
    offsets: tuple[Node, ...]
    names: tuple[Name, ...] = field(repr=False)
    python: tuple[str, ...] = ()

    @property
    def response_column(self) -> str:
        """The KPI's column, without its `log`."""
        return names_in(self.response)[0].name

    @property
    def variables(self) -> tuple[str, ...]:
        """All columns that the formula uses, in textual order."""
        return tuple(name.name for name in self.names)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the population terms, as R's `attr(terms(f), "term.labels")`."""
        return tuple(term.label for term in self.terms)


def parse_formula(text: str, *, unsafe: bool = False) -> Formula:
    """Parse a formula without ever executing any of it.

    Args:
        text: the formula.
        unsafe: take what the grammar refuses for Python, which is executed when the formula is evaluated.

    Raises:
        FormulaError: with the formula's line, a caret under the refused place, and what to write in its place.
    """
    if not unsafe:
        return _parsed(text, None)
    from dsam_assets.design.python_text import python_pieces

    require_length(text)
    return _parsed(text, python_pieces(text))


def _parsed(text: str, pieces: Mapping[int, Piece] | None) -> Formula:
    left, right = _sides(text, pieces)
    scale = _response_scale(text, left)
    expansion = Expansion(text)
    bits = expansion.additive(right)
    terms = expansion.terms(bits)
    nodes = [*(factor for term in terms for factor in term.factors), *expansion.offsets]
    names = [*expansion.group_names, *(name for node in nodes for name in names_in(node))]
    _refuse_response_as_predictor(text, names_in(left)[0].name, nodes, expansion.group_names)
    return Formula(
        text=text,
        response=left,
        response_scale=scale,
        terms=terms,
        intercept=expansion.intercept,
        bar_terms=tuple(expansion.bar_terms),
        offsets=tuple(expansion.offsets),
        names=_first_uses([*names_in(left), *names]),
        python=tuple(dict.fromkeys(piece.node.shown for piece in (pieces or {}).values())),
    )


def _sides(text: str, pieces: Mapping[int, Piece] | None) -> tuple[Node, Node]:
    """Both sides; what could be Python in braces is told so where Python is allowed."""
    try:
        return parse_sides(text, pieces)
    except FormulaError as error:
        if pieces is not None and error.fix == USE_COLUMN:
            error.fix = f"{USE_COLUMN}, or put it in braces to have it run as Python"
        raise


def _first_uses(names: Iterable[Name]) -> tuple[Name, ...]:
    first: dict[str, Name] = {}
    for name in sorted(names, key=lambda used: used.pos):
        first.setdefault(name.name, name)
    return tuple(first.values())


def _response_scale(text: str, node: Node) -> ResponseScale:
    match node:
        case Name():
            return "identity"
        case Call(function="log", args=(Name(),)):
            return "log"
        case Call(function="log", args=(inner,)):
            why = f"log({deparse(inner)}) is not supported as a response: exp() would not lead back to a KPI column"
        case Python(shown=shown):
            why = f"{shown} is Python, which is not supported on the response: nothing leads back to KPI units"
        case Call(shown=shown):
            why = f"{shown}() is not supported on the response: its results cannot be converted back to KPI units"
        case _:
            why = "The response must be one column"
    raise formula_error(
        text,
        node.pos,
        why,
        wanted="a column, or log(column)",
        fix="compute the response as a column of the data and use its name",
    )


def _refuse_response_as_predictor(text: str, response: str, nodes: list[Node], groups: list[Name]) -> None:
    """A KPI cannot explain itself; only its past (or future) values may."""
    for name in [*groups, *(name for node in nodes for name in _unshifted_names(node))]:
        if name.name == response:
            raise formula_error(
                text,
                name.pos,
                f"The response `{response}` is also used as a predictor",
                fix="remove it, or use lag() of it",
            )


def _unshifted_names(node: Node) -> list[Name]:
    if isinstance(node, Name):
        return [node]
    if isinstance(node, Call) and node.function in SHIFTS:
        return []
    return [name for child in children(node) for name in _unshifted_names(child)]
