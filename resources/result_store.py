"""Dagster's side of the result store: the resource and the IO manager."""

from collections.abc import Callable
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from dsam_assets.errors import DsamError, StoreError
from resources.codecs import CODECS
from resources.store import FLEET, Encoded, Store

KEPT_VALUES = 24


class ResultStore(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where results are kept: a local folder or any fsspec URL."""

    root: str

    def open(self) -> Store:
        return Store(self.root)


class StoreIOManager(dg.ConfigurableIOManager):
    """Writes an asset's files and record, and reads them back with their checksums verified.

    The values read last are kept, by data version: most steps read the same two or three, and none changes its input.
    """

    store: ResultStore
    _kept: dict[tuple[str, str, str], Any] = PrivateAttr(default_factory=dict)

    def handle_output(self, context: dg.OutputContext, obj: Encoded) -> None:
        if obj.files is not None:
            market = context.partition_key if context.has_partition_key else FLEET
            self.store.open().write(market, obj.record, obj.files)
            obj.release()

    def load_input(self, context: dg.InputContext) -> Any:
        try:
            return self._load(context)
        except DsamError as error:
            # Dagster shows a failure's own words; any other exception ends in a traceback.
            raise dg.Failure(str(error), metadata={"exit_status": error.exit_status}, allow_retries=False) from error

    def _load(self, context: dg.InputContext) -> Any:
        store, market = self.store.open(), context.partition_key
        asset = "/".join(context.asset_key.path)
        record = store.record(market, asset)
        if record is None:
            raise StoreError(
                f"{asset} of market {market} has not been materialised yet.",
                fix=f"Materialise {asset} first, or run the job refit.",
            )
        assert context.upstream_output is not None, "an asset input always has an upstream asset"  # noqa: S101
        codec = CODECS[context.upstream_output.definition_metadata["dsam/codec"]]
        return self._remember(
            (market, asset, record.data_version),
            lambda: codec.decode(asset, tuple(record.files), lambda name: store.read(market, record, name)),
        )

    def _remember(self, key: tuple[str, str, str], decode: Callable[[], Any]) -> Any:
        value = self._kept.pop(key) if key in self._kept else decode()
        self._kept[key] = value
        while len(self._kept) > KEPT_VALUES:
            del self._kept[next(iter(self._kept))]
        return value
