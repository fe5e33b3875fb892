"""Plain YAML 1.2 scalars: only true/false are booleans, and 1e999 is not a number."""

from __future__ import annotations

import math
import re

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = {".nan", ".NaN", ".NAN"}
_LARGEST_INTEGER = 2**63 - 1

Scalar = None | bool | int | float | str


def _integer(text: str) -> int:
    value = int(text, {"0o": 8, "0x": 16}.get(text[:2], 10)) if len(text) <= 25 else _LARGEST_INTEGER + 1
    if abs(value) > _LARGEST_INTEGER:
        raise ValueError("this whole number is too large")
    return value


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("this number is too large; write .Inf where a bound is meant to be infinite")
    return value


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar under the YAML 1.2 core schema; dates and `yes` stay text.

    Raises:
        ValueError: for not-a-number and for numbers that do not fit; the message says which.
    """
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if match := _INFINITY.fullmatch(text):
        return -math.inf if match.group(1) == "-" else math.inf
    if text in _NAN:
        raise ValueError("not-a-number has no meaning in a config")
    return _float(text) if _FLOAT.fullmatch(text) else text
