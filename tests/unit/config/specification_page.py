"""Cases from the specification: YAML that loads, or that is refused.

A fragment is completed by `HEAD`. Keys and values are the specification's, the rendition is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HEAD = {"data": "data: {path: data.csv, date_var: date}\n", "model": "model: {formula: kpi ~ trend + m_tv}\n"}


@dataclass(frozen=True)
class Example:
    """One example or rule.

    Attributes:
        page: the page of the specification.
        text: YAML; sections `data` and `model` are added where it has none.
        values: dotted keys of the resolved config → values, for one that loads.
        refused: words of the error, its key first, for one that does not.
    """

    page: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""

    @property
    def yaml(self) -> str:
        """The whole config."""
        written = {line.partition(":")[0] for line in self.text.splitlines()}
        return "".join(head for key, head in HEAD.items() if key not in written) + self.text


class Page:
    """The cases of one page of the specification."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.examples: list[Example] = []

    def loads(self, text: str, **values: Any) -> None:
        """`text` loads; a keyword such as `fit__mcmc__iter` stands for the key fit.mcmc.iter of the resolved config."""
        named = {key.replace("__", "."): value for key, value in values.items()}
        self.examples.append(Example(self.name, text, named))

    def refuses(self, text: str, words: str) -> None:
        """`text` is refused with these words, the key first."""
        self.examples.append(Example(self.name, text, refused=words))
