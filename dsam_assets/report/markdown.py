"""`business_report.md`: the sections as Markdown, without figures."""

from __future__ import annotations

from collections.abc import Sequence

from dsam_assets.report.headlines import Headline
from dsam_assets.report.sections import Section, TableView

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>#|"})


def business_report(title: str, headlines: Sequence[Headline], sections: Sequence[Section]) -> str:
    """The report as Markdown; names from the data are escaped."""
    parts = [f"# {plain(title)}", "\n".join(map(_bullet, headlines))]
    for section in sections:
        if section.key == "evidence":
            continue
        parts.append(f"## {section.title}")
        if section.withheld:
            parts.append(f"**Withheld.** {plain(section.withheld)}")
        parts += [plain(text) for text in section.paragraphs]
        if section.table is not None:
            parts.append(_table(section.table))
        if section.source:
            parts.append(f"Source: {section.source}.")
    return "\n\n".join(parts) + "\n"


def _bullet(head: Headline) -> str:
    note = f" ({plain(head.note)})" if head.note else ""
    return f"- {plain(head.label)}: **{plain(head.value)}**{note}"


def _table(table: TableView) -> str:
    rule = ["---:" if column in table.numeric else "---" for column in table.columns]
    rows = [table.columns, tuple(rule), *(tuple(map(plain, row)) for row in table.rows)]
    return "\n".join(f"| {' | '.join(cell.strip() for cell in row)} |" for row in rows)


def plain(text: str) -> str:
    """Text that Markdown shows literally."""
    return " ".join(text.split()).translate(_SPECIAL)
