"""The one way to declare an asset of a market: partitioned, versioned by content, reused when nothing changed.

The decorated function reads its inputs, calls one core function and returns a `Published` value. The rest is done here:
an asset whose code and inputs are those of its stored record is not computed again (the tag `dsam/force` overrides
that), its data version is the hash of its content, and seconds and peak memory are attached. An asset that takes the
verdict is neither computed nor reused when the stored verdict rests on a waiver that has expired since.
"""

import base64
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import dagster as dg

from dsam_assets.assets.catalogue_words import decision_tags, kinds_of
from dsam_assets.assets.declaration import DECLARED, Declaration, asset_key, code_parts, code_version_of
from dsam_assets.assets.glance import glance_metadata
from dsam_assets.assets.making import Published as Published
from dsam_assets.assets.making import input_versions, lasting, make, reusable_record
from dsam_assets.assets.outcomes import MARKETS, as_failure, restore_check
from dsam_assets.errors import DsamError
from dsam_assets.report.artefacts import ASSET_STAGES, STAGED_FOLDERS
from resources.codecs import PREVIEW
from resources.store import Encoded, Record, Store

STAN_PROGRAMS = ("stan:linear", "stan:hierarchical", "stan:hierarchical_adjoint")
FORCE_TAG = "dsam/force"
REFRESH_TAG = "dsam/refresh"
VERDICT = "diagnostics_report"
PROGRESS = logging.getLogger("dsam.progress")


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
        kinds: on the UI's node, besides that of the codec's files.
        check_specs: the checks that it reports.
        always_run: never reuse (for assets that read a source: reading is how a change is seen).
    """

    def decorate(function: Callable[..., Published]) -> dg.AssetsDefinition:
        name = key or function.__name__
        inputs = tuple(inspect.signature(function).parameters)[1:]
        parts = code_parts(function, code)
        declaration = Declaration(
            name, codec, code_version_of(parts), parts, inputs, tuple(after), tuple(sources), always_run,
            "stan" in resources, "images" in resources, function,
        )  # fmt: skip
        DECLARED[name] = declaration
        ins = {parameter: dg.AssetIn(key=dg.AssetKey(asset_key(parameter))) for parameter in inputs}
        return dg.asset(
            key=dg.AssetKey(name.split("/")),
            ins=ins,
            deps=[dg.AssetKey(each.split("/")) for each in (*sources, *after)],
            group_name=group_of(name),
            partitions_def=MARKETS,
            code_version=declaration.code_version,
            io_manager_key="io_manager",
            required_resource_keys={"store", *resources, *(["clock"] if VERDICT in inputs else [])},
            dagster_type=dagster_type,
            metadata={"dsam/codec": codec, **(columns or {})},
            pool=pool,
            kinds={*kinds, *kinds_of(codec)},
            tags=decision_tags(name),
            check_specs=list(check_specs) or None,
            description=inspect.getdoc(function),
            output_required=True,
        )(_wrap(declaration))

    return decorate


def group_of(name: str) -> str:
    """UI group: the name of the stage folder."""
    return STAGED_FOLDERS[ASSET_STAGES.get(name, "run_metadata")]


def _wrap(declaration: Declaration) -> Callable[..., dg.MaterializeResult[Encoded]]:
    @wraps(declaration.function)
    def run(context: dg.AssetExecutionContext, **inputs: Any) -> dg.MaterializeResult[Encoded]:
        try:
            result = _reuse_or_compute(context, declaration, inputs)
        except DsamError as error:
            _note(context, declaration.name, str(error))
            raise as_failure(error) from error
        except Exception as error:
            _note(context, declaration.name, f"{type(error).__name__}: {error}")
            raise
        context.resources.store.open().clear_problem(context.partition_key, declaration.name)
        return result

    # Dagster would read input and output types off the annotations; its types are given by name instead.
    parameters = inspect.signature(declaration.function).parameters.values()
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    run.__signature__ = inspect.Signature(bare)  # type: ignore[attr-defined]
    run.__annotations__ = {}
    return run


def _note(context: dg.AssetExecutionContext, asset: str, what: str) -> None:
    try:
        context.resources.store.open().note_problem(context.partition_key, asset, what)
    except OSError as error:
        context.log.warning(f"The problem could not be noted in the store: {error}")  # the failure itself is raised


def _reuse_or_compute(
    context: dg.AssetExecutionContext, declaration: Declaration, inputs: Mapping[str, Any]
) -> dg.MaterializeResult[Encoded]:
    if VERDICT in inputs:
        _require_verdict_of_today(context, inputs[VERDICT])
    store: Store = context.resources.store.open()
    versions = input_versions(store, context.partition_key, declaration.upstream)
    record = None
    if not _looks_again(context, declaration):
        record = reusable_record(store, context.partition_key, declaration, versions)
    if record is None or (declaration.draws_images and _lacks_images(context, record)):
        return _compute(context, declaration, inputs, versions)
    PROGRESS.info("reused", extra={"asset": declaration.name, "seconds": 0.0})
    checks = [restore_check(check) for check in record.metadata["checks"]]
    return _result(context, Encoded(None, record, None), checks)


def _looks_again(context: dg.AssetExecutionContext, declaration: Declaration) -> bool:
    """Whether the asset is made without asking if its record would do. A refresh looks at the sources alone, and at the
    verdict, whose source is the day."""
    if FORCE_TAG in context.run.tags or declaration.sources or declaration.name == VERDICT:
        return True
    return declaration.always_run and REFRESH_TAG not in context.run.tags


def _lacks_images(context: dg.AssetExecutionContext, record: Record) -> bool:
    """Whether figures were drawn where there was no browser, and here is one."""
    return bool(record.metadata["shown"].get("browser") == "none" and context.resources.images.marker() != "none")


def _require_verdict_of_today(context: dg.AssetExecutionContext, report: Any) -> None:
    from dsam_assets.diagnostics.waivers import require_in_force

    require_in_force(report.waivers, context.resources.clock.today())


def _compute(
    context: dg.AssetExecutionContext,
    declaration: Declaration,
    inputs: Mapping[str, Any],
    versions: Mapping[str, str],
) -> dg.MaterializeResult[Encoded]:
    PROGRESS.info("started", extra={"asset": declaration.name, "seconds": 0.0})
    made = make(context, declaration, inputs, versions)
    seconds = made.record.metadata["shown"]["seconds"]
    store: Store = context.resources.store.open()
    stored = reusable_record(store, context.partition_key, declaration, versions)
    if stored is not None and lasting(stored) == lasting(made.record) and store.verified(context.partition_key, stored):
        PROGRESS.info("unchanged", extra={"asset": declaration.name, "seconds": seconds})
        return _result(context, Encoded(None, stored, None), made.published.checks)
    PROGRESS.info("computed", extra={"asset": declaration.name, "seconds": seconds})
    return _result(context, Encoded(made.published.value, made.record, made.files), made.published.checks)


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


def _result(
    context: dg.AssetExecutionContext, encoded: Encoded, checks: Sequence[dg.AssetCheckResult]
) -> dg.MaterializeResult[Encoded]:
    folder = context.resources.store.open().folder_of(context.partition_key, encoded.record.asset)
    shown: Mapping[str, Any] = encoded.record.metadata["shown"]
    return dg.MaterializeResult(
        value=encoded,
        data_version=dg.DataVersion(encoded.record.data_version),
        metadata={  # in the order in which the UI shows it: what was found, then where it lies
            **_preview(context, encoded),
            **shown,
            **glance_metadata(encoded.record.metadata.get("glance", {})),
            **({} if "path" in shown else {"path": dg.MetadataValue.path(str(folder))}),
            "files": ", ".join(encoded.record.files),
            "reused": encoded.files is None,
        },
        check_results=list(checks) or None,
    )
