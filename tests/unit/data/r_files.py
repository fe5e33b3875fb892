"""RDS files written byte by byte after R's serialization format (R Internals, section 1.8), for tests of the reader."""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NA_REAL = struct.unpack(">d", bytes.fromhex("7ff00000000007a2"))[0]
NA_INT = -(2**31)
_TYPES = {"lgl": 10, "int": 13, "real": 14, "str": 16, "list": 19}


@dataclass(frozen=True)
class R:
    """An R vector: storage type, values and attributes."""

    kind: str
    values: Sequence[object]
    attributes: Mapping[str, R] = field(default_factory=dict)


def text(*values: str | None) -> R:
    return R("str", values)


def data_frame(columns: Mapping[str, R], *classes: str, **extra: R) -> R:
    rows = len(next(iter(columns.values())).values) if columns else 0
    attributes = {
        "names": text(*columns), "class": text(*(classes or ("data.frame",))), "row.names": R("int", (NA_INT, -rows)),
        **extra,
    }  # fmt: skip
    return R("list", tuple(columns.values()), attributes)


def rds_bytes(root: R, *, compressed: bool = True) -> bytes:
    content = b"X\n" + struct.pack(">iii", 2, 0x040301, 0x020300) + _Writer().item(root)
    return gzip.compress(content, mtime=0) if compressed else content


class _Writer:
    def __init__(self) -> None:
        self.symbols: list[str] = []

    def item(self, vector: R) -> bytes:
        is_object, has_attributes = "class" in vector.attributes, bool(vector.attributes)
        flags = _TYPES[vector.kind] | is_object << 8 | has_attributes << 9
        return (
            struct.pack(">ii", flags, len(vector.values))
            + b"".join(self._value(vector.kind, value) for value in vector.values)
            + (self._attributes(vector.attributes) if has_attributes else b"")
        )

    def _value(self, kind: str, value: object) -> bytes:
        if kind == "list":
            assert isinstance(value, R)
            return self.item(value)
        if kind == "str":
            assert value is None or isinstance(value, str)
            return self._characters(value)
        if kind == "real":
            assert isinstance(value, int | float)
            # Python may set the quiet bit of a NaN; R tells NA by its low word
            return bytes.fromhex("7ff00000000007a2") if math.isnan(value) else struct.pack(">d", value)
        assert isinstance(value, int)
        return struct.pack(">i", value)

    def _characters(self, value: str | None) -> bytes:
        if value is None:
            return struct.pack(">ii", 9, -1)
        encoded = value.encode()
        flag = 64 if value.isascii() else 8
        return struct.pack(">ii", 9 | flag << 12, len(encoded)) + encoded

    def _attributes(self, attributes: Mapping[str, R]) -> bytes:
        pairs = [struct.pack(">i", 2 | 1 << 10) + self._symbol(name) + self.item(v) for name, v in attributes.items()]
        return b"".join(pairs) + struct.pack(">i", 254)

    def _symbol(self, name: str) -> bytes:
        if name in self.symbols:  # a symbol is written once and referred to afterwards
            return struct.pack(">i", (self.symbols.index(name) + 1) << 8 | 255)
        self.symbols.append(name)
        return struct.pack(">i", 1) + self._characters(name)
