"""The store seen through what a run would write: for asking what a run would do, without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from resources.store import Record, Store


@dataclass(frozen=True)
class DryStore(Store):
    """A store that keeps in memory what is written to it, and reads everything else from its root.

    Records that have been read are remembered: it is meant for one look.
    """

    kept: dict[tuple[str, str], Mapping[str, bytes]] = field(default_factory=dict)
    seen: dict[tuple[str, str], Record | None] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        return False

    def record(self, market: str, asset: str) -> Record | None:
        key = (market, asset)
        if key not in self.seen:
            self.seen[key] = super().record(market, asset)
        return self.seen[key]

    def write(self, market: str, record: Record, files: Mapping[str, bytes]) -> None:
        key = (market, record.asset)
        self.seen[key], self.kept[key] = record, files

    def read(self, market: str, record: Record, name: str) -> bytes:
        kept = self.kept.get((market, record.asset))
        return super().read(market, record, name) if kept is None else kept[name]

    def intact(self, market: str, record: Record) -> bool:
        return (market, record.asset) in self.kept or super().intact(market, record)
