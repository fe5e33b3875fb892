"""Every row of every table in docs/formula.md, against the code.

The page quotes R. That the quoted columns are R's is checked by a second implementation of R's coding rule (the help
page `terms.object`; Chambers and Hastie, Statistical Models in S, p. 38), which knows nothing of formulaic.
"""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.additions import shift_groups
from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.design.groups import build_group_terms
from dsam_assets.design.matrix import ModelMatrix, build_model_matrix
from dsam_assets.design.parser import ALLOWED_CALLS
from dsam_assets.design.syntax import Call, deparse, quote_name
from dsam_assets.errors import DsamError, FormulaError

PAGE = Path(__file__).parents[3] / "docs" / "formula.md"
PACKAGE = "dsam_assets.design"
SHOWN = 5.001e-5  # the page rounds to four digits


@dataclass(frozen=True)
class Row:
    """One row of a table: the table's header, the cells as written, and the row's line in the page."""

    header: tuple[str, ...]
    cells: tuple[str, ...]
    line: int

    @property
    def codes(self) -> tuple[tuple[str, ...], ...]:
        """The code spans of each cell."""
        return tuple(map(code_spans, self.cells))

    @property
    def formula(self) -> str:
        (text,) = self.codes[0]
        return text


def code_spans(cell: str) -> tuple[str, ...]:
    """Texts between back quotes; a span with back quotes inside is fenced by two, as Markdown has it."""
    spans = (found[2] for found in re.finditer(r"(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)", cell))
    return tuple(span.strip() if "`" in span else span for span in spans)


def page_rows(text: str) -> list[Row]:
    rows: list[Row] = []
    header: tuple[str, ...] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip().startswith("|"):
            header = None
            continue
        cells = tuple(
            cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line.strip().removesuffix("|"))
        )[1:]
        if header is None:
            header = cells
        elif set("".join(cells)) != {"-"}:
            rows.append(Row(header, cells, number))
    return rows


ROWS = page_rows(PAGE.read_text("utf-8"))


# --- the page's data ------------------------------------------------------------------------------------------------


def example_data() -> pd.DataFrame:
    """The data frame `d`, read from the R code that makes it."""
    (block,) = re.findall(r"```r\nd <- data\.frame\(\n(.*?)\n\)\n```", PAGE.read_text("utf-8"), re.DOTALL)
    return pd.DataFrame(dict(r_column(line) for line in block.splitlines() if "c(" in line))


def r_column(line: str) -> tuple[str, Any]:
    """Name and values of a line such as `x = c(1, 2)`, `week = as.Date(c("…"))` or `f = factor(c("…"), levels = …)`."""
    name, _, call = line.strip().removesuffix(",").partition(" = ")
    items, *levels = [[item.strip('"') for item in found.split(", ")] for found in re.findall(r"\bc\((.*?)\)", call)]
    if "as.Date" in call:
        return name, pd.to_datetime(items)
    if levels:
        return name, pd.Categorical(items, levels[0])
    if '"' in call:
        return name, items
    return name.strip("`"), [item == "TRUE" if item in ("TRUE", "FALSE") else float(item) for item in items]


def with_gaps() -> pd.DataFrame:
    """The data frame `m`."""
    gaps = re.findall(r"m\$(\w+)\[(\d)\] <- NA", PAGE.read_text("utf-8"))
    assert len(gaps) == 2
    frame = example_data()
    for column, row in gaps:
        frame.loc[int(row) - 1, column] = None
    return frame


def matrix_of(formula: Formula, frame: pd.DataFrame) -> ModelMatrix:
    return build_model_matrix(formula, frame, date_var="week", groups=shift_groups(formula))


def in_all_rows(values: Any, matrix: ModelMatrix, size: int = 6) -> np.ndarray:
    """Values of the modelled rows among all rows, NaN in rows that were dropped."""
    column = np.full(size, np.nan)
    column[matrix.rows] = values
    return column


def assert_shown(cell: str, values: np.ndarray) -> None:
    shown = [np.nan if item == "NA" else float(item) for item in cell.split(", ")]
    np.testing.assert_allclose(values, shown, rtol=0, atol=SHOWN)


# --- R's coding, a second time --------------------------------------------------------------------------------------

LEVELS = {"region": ("east", "North", "South"), "brand": ("B", "A"), "flag": ("FALSE", "TRUE")}


def columns_of_r(formula: Formula) -> list[str]:
    """What R calls the columns of a formula's population part.

    A factor is coded by contrasts in a term when the term without it is empty or part of an earlier term, else by an
    indicator of every level; without an intercept, the first factor of the first term that has one gets all levels.
    """
    terms = [tuple(map(deparse, term.factors)) for term in formula.terms]
    full = [
        {name for name in term if len(term) > 1 and not any({*term} - {name} <= {*other} for other in terms[:position])}
        for position, term in enumerate(terms)
    ]
    first = next(((at, name) for at, term in enumerate(terms) for name in term if name in LEVELS), None)
    if first is not None and not formula.intercept:
        full[first[0]].add(first[1])
    columns = ["(Intercept)"] * formula.intercept
    for term, everything in zip(terms, full, strict=True):
        parts = [
            [f"{name}{level}" for level in LEVELS[name][name not in everything :]] if name in LEVELS else [name]
            for name in term
        ]
        columns += [":".join(reversed(chosen)) for chosen in itertools.product(*reversed(parts))]
    return columns


# --- one checker per kind of table ----------------------------------------------------------------------------------


def check_terms(row: Row) -> None:
    assert parse_formula(row.formula).labels == row.codes[1]


def check_arithmetic(row: Row) -> None:
    matrix = matrix_of(parse_formula(f"y ~ 0 + I({row.formula})"), example_data())
    assert set(matrix.values[:, 0]) == {float(row.cells[1])}


def check_columns(row: Row) -> None:
    formula = parse_formula(row.formula)
    assert matrix_of(formula, example_data()).terms == row.codes[1]
    assert columns_of_r(formula) == list(row.codes[1])


def check_values(row: Row) -> None:
    matrix = matrix_of(parse_formula(row.formula), example_data())
    (name,) = row.codes[1]
    assert_shown(row.cells[2], in_all_rows(matrix.values[:, matrix.terms.index(name)], matrix))


def check_call(row: Row) -> None:
    formula = parse_formula(f"y ~ 0 + {row.formula} + (1 | market)")
    matrix = matrix_of(formula, example_data())
    assert matrix.terms == (row.formula,)
    assert row.cells[1]
    assert_shown(row.cells[2], in_all_rows(matrix.values[:, 0], matrix))


def check_offset(row: Row) -> None:
    assert_shown(row.cells[1], matrix_of(parse_formula(row.formula), example_data()).offset)


def check_response(row: Row) -> None:
    matrix = matrix_of(parse_formula(row.formula), example_data())
    assert matrix.response_scale == row.cells[1]
    assert_shown(row.cells[2], matrix.response)


def check_groups(row: Row) -> None:
    formula, frame = parse_formula(row.formula), example_data()
    groups = build_group_terms(formula, frame, matrix_of(formula, frame), date_var="week")
    _, keys, varying, names = row.codes
    assert tuple(group.key for group in groups) == keys
    assert tuple(dict.fromkeys(term for group in groups for term in group.terms)) == varying
    assert tuple(name for group in groups for name in group.sd_names) == names


def check_missing(row: Row) -> None:
    matrix = matrix_of(parse_formula(row.formula), with_gaps())
    assert ", ".join(str(position + 1) for position in matrix.rows) == row.cells[1]
    assert ", ".join(f"{name}: {count}" for name, count in matrix.dropped.items()) == row.cells[2]
    assert matrix.terms == row.codes[3]


def check_name(row: Row) -> None:
    (name,), (written,) = row.codes
    assert quote_name(name) == written
    assert parse_formula(f"y ~ {written}").variables == ("y", name)


def check_limit(row: Row) -> None:
    module, _, constant = row.codes[2][0].partition(".")
    assert f"{getattr(importlib.import_module(f'{PACKAGE}.{module}'), constant):,}" == row.cells[1]


def check_difference(row: Row) -> None:
    formula, frame = parse_formula(row.formula), example_data()
    # brand and flag in all four combinations, which the page's data need not have
    frame = pd.concat([frame, frame.assign(x=frame["x"] ** 2, flag=~frame["flag"])], ignore_index=True)
    here = build_model_matrix(formula, frame)
    assert here.terms == row.codes[2]
    assert columns_of_r(formula) == list(row.codes[1])
    in_r = indicator_columns(row.codes[1], frame)
    assert np.linalg.matrix_rank(in_r) == np.linalg.matrix_rank(here.values) == len(here.terms) < len(row.codes[1])
    assert np.linalg.matrix_rank(np.column_stack([in_r, here.values])) == len(here.terms)


def indicator_columns(names: Sequence[str], frame: pd.DataFrame) -> np.ndarray:
    """Columns by R's names, as products of indicators and numbers."""
    parts: dict[str, Any] = {"(Intercept)": 1.0, "x": frame["x"]}
    for factor, levels in LEVELS.items():
        text = frame[factor].astype(str).replace({"True": "TRUE", "False": "FALSE"})
        parts |= {f"{factor}{level}": (text == level).astype(float) for level in levels}
    product = [np.prod([np.ones(len(frame)) * parts[part] for part in name.split(":")], axis=0) for name in names]
    return np.column_stack(product)


def assert_refused(row: Row, error: DsamError) -> None:
    (message,) = row.codes[1]
    assert error.what.startswith(message)
    if row.codes[2]:
        (advice,) = row.codes[2]
        assert advice in (error.fix or "")
    else:
        assert error.fix is None, "the page should say what to do"


def check_refused(row: Row) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(row.formula)
    assert_refused(row, caught.value)


def check_refused_for_data(row: Row) -> None:
    formula, frame = parse_formula(row.formula), example_data()
    with pytest.raises(DsamError) as caught:
        build_group_terms(formula, frame, matrix_of(formula, frame), date_var="week")
    assert_refused(row, caught.value)


def check_python(row: Row) -> None:
    matrix = matrix_of(parse_formula(row.formula, unsafe=True), example_data())
    assert matrix.terms == row.codes[1]
    assert ", ".join(str(position + 1) for position in matrix.rows) == row.cells[2]
    with pytest.raises(FormulaError):
        parse_formula(row.formula)


CHECKS: dict[tuple[str, ...], Callable[[Row], None]] = {
    ("Formula", "Terms"): check_terms,
    ("Inside I()", "Value"): check_arithmetic,
    ("Formula", "Columns"): check_columns,
    ("Formula", "Column", "Rows 1 to 6"): check_values,
    ("Call", "Meaning", "Rows 1 to 6"): check_call,
    ("Formula", "Offset in rows 1 to 6"): check_offset,
    ("Formula", "Response scale", "Rows 1 to 6"): check_response,
    ("Formula", "Groups", "Varying columns", "Standard deviations"): check_groups,
    ("Formula, for m", "Rows kept", "Rows dropped, by column", "Columns"): check_missing,
    ("Column of the data", "In the formula"): check_name,
    ("What", "At most", "Constant"): check_limit,
    ("Formula", "Columns in R", "Columns here"): check_difference,
    ("Formula with Python", "Columns", "Rows kept"): check_python,
    ("Formula", "Message", "Do this"): check_refused,
    ("Formula, for d", "Message", "Do this"): check_refused_for_data,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line {row.line}")
def test_every_row_of_the_page_holds(row: Row) -> None:
    CHECKS[row.header](row)


def broken_cells(row: Row) -> list[Row]:
    """The row with one cell made wrong, for each cell that claims something."""
    made = []
    for position, cell in enumerate(row.cells):
        if position == 0 or row.header[position] in ("Meaning", "What"):
            continue
        wrong = re.sub(r"\w", lambda found: f"9{found[0]}", cell, count=1) if cell else "`x9`: 1"
        made.append(replace(row, cells=(*row.cells[:position], wrong, *row.cells[position + 1 :])))
    return made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line {row.line}")
def test_a_wrong_cell_would_be_noticed(row: Row) -> None:
    broken = broken_cells(row)
    assert broken
    for wrong in broken:
        with pytest.raises((AssertionError, ValueError, ImportError, DsamError)):
            CHECKS[row.header](wrong)


def test_every_kind_of_table_is_there_and_the_data_are_read() -> None:
    assert {row.header for row in ROWS} == set(CHECKS)
    assert len(ROWS) > 150
    frame = example_data()
    assert list(frame) == ["week", "market", "y", "x", "z", "region", "brand", "flag", "my col"]
    assert frame["y"].tolist() == [10, 12, 11, 14, 13, 16]
    assert frame["flag"].tolist() == [True, False, True, True, False, False]
    assert list(frame["brand"].cat.categories) == ["B", "A"]
    assert frame["week"].iloc[2] == pd.Timestamp("2024-01-15")


def test_the_page_lists_every_call_and_no_other() -> None:
    listed = {found for row in ROWS if row.header[0] == "Call" for found in [parse_formula(f"y ~ {row.formula}")]}
    nodes = {factor for formula in listed for term in formula.terms for factor in term.factors}
    functions = {node.function for node in nodes if isinstance(node, Call)}
    assert functions | {"offset"} == set(ALLOWED_CALLS)


def test_the_example_of_a_refusal_is_what_one_sees() -> None:
    (shown,) = re.findall(r"```text\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL)
    with pytest.raises(FormulaError) as caught:
        parse_formula(shown.splitlines()[2].strip())
    assert str(caught.value) == shown


def test_links_within_the_page_lead_somewhere() -> None:
    text = PAGE.read_text("utf-8")
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"(?m)^#+ (.*)$", text)}
    assert set(re.findall(r"\]\(#(.*?)\)", text)) <= headings


def test_the_second_implementation_agrees_wherever_r_has_full_rank() -> None:
    """Formulas of up to three variables: the columns are R's, or R's depend on each other."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({name: rng.normal(size=80) for name in ("y", "x", "z")})
    for factor, levels in LEVELS.items():
        frame[factor] = pd.Categorical(rng.choice(levels, 80), levels)
    differing = 0
    for right in [*right_sides(1), *right_sides(2), *rng.choice(right_sides(3), 150, replace=False)]:
        for text in (f"y ~ {right}", f"y ~ 0 + {right}"):
            formula = parse_formula(text)
            here, in_r = list(build_model_matrix(formula, frame).terms), columns_of_r(formula)
            differing += here != in_r
            assert here == in_r or len(here) < len(in_r), text
    assert 0 < differing < 100


def right_sides(count: int) -> list[str]:
    """Every sequence of so many variables, joined by every operator."""
    return [
        chosen[0] + "".join(map("".join, zip(joints, chosen[1:], strict=True)))
        for chosen in itertools.permutations(("x", "z", *LEVELS), count)
        for joints in itertools.product("+:*/", repeat=count - 1)
    ]
