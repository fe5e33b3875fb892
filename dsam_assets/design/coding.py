"""How terms become columns: which levels of a factor get one, and what each is called.

formulaic decides how factors and their interactions are coded. It sees generated names (`v0`, `v1`, …) and a frame of a
few rows that holds each level once, never the user's text and never the data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import pandas as pd

from dsam_assets.design.columns import Basis, Factor
from dsam_assets.design.formula import Formula
from dsam_assets.design.syntax import Node, deparse
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray

INTERCEPT = "(Intercept)"
MAX_COLUMNS = 2_000
_CODED = re.compile(r"v(\d+)(?:\[(?:T\.)?(\d+)\])?")

type Variable = FloatArray | Factor | Basis


@dataclass(frozen=True)
class Column:
    """One design column: the product of its parts, each a variable and, for a factor or a basis, the level it marks or
    the column it takes.
    """

    parts: tuple[tuple[Node, int | None], ...]


def plan_columns(formula: Formula, variables: Mapping[Node, Variable]) -> tuple[Column, ...]:
    """The design's columns, intercept first when there is one; formulaic is asked only where a factor takes part."""
    if any(isinstance(variable, Factor) for variable in variables.values()):
        columns = _coded_columns(formula, variables)
    else:
        numeric = (Column(tuple((factor, None) for factor in term.factors)) for term in formula.terms)
        columns = (*([Column(())] if formula.intercept else []), *numeric)
    if not columns:
        raise DesignError(
            "The formula has no predictors and no intercept", where="model formula", got=formula.text[:200]
        )
    return tuple(spread for column in columns for spread in _spread(column, variables))


def _spread(column: Column, variables: Mapping[Node, Variable]) -> list[Column]:
    """A column for each combination of the columns that its variables have."""
    choices: list[list[tuple[Node, int | None]]] = []
    for node, level in column.parts:
        variable = variables[node]
        takes = range(len(variable.names)) if isinstance(variable, Basis) else [level]
        choices.append([(node, take) for take in takes])
    _limit_columns(prod(map(len, choices)))
    return [Column(parts) for parts in product(*choices)]


def _coded_columns(formula: Formula, variables: Mapping[Node, Variable]) -> tuple[Column, ...]:
    """Design columns with factors, coded by formulaic on a frame that holds each level once."""
    from formulaic import Formula as CodedFormula

    nodes = list(variables)
    safe = {node: f"v{index}" for index, node in enumerate(nodes)}
    levels = {node: len(v.levels) if isinstance(v, Factor) else 0 for node, v in variables.items()}
    _limit_columns(sum(prod(levels[factor] or 1 for factor in term.factors) for term in formula.terms))
    size = max(levels.values())
    skeleton = pd.DataFrame(
        {
            safe[node]: pd.Categorical(np.arange(size) % count, categories=range(count)) if count else np.ones(size)
            for node, count in levels.items()
        }
    )
    terms = [":".join(safe[factor] for factor in term.factors) for term in formula.terms]
    coded = CodedFormula(["1", *terms] if formula.intercept else terms, _ordering="none")
    names = coded.get_model_matrix(skeleton, context={}).model_spec.column_names
    return tuple(_decode(name, nodes) for name in names)


def _limit_columns(count: int) -> None:
    if count > MAX_COLUMNS:
        raise DesignError(
            "The factors of the formula give too many columns",
            where="model formula",
            got=f"up to {count:,} columns",
            wanted=f"at most {MAX_COLUMNS:,}",
            fix="leave out interactions between factors with many values",
        )


def _decode(coded_name: str, nodes: list[Node]) -> Column:
    """`v0[T.2]:v3` → level 2 of the first variable times the fourth; `Intercept` → no parts."""
    if coded_name == "Intercept":
        return Column(())
    return Column(tuple(_decode_part(part, nodes) for part in coded_name.split(":")))


def _decode_part(part: str, nodes: list[Node]) -> tuple[Node, int | None]:
    found = _CODED.fullmatch(part)
    if found is None:
        raise DesignError(
            "The installed formulaic names its columns in an unknown way",
            got=part,
            wanted="names such as v0[T.1]",
            fix="install the version of formulaic that the lock file names",
        )
    return nodes[int(found[1])], None if found[2] is None else int(found[2])


def column_names(columns: tuple[Column, ...], variables: Mapping[Node, Variable]) -> tuple[str, ...]:
    """R's names of the columns, e.g. `regionNorth:x`; two of the same name are refused."""
    names = tuple(":".join(_part_name(*part, variables) for part in column.parts) or INTERCEPT for column in columns)
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DesignError(
            "Two columns of the design have the same name",
            where="model formula",
            got=", ".join(twice),
            fix="rename a column, or a value of a text column",
        )
    return names


def _part_name(node: Node, level: int | None, variables: Mapping[Node, Variable]) -> str:
    variable = variables[node]
    if level is None or isinstance(variable, np.ndarray):
        return deparse(node)
    return variable.names[level] if isinstance(variable, Basis) else deparse(node) + variable.levels[level]
