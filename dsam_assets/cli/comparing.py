"""What a comparison of runs looks like: on a terminal, and as one JSON document."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dsam_assets.cli.words import COLOURS, count, paint, width, wrapped

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.selection.recommendation import Comparison

GAP = "  "


def comparison_text(comparison: Comparison) -> str:
    """Runs, decision matrix and recommendation, fit for 80 columns: runs have letters, as in the matrix."""
    table = comparison.table
    letters = dict(zip(table["run"], _letters(len(table)), strict=True))
    ranked = int(table["rank"].notna().sum())
    parts = [
        f"{count(len(table), 'run')} compared, {ranked} ranked by ELPD on the KPI scale",
        "\n".join(_run_lines(table, letters)),
        "\n".join(_matrix_lines(comparison.matrix, letters)),
        _recommendation(comparison, letters),
        *(wrapped(note) for note in comparison.notes),
    ]
    return "\n\n".join(part for part in parts if part)


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The same facts as a document."""
    return {
        "status": "compared",
        "recommended": comparison.recommended or None,
        "recommendation": comparison.recommendation,
        "runs": _records(comparison.table),
        "decision_matrix": _records(comparison.matrix),
        "notes": list(comparison.notes),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _letters(number: int) -> list[str]:
    """A, B, …, Z, A2, B2, …"""
    alphabet = string.ascii_uppercase
    return [alphabet[i % 26] + (str(i // 26 + 1) if i >= 26 else "") for i in range(number)]


def _run_lines(table: pd.DataFrame, letters: dict[str, str]) -> Iterable[str]:
    for row in table.to_dict("records"):
        letter = letters[row["run"]]
        mark = paint("  recommended", COLOURS["pass"]) if row["recommended"] else ""
        yield f"{GAP}{letter:<3} {row['run']}{mark}"
        facts = [row["model_type"], f"{row['response']} on the {row['response_scale']} scale", _rows(row)]
        yield wrapped(", ".join(str(fact) for fact in facts if fact), " " * 6)
        if row["waived"]:
            yield wrapped(row["waived"], " " * 6)
        if row["reason"]:
            yield wrapped(f"not ranked: {row['reason']}", " " * 6)


def _rows(row: dict[Any, Any]) -> str:
    import pandas as pd

    return "" if pd.isna(row["n_rows"]) else count(int(row["n_rows"]), "row")


def _matrix_lines(matrix: pd.DataFrame, letters: dict[str, str]) -> list[str]:
    """The decision matrix; runs that do not fit beside each other follow below."""
    runs = [name for name in matrix.columns if name in letters]
    head = [["criterion", *matrix["criterion"]], ["weight", *matrix["weight"]]]
    fixed = sum(max(map(len, column)) + len(GAP) for column in head)
    lines: list[str] = []
    while runs:
        taken: list[list[str]] = []
        room = width() - fixed
        while runs:
            column = [letters[runs[0]], *matrix[runs[0]]]
            room -= max(map(len, column)) + len(GAP)
            if taken and room < 0:
                break
            taken.append(column)
            runs.pop(0)
        lines += [*([""] if lines else []), *_aligned([*head, *taken])]
    return lines


def _aligned(columns: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return [GAP + GAP.join(f"{cell:<{size}}" for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]


def _recommendation(comparison: Comparison, letters: dict[str, str]) -> str:
    from dsam_assets.selection.recommendation import recommend

    ranking = comparison.ranking
    text = recommend(replace(ranking, runs=tuple(replace(run, run=letters[run.run]) for run in ranking.runs)))[1]
    verdict = letters[comparison.recommended] if comparison.recommended else "none"
    colour = COLOURS["pass"] if comparison.recommended else COLOURS["fail"]
    return f"Recommendation: {paint(verdict, colour)}\n{wrapped(text)}"
