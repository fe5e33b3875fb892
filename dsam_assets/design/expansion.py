"""Expansion of a formula's right-hand side by R's rules.

It follows R's `terms.formula`: each distinct variable (a column or a call) is one bit, a term is a set of bits, and
`+ - : * / ^` combine lists of such sets. Terms come out with main effects first, then by degree, otherwise in the order
of their appearance; within a label, variables stand in the order in which the formula first names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from dsam_assets.design.syntax import (
    Bar,
    Call,
    Chain,
    Name,
    Node,
    Number,
    Paren,
    Power,
    Python,
    Sign,
    deparse,
    names_in,
)
from dsam_assets.design.tokens import formula_error
from dsam_assets.errors import FormulaError

MAX_TERMS = 500
MAX_EXPONENT = 6


@dataclass(frozen=True, slots=True)
class Term:
    """A predictor term: the product of its factors (columns or calls)."""

    factors: tuple[Node, ...]

    @property
    def label(self) -> str:
        """R's `term.labels` entry, e.g. `I(x^2)` or `m_tv:price`."""
        return ":".join(deparse(factor) for factor in self.factors)


@dataclass(frozen=True, slots=True)
class BarTerm:
    """`(terms | group)`: effects that vary by group; `group` holds the columns of its key (two for `market:brand`)."""

    terms: tuple[Term, ...]
    intercept: bool
    group: tuple[str, ...]


class Expansion:
    """Expands one side of a formula; a term is an int whose bits are its variables."""

    def __init__(self, text: str, *, within_bar: bool = False) -> None:
        self.text = text
        self.within_bar = within_bar
        self.variables: dict[Node, int] = {}
        self.first_nodes: list[Node] = []
        self.intercept = True
        self.offsets: list[Node] = []
        self.bar_terms: list[BarTerm] = []
        self.group_names: list[Name] = []

    def fail(self, pos: int, why: str, *, fix: str | None = None, wanted: str | None = None) -> FormulaError:
        return formula_error(self.text, pos, why, fix=fix, wanted=wanted)

    def terms(self, bits: list[int]) -> tuple[Term, ...]:
        """Terms in R's order: by degree, stable."""
        ordered = sorted(bits, key=int.bit_count)
        return tuple(
            Term(tuple(node for index, node in enumerate(self.first_nodes) if term >> index & 1)) for term in ordered
        )

    def additive(self, node: Node, adding: bool = True, top: bool = True) -> list[int]:
        """Terms of a sum; `adding` is false right of a minus, `top` is false within an interaction."""
        match node:
            case Paren(inner=Bar() as bar):
                self._bar(bar, allowed=adding and top)
                return []
            case Paren(inner=inner) | Sign(op="+", operand=inner):
                return self.additive(inner, adding, top)
            case Sign(operand=inner):
                if not top:
                    raise self.fail(
                        node.pos, "A minus sign has no meaning within an interaction", fix="use I(-x), or remove it"
                    )
                self.additive(inner, not adding, top)
                return []
            case Chain(steps=steps) if steps[0].op in "+-":
                return self._sum(node, adding, top)
            case Number():
                self._set_intercept(node, adding, top)
                return []
            case Call(function="offset"):
                self._offset(node, allowed=adding and top)
                return []
        return self._product(node)

    def _sum(self, chain: Chain, adding: bool, top: bool) -> list[int]:
        result = dict.fromkeys(self.additive(chain.first, adding, top))
        for step in chain.steps:
            if step.op == "+":
                result.update(dict.fromkeys(self.additive(step.operand, adding, top)))
                self._limit(len(result), step.pos)
            else:
                for term in self.additive(step.operand, not adding, top):
                    result.pop(term, None)
        return list(result)

    def _product(self, node: Node) -> list[int]:
        match node:
            case Name() | Call() | Python():
                return [self._variable(node)]
            case Chain(first=first, steps=steps):
                result = self._operand(first)
                for step in steps:
                    result = self._combine(step.op, result, self._operand(step.operand), step.pos)
                return result
            case Power():
                return self._power(node)
        raise self.fail(node.pos, "This cannot be a term of the model")

    def _operand(self, node: Node) -> list[int]:
        return self.additive(node, top=False)

    def _variable(self, node: Node) -> int:
        if node not in self.variables:
            self.variables[node] = 1 << len(self.first_nodes)
            self.first_nodes.append(node)
        return self.variables[node]

    def _combine(self, op: str, left: list[int], right: list[int], pos: int) -> list[int]:
        crossed = len(left) * len(right)
        self._limit({":": crossed, "*": len(left) + len(right) + crossed, "/": len(left) + len(right)}[op], pos)
        if op == "/":
            together = 0
            for term in left:
                together |= term
            return _distinct([*left, *(together | term for term in right)])
        products = [a | b for a in left for b in right]
        return _distinct(products if op == ":" else [*left, *right, *products])

    def _power(self, node: Power) -> list[int]:
        base = self._operand(node.base)
        times = node.exponent.value if isinstance(node.exponent, Number) else 0.0
        if not (times.is_integer() and 1 <= times <= MAX_EXPONENT):
            raise self.fail(
                node.exponent.pos,
                "Outside a call, ^ crosses terms with each other",
                wanted=f"a whole exponent from 1 to {MAX_EXPONENT}",
                fix="write I(x^p) for a power of a column",
            )
        self._limit(sum(comb(len(base), k) for k in range(1, int(times) + 1)), node.exponent.pos)
        result = base
        for _ in range(int(times) - 1):
            result = _distinct([a | b for a in base for b in result])
        return result

    def _limit(self, count: int, pos: int) -> None:
        if count > MAX_TERMS:
            raise self.fail(
                pos,
                f"The formula grows to {count:,} terms here",
                wanted=f"at most {MAX_TERMS}",
                fix="name the terms that matter",
            )

    def _set_intercept(self, node: Number, adding: bool, top: bool) -> None:
        if not top:
            raise self.fail(
                node.pos, "A number cannot be part of an interaction", fix="write 1 or 0 as a term of its own"
            )
        if node.value not in (0.0, 1.0):
            raise self.fail(
                node.pos,
                "A number is not a term",
                wanted="1 or 0, for with or without intercept",
                fix="write I(…) for arithmetic or offset(…) for a fixed amount",
            )
        self.intercept = (node.value == 1.0) == adding

    def _offset(self, call: Call, allowed: bool) -> None:
        if not allowed or self.within_bar:
            raise self.fail(call.pos, "offset() can only be added, as a term of its own", fix="write + offset(…)")
        self.offsets.append(call.args[0])

    def _bar(self, bar: Bar, allowed: bool) -> None:
        if not allowed or self.within_bar:
            raise self.fail(
                bar.pos, "A group term can only be added, as a term of its own", fix="write + (1 + x | group)"
            )
        inner = Expansion(self.text, within_bar=True)
        terms = inner.terms(inner.additive(bar.effects))
        if not (terms or inner.intercept):
            raise self.fail(bar.pos, "This group term has no effects", fix="write (1 | group)")
        self.group_names += [name for term in terms for factor in term.factors for name in names_in(factor)]
        for key in self._group_keys(bar.group):
            self.group_names += key
            self._add_bar(BarTerm(terms, inner.intercept, tuple(dict.fromkeys(name.name for name in key))), bar.pos)

    def _add_bar(self, new: BarTerm, pos: int) -> None:
        for old in self.bar_terms:
            if set(old.group) == set(new.group) and (
                (old.intercept and new.intercept) or set(old.terms) & set(new.terms)
            ):
                raise self.fail(
                    pos, f"The same effect varies by {':'.join(new.group)} twice", fix="name it once per group"
                )
        self.bar_terms.append(new)

    def _group_keys(self, node: Node) -> list[tuple[Name, ...]]:
        """Keys of a grouping expression: `a:b` is one composite key, `a/b` is the keys `a` and `a:b`."""
        match node:
            case Name():
                return [(node,)]
            case Paren(inner=inner):
                return self._group_keys(inner)
            case Chain(first=first, steps=steps) if all(step.op == ":" for step in steps):
                return [tuple(name for part in (first, *(s.operand for s in steps)) for name in self._one_key(part))]
            case Chain(first=first, steps=steps) if all(step.op == "/" for step in steps):
                keys = [self._one_key(first)]
                for step in steps:
                    keys.append(keys[-1] + self._one_key(step.operand))
                return keys
        raise self.fail(
            node.pos, "A group is a column, or columns joined by :", fix="write one group term per grouping column"
        )

    def _one_key(self, node: Node) -> tuple[Name, ...]:
        keys = self._group_keys(node)
        if len(keys) != 1:
            raise self.fail(
                node.pos, "Nesting cannot stand within a composite group", fix="write the composite groups out"
            )
        return keys[0]


def _distinct(terms: list[int]) -> list[int]:
    return list(dict.fromkeys(terms))
