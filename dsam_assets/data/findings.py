"""What was noticed while data became a design: not wrong, but it weakens what the model can tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was noticed.

    Attributes:
        kind: which condition, as a key.
        subject: the variable, group or term that it is about.
        value: the number found.
        threshold: the number that it was held against.
        message: in words.
    """

    kind: str
    subject: str
    value: float
    threshold: float
    message: str
