"""Python in a formula, which `security.allow_unsafe_formula` lets in: finding it in the text, and having it computed.

What the grammar can read stays with the grammar, so that a formula means the same with and without the permission.
Where it refuses, the whole piece is Python: a call with what follows it (`np.log1p(m_tv)`, `C(month)`), an indexed or
dotted name, or an expression in braces (`{m_tv.rolling(4).mean()}`). formulaic evaluates a piece as it stands, with the
columns that it names, numpy as `np`, pandas as `pd` and formulaic's own functions; nothing limits what it does. One
piece is one variable of the model: a number per row, a factor, or several columns.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.design.columns import Basis, Factor
from dsam_assets.design.parser import SHIFTS, Piece, parse_sides
from dsam_assets.design.syntax import Name, Python
from dsam_assets.design.tokens import formula_error, name_end, number_end
from dsam_assets.errors import DesignError, FormulaError
from dsam_assets.scales import FloatArray

_OPENING, _CLOSING = "([{", ")]}"
_STRUCTURE = ("offset",)  # calls that are part of the formula's grammar whatever stands in them
_MODULES = ("np", "pd")
_HELP = (
    "Check the expression: it sees the columns as pandas series, np, pd and formulaic's functions; a power is **, and"
    " text needs C(…)."
)


def python_pieces(text: str) -> dict[int, Piece]:
    """The pieces of a formula that are Python, by their place.

    Raises:
        FormulaError: a piece is not closed, is no Python either, or would shift rows without knowing dates and groups.
    """
    pieces: dict[int, Piece] = {}
    pos = 0
    while pos < len(text):
        end = _piece_end(text, pos)
        if end > pos and not _is_formula(text[pos:end]):
            pieces[pos] = Piece(end, _python(text, pos, end))
        pos = max(end, _next(text, pos))
    return pieces


def _piece_end(text: str, pos: int) -> int:
    """Where a call, an indexed name or an expression in braces that starts here ends; `pos` where none starts."""
    if text[pos] == "{":
        return _closed(text, pos)
    name = name_end(text, pos)
    if name == pos or text[pos:name] in _STRUCTURE:
        return pos
    end = _trailers_end(text, name)
    return end if end > name else pos


def _trailers_end(text: str, end: int) -> int:
    """Past calls, indices, `::name` and attributes; blanks may stand before the first only, as R has it."""
    first = end
    while True:
        at = end + len(text[end:]) - len(text[end:].lstrip()) if end == first else end
        if text.startswith("::", at):
            end = name_end(text, at + 2)
        elif text[at : at + 1] in ("(", "["):
            end = _closed(text, at)
        elif end > first and text[at : at + 1] == "." and name_end(text, at + 1) > at + 1:
            end = name_end(text, at + 1)
        else:
            return end


def _next(text: str, pos: int) -> int:
    """Past whatever cannot start a piece."""
    if text[pos] == "`":
        closing = text.find("`", pos + 1)
        return len(text) if closing < 0 else closing + 1
    return max(pos + 1, name_end(text, pos), number_end(text, pos))


def _closed(text: str, start: int) -> int:
    """Past the bracket that closes the one at `start`; brackets in quotes do not count."""
    depth, pos = 0, start
    while pos < len(text):
        if text[pos] in "\"'`":
            pos = _quote_end(text, pos)
            continue
        depth += (text[pos] in _OPENING) - (text[pos] in _CLOSING)
        pos += 1
        if depth == 0:
            return pos
    raise formula_error(text, start, "This bracket is never closed", fix="close it")


def _quote_end(text: str, pos: int) -> int:
    end = pos + 1
    while end < len(text) and text[end] != text[pos]:
        end += 2 if text[end] == "\\" and text[pos] != "`" else 1
    if end >= len(text):
        raise formula_error(text, pos, "This quote is never closed", fix="close it")
    return end + 1


def _is_formula(piece: str) -> bool:
    try:
        parse_sides(f"y ~ {piece}")
    except FormulaError:
        return False
    return True


def _python(text: str, pos: int, end: int) -> Python:
    shown = " ".join(text[pos:end].split())
    code = text[pos:end].strip()
    code = code[1:-1].strip() if code.startswith("{") and code.endswith("}") else code
    quoted: dict[str, str] = {}
    plain = re.sub(r"`([^`]*)`", lambda found: _stand_in(found[1], quoted), " ".join(code.splitlines()))
    try:
        tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is too deep"
        raise formula_error(
            text, pos, f"This is neither part of a formula nor Python: {reason}", got=shown, fix=_HELP
        ) from error
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    if shifting := sorted(called & set(SHIFTS)):
        raise formula_error(
            text, pos, f"{shifting[0]}() within Python would not know the order of dates, nor the groups", got=shown,
            fix=f"write {shifting[0]}(column) as a term of its own, or compute the column in the data",
        )  # fmt: skip
    names = (Name(name, pos) for name in _columns(tree, called, quoted))
    return Python(code, tuple(names), shown, pos)


def _stand_in(name: str, quoted: dict[str, str]) -> str:
    word = f"_quoted_{len(quoted)}"
    quoted[word] = name
    return word


def _columns(tree: ast.Expression, called: set[str], quoted: Mapping[str, str]) -> list[str]:
    """The columns that an expression reads, in the order of the text: names that nothing else gives a meaning."""
    from formulaic.transforms import TRANSFORMS

    nodes = list(ast.walk(tree))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    known = {*bound, *called, *_MODULES, *TRANSFORMS, *dir(builtins)}
    used = [node for node in nodes if isinstance(node, ast.Name) and node.id not in known]
    ordered = sorted(used, key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(quoted.get(node.id, node.id) for node in ordered))


def python_variable(node: Python, frame: pd.DataFrame) -> FloatArray | Factor | Basis:
    """What a piece gives for the rows of a frame: numbers, NaN where it gives none, shape (N,); a factor; or columns.

    Raises:
        DesignError: the Python fails, or gives something that is no variable of a model.
    """
    known = frame[[name.name for name in node.names]].reset_index(drop=True)
    try:
        matrix = _evaluated(node.code, known)
    except Exception as error:
        raise DesignError(
            f"The Python in the formula cannot be computed: {node.shown}",
            where=f"formula term {node.shown}",
            got=f"{type(error).__name__}: {error}"[:500],
            wanted="a number or a text in every row",
            fix=_HELP,
        ) from error
    state = next(iter(matrix.model_spec.encoder_state.values()))
    if state[0].value == "categorical":
        return _factor(node, matrix, state[1])
    values = matrix.to_numpy(dtype=np.float64)
    if np.isinf(values).any():
        raise DesignError(
            f"{node.shown} is infinite in {int(np.isinf(values).any(axis=1).sum()):,} of {len(values):,} rows",
            where=f"formula term {node.shown}",
            wanted="a finite result in every row, or a missing one",
        )
    return values[:, 0] if values.shape[1] == 1 else Basis(values, tuple(map(str, matrix.columns)))


def _evaluated(code: str, known: pd.DataFrame) -> Any:
    """formulaic's matrix of the piece alone: numbers as they come out, a factor with a column for every level."""
    from formulaic import Formula

    formula = Formula(f"0 + {{{code}}}")
    return formula.get_model_matrix(known, context={"pd": pd}, na_action="ignore", ensure_full_rank=False)


def _factor(node: Python, matrix: Any, state: Mapping[str, Any]) -> Factor:
    """The levels by row. Which level is the reference, and how factors cross, is the design's own affair."""
    from formulaic.transforms.contrasts import TreatmentContrasts

    if state["contrasts"].contrasts != TreatmentContrasts():
        raise DesignError(
            f"The factor {node.shown} asks for a coding of its own",
            where=f"formula term {node.shown}",
            wanted="levels against the first one, which is how factors are coded here",
            fix="leave the contrasts out; name the levels so that the reference comes first",
        )
    marks = matrix.to_numpy(dtype=bool)
    codes = np.where(marks.any(axis=1), marks.argmax(axis=1), -1)
    return Factor(codes.astype(np.intp), tuple(str(level) for level in state["categories"]))
