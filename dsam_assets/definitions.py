"""The one Definitions object: assets, jobs and resources of the served catalogue."""

import os
from typing import Any

import dagster as dg

from dsam_assets.assets import (
    diagnostics,
    fleet,
    forecast,
    interpretation,
    model_fit,
    model_selection,
    optimisation,
    plots,
    post_run,
    pre_run,
    run_metadata,
    sources,
)
from dsam_assets.assets.code_version import MEANINGS
from dsam_assets.assets.jobs import fleet_job, observe, refit, refresh
from dsam_assets.assets.schedules import build_schedules
from dsam_assets.assets.sensors import build_sensors
from resources.automation import Automation, automation_of
from resources.catalogue import ConfigCatalogue
from resources.clock import Clock
from resources.figure_images import FigureImages
from resources.locations import Locations, data_roots, locations
from resources.result_store import ResultStore, StoreIOManager
from resources.run_executor import run_executor
from resources.stan_resource import StanResource

STAGE_MODULES = (
    sources, run_metadata, pre_run, model_fit, post_run, diagnostics, model_selection, optimisation, forecast,
    plots, interpretation, fleet,
)  # fmt: skip


def build_definitions(
    places: Locations, *, roots: tuple[str, ...] = (), progress: bool = False, automation: Automation | None = None
) -> dg.Definitions:
    """Definitions over one folder of configs.

    Args:
        places: where configs, results and Dagster's own files are.
        roots: folders that configs may read data from; empty for no limit.
        progress: show a progress bar while sampling.
        automation: how sensors and schedules begin; stopped by default.
    """
    automation = automation or Automation()
    MEANINGS.keep()
    store = ResultStore(root=places.store)
    return dg.Definitions(
        assets=_assets(automation.owner),
        jobs=[refit, refresh, fleet_job, observe],
        sensors=build_sensors(automation),
        schedules=build_schedules(automation),
        executor=run_executor,
        resources={
            "catalogue": _catalogue(places, roots),
            "clock": Clock(),
            "store": store,
            "io_manager": StoreIOManager(store=store),
            "stan": StanResource(progress=progress),
            "images": FigureImages(),
        },
    )


def _catalogue(places: Locations, roots: tuple[str, ...]) -> ConfigCatalogue:
    """The folder of configs; what is mirrored for it may be read as well."""
    mirror = places.mirror
    readable = list(roots) if mirror is None or not roots else [*roots, str(mirror.root)]
    return ConfigCatalogue(folder=str(places.configs), url="" if mirror is None else mirror.url, data_roots=readable)


def _assets(owner: str) -> list[Any]:
    """All assets, with the one who is asked about them; a source has no owner but that of its file."""
    found = dg.load_assets_from_modules(list(STAGE_MODULES))
    if not owner:
        return list(found)
    return [
        each.map_asset_specs(lambda spec: spec.replace_attributes(owners=[owner]))
        if isinstance(each, dg.AssetsDefinition)
        else each
        for each in found
    ]


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` and the UI load."""
    roots = tuple(str(root) for root in data_roots())
    return build_definitions(locations(), roots=roots, automation=automation_of(os.environ))
