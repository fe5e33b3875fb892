"""The one way to declare an asset of a market: partitioned, versioned by content, reused when nothing changed.

The decorated function reads its inputs, calls one core function and returns a `Published` value. The rest is done here:
an asset whose code and inputs are those of its stored record is not computed again (the tag `dsam/force` overrides
that), its data version is the hash of its content, and seconds and peak memory are attached.
"""

import base64
import inspect
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import dagster as dg

from dsam_assets.assets.outcomes import MARKETS, as_failure, check_document, peak_memory_mib, plain, restore_check
from dsam_assets.errors import DsamError, StoreError
from dsam_assets.report.artefacts import ASSET_STAGES, STAGED_FOLDERS
from resources.codecs import CODECS, PREVIEW
from resources.store import Encoded, Record, Store, file_hashes, fingerprint

STAN_PROGRAMS = ("stan:linear", "stan:hierarchical", "stan:hierarchical_adjoint")
FORCE_TAG = "dsam/force"
MEASURED = ("seconds", "peak_memory_mib")
PROGRESS = logging.getLogger("dsam.progress")


@dataclass(frozen=True)
class Published:
    """An asset's value, its metadata for the UI, and the checks that it reports."""

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[dg.AssetCheckResult] = ()


@dataclass(frozen=True)
class AssetSpecification:
    """What the wrapper needs to know of an asset."""

    name: str
    codec: str
    code_version: str
    inputs: tuple[str, ...]
    always_run: bool
    draws_images: bool


def market_asset(
    *,
    codec: str,
    code: Sequence[str],
    key: str | None = None,
    dagster_type: dg.DagsterType | None = None,
    columns: Mapping[str, Any] | None = None,
    sources: Sequence[str] = (),
    after: Sequence[str] = (),
    resources: Sequence[str] = (),
    pool: str | None = None,
    kinds: Sequence[str] = (),
    check_specs: Sequence[dg.AssetCheckSpec] = (),
    always_run: bool = False,
) -> Callable[[Callable[..., Published]], dg.AssetsDefinition]:
    """Declare an asset.

    Args:
        codec: name in `resources.codecs.CODECS`.
        key: asset key as `prefix/name`; the function's name when it is not given.
        code: stages, modules and Stan programs whose source makes up the code version.
        dagster_type: type of the value; tables use the type of their pandera schema.
        columns: metadata of the definition (column schema).
        sources: observable sources that the asset reads itself.
        after: further assets that it reads from the store itself.
        resources: further resource keys.
        pool: concurrency pool.
        kinds: tags of the UI's node.
        check_specs: the checks that it reports.
        always_run: never reuse (for assets that read a source: reading is how a change is seen).
    """

    def decorate(function: Callable[..., Published]) -> dg.AssetsDefinition:
        name = key or function.__name__
        inputs = tuple(inspect.signature(function).parameters)[1:]
        version = code_version_of(function, code)
        draws_images = "images" in resources
        specification = AssetSpecification(name, codec, version, inputs, always_run, draws_images)
        read_by_itself = (*sources, *after)
        ins = {parameter: dg.AssetIn(key=asset_key(parameter)) for parameter in inputs}
        return dg.asset(
            key=dg.AssetKey(name.split("/")),
            ins=ins,
            deps=[dg.AssetKey(name) for name in read_by_itself],
            group_name=group_of(name),
            partitions_def=MARKETS,
            code_version=version,
            io_manager_key="io_manager",
            required_resource_keys={"store", *resources},
            dagster_type=dagster_type,
            metadata={"dsam/codec": codec, **(columns or {})},
            pool=pool,
            kinds=set(kinds) or None,
            check_specs=list(check_specs) or None,
            description=inspect.getdoc(function),
            output_required=True,
        )(_wrap(function, specification))

    return decorate


def code_version_of(function: Callable[..., Any], code: Sequence[str]) -> str:
    from dsam_assets.assets.code_version import code_version

    return code_version(f"assets/{function.__module__.rsplit('.', 1)[-1]}", "errors", "scales", "verdict", *code)


def group_of(name: str) -> str:
    """UI group: the name of the stage folder."""
    return STAGED_FOLDERS[ASSET_STAGES.get(name, "run_metadata")]


def asset_key(parameter: str) -> dg.AssetKey:
    """`config_fit` → `config/fit`; anything else is its own key."""
    prefix, _, rest = parameter.partition("_")
    return dg.AssetKey([prefix, rest]) if prefix == "config" else dg.AssetKey(parameter)


def asset_name(parameter: str) -> str:
    return "/".join(asset_key(parameter).path)


def _wrap(
    function: Callable[..., Published], specification: AssetSpecification
) -> Callable[..., dg.MaterializeResult[Encoded]]:
    @wraps(function)
    def run(context: dg.AssetExecutionContext, **inputs: Any) -> dg.MaterializeResult[Encoded]:
        try:
            return _reuse_or_compute(context, function, inputs, specification)
        except DsamError as error:
            raise as_failure(error) from error

    # Dagster would read input and output types off the annotations; its types are given by name instead.
    parameters = inspect.signature(function).parameters.values()
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    run.__signature__ = inspect.Signature(bare)  # type: ignore[attr-defined]
    run.__annotations__ = {}
    return run


def _reuse_or_compute(
    context: dg.AssetExecutionContext,
    function: Callable[..., Published],
    inputs: Mapping[str, Any],
    specification: AssetSpecification,
) -> dg.MaterializeResult[Encoded]:
    store: Store = context.resources.store.open()
    versions = input_versions(store, context.partition_key, specification.inputs)
    record = None
    if not specification.always_run and FORCE_TAG not in context.run.tags:
        record = reusable_record(store, context.partition_key, specification, versions)
    if record is None or (specification.draws_images and _lacks_images(context, record)):
        return _compute(context, function, inputs, specification, versions)
    PROGRESS.info("reused", extra={"asset": specification.name, "seconds": 0.0})
    checks = [restore_check(check) for check in record.metadata["checks"]]
    return _result(context, Encoded(None, record, None), checks)


def _lacks_images(context: dg.AssetExecutionContext, record: Record) -> bool:
    """Whether figures were drawn where there was no browser, and here is one."""
    return bool(record.metadata["shown"].get("browser") == "none" and context.resources.images.marker() != "none")


def input_versions(store: Store, market: str, inputs: Sequence[str]) -> dict[str, str]:
    """Data version of each stored input."""
    records = {asset_name(name): store.record(market, asset_name(name)) for name in inputs}
    return {name: record.data_version for name, record in records.items() if record is not None}


def reusable_record(
    store: Store, market: str, specification: AssetSpecification, versions: Mapping[str, str]
) -> Record | None:
    """The stored record, if the same code and the same inputs made it and its files are still there."""
    record = store.record(market, specification.name)
    if record is None or record.code_version != specification.code_version or dict(record.inputs) != dict(versions):
        return None
    return record if store.intact(market, record) else None


def require_current(store: Store, market: str, assets: Sequence[str]) -> None:
    """Raise `StoreError` unless each stored asset was made from its inputs as they are stored now."""
    for name in assets:
        record = store.record(market, name)
        if record is None or input_versions(store, market, tuple(record.inputs)) != dict(record.inputs):
            raise StoreError(
                f"{name} is missing, or older than what it is made from.",
                where=f"market {market}",
                fix=f"Materialise {name} first, or run the job refit.",
            )


def _compute(
    context: dg.AssetExecutionContext,
    function: Callable[..., Published],
    inputs: Mapping[str, Any],
    specification: AssetSpecification,
    versions: Mapping[str, str],
) -> dg.MaterializeResult[Encoded]:
    PROGRESS.info("started", extra={"asset": specification.name, "seconds": 0.0})
    started = time.perf_counter()
    published = function(context, **inputs)
    files = CODECS[specification.codec].encode(specification.name, published.value)
    hashes = file_hashes(files)
    seconds = round(time.perf_counter() - started, 3)
    record = Record(
        asset=specification.name,
        code_version=specification.code_version,
        inputs=dict(versions),
        data_version=fingerprint(hashes),
        files=hashes,
        metadata={
            "shown": {**plain(published.metadata), "seconds": seconds, "peak_memory_mib": peak_memory_mib()},
            "checks": [check_document(check) for check in published.checks],
        },
    )
    store: Store = context.resources.store.open()
    stored = reusable_record(store, context.partition_key, specification, versions)
    if stored is not None and _lasting(stored) == _lasting(record) and store.verified(context.partition_key, stored):
        PROGRESS.info("unchanged", extra={"asset": specification.name, "seconds": seconds})
        return _result(context, Encoded(None, stored, None), published.checks)
    PROGRESS.info("computed", extra={"asset": specification.name, "seconds": seconds})
    return _result(context, Encoded(published.value, record, files), published.checks)


def _preview(context: dg.AssetExecutionContext, encoded: Encoded) -> dict[str, dg.MetadataValue[Any]]:
    """The small picture of an asset that draws figures, shown inline by the UI."""
    record, name = encoded.record, f"{encoded.record.asset}{PREVIEW}"
    if name not in record.files:
        return {}
    if encoded.files is not None:
        content = encoded.files[name]
    else:
        content = context.resources.store.open().read(context.partition_key, record, name)
    picture = base64.b64encode(content).decode()
    return {"preview": dg.MetadataValue.md(f"![{record.asset}](data:image/png;base64,{picture})")}


def _lasting(record: Record) -> tuple[object, ...]:
    """What two records of the same work agree on: everything but how long it took."""
    shown = {key: value for key, value in record.metadata["shown"].items() if key not in MEASURED}
    return record.data_version, shown, record.metadata["checks"]


def _result(
    context: dg.AssetExecutionContext, encoded: Encoded, checks: Sequence[dg.AssetCheckResult]
) -> dg.MaterializeResult[Encoded]:
    folder = context.resources.store.open().folder_of(context.partition_key, encoded.record.asset)
    return dg.MaterializeResult(
        value=encoded,
        data_version=dg.DataVersion(encoded.record.data_version),
        metadata={
            "path": dg.MetadataValue.path(str(folder)),
            "files": ", ".join(encoded.record.files),
            **encoded.record.metadata["shown"],
            **_preview(context, encoded),
            "reused": encoded.files is None,
        },
        check_results=list(checks) or None,
    )
