"""The one way to declare an asset of all markets: not partitioned, always computed from what the store holds now."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dsam_assets.assets.catalogue_words import kinds_of
from dsam_assets.assets.declaration import code_parts, code_version_of
from dsam_assets.assets.making import lasting
from dsam_assets.assets.outcomes import as_failure, peak_memory_mib, plain
from dsam_assets.errors import DsamError
from resources.codecs import CODECS
from resources.store import FLEET, Encoded, Record, Store, file_hashes, fingerprint, utc_now

FLEET_GROUP = "fleet"
PROGRESS = logging.getLogger("dsam.progress")


@dataclass(frozen=True)
class FleetView:
    """A value made of all markets, its metadata, and a Markdown preview for the UI."""

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    preview: str = ""


def fleet_asset(
    *,
    codec: str,
    code: Sequence[str],
    after: Sequence[str],
    resources: Sequence[str] = (),
    dagster_type: dg.DagsterType | None = None,
    columns: Mapping[str, Any] | None = None,
) -> Callable[[Callable[[dg.AssetExecutionContext], FleetView]], dg.AssetsDefinition]:
    """Declare an asset of all markets.

    It takes nothing from Dagster's inputs: a market that is broken or not fitted has no value to hand over, and must
    not stop the others.

    Args:
        codec: name in `resources.codecs.CODECS`.
        code: stages and modules whose source makes up the code version.
        after: assets of the markets that it reads from the store.
        resources: further resource keys.
        dagster_type: type of the value.
        columns: metadata of the definition (column schema).
    """

    def decorate(function: Callable[[dg.AssetExecutionContext], FleetView]) -> dg.AssetsDefinition:
        parts = code_parts(function, code)

        def run(context: dg.AssetExecutionContext) -> Any:
            try:
                return _compute(context, function, codec, parts)
            except DsamError as error:
                raise as_failure(error) from error

        run.__annotations__ = {}  # Dagster would read its types off them; they are given by name
        return dg.asset(
            key=function.__name__,
            deps=[dg.AssetKey(name.split("/")) for name in after],
            group_name=FLEET_GROUP,
            code_version=code_version_of(parts),
            io_manager_key="io_manager",
            required_resource_keys={"store", "catalogue", *resources},
            dagster_type=dagster_type,
            metadata={"dsam/codec": codec, **(columns or {})},
            kinds=kinds_of(codec),
            description=inspect.getdoc(function),
            output_required=True,
        )(run)

    return decorate


def _compute(
    context: dg.AssetExecutionContext,
    function: Callable[[dg.AssetExecutionContext], FleetView],
    codec: str,
    parts: Mapping[str, str],
) -> dg.MaterializeResult[Encoded]:
    name, store = function.__name__, _open(context)
    view = function(context)
    files = CODECS[codec].encode(name, view.value)
    hashes = file_hashes(files)
    metadata = {"shown": {**plain(view.metadata), "peak_memory_mib": peak_memory_mib()}, "checks": []}
    record = Record(
        name, code_version_of(parts), {}, fingerprint(hashes), hashes, metadata, code=dict(parts), made=utc_now()
    )
    stored = store.record(FLEET, name)
    same = stored is not None and lasting(stored) == lasting(record) and store.verified(FLEET, stored)
    PROGRESS.info("unchanged" if same else "computed", extra={"asset": name, "seconds": 0.0})
    return dg.MaterializeResult(
        value=Encoded(view.value, record, None if same else files),
        data_version=dg.DataVersion(record.data_version),
        metadata={
            **({"preview": dg.MetadataValue.md(view.preview)} if view.preview else {}),
            **record.metadata["shown"],
            "path": dg.MetadataValue.path(str(store.folder_of(FLEET, name))),
            "files": ", ".join(hashes),
        },
    )


def _open(context: dg.AssetExecutionContext) -> Store:
    store: Store = context.resources.store.open()
    return store


def registered_markets(context: dg.AssetExecutionContext) -> list[str]:
    """Names of the markets that Dagster knows, sorted."""
    from dsam_assets.assets.outcomes import MARKETS

    return sorted(context.instance.get_dynamic_partitions(str(MARKETS.name)))
