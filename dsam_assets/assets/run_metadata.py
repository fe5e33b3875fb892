"""Stage 00: the config as written and as resolved, cut into what each stage reads, and the software in use."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import dagster as dg

from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.config.slices import SLICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsam_assets.config.schema_model import FitSection
    from dsam_assets.config.slices import FormulaSlice


@market_asset(codec="text", code=["config"], sources=["config_file"], resources=["catalogue"], always_run=True)
def resolved_config(context: dg.AssetExecutionContext) -> Published:
    """The market's config: as written, and with every default applied and every path resolved."""
    from dsam_assets.config.resolved import resolved_yaml

    loaded = context.resources.catalogue.load(context.partition_key)
    files = {"config.original.yaml": loaded.original_text, "config.resolved.yaml": resolved_yaml(loaded.config)}
    return Published(files, {"path": str(loaded.path), "model_name": loaded.config.model.name})


def config_slice(name: str) -> dg.AssetsDefinition:
    """The asset `config/<name>`: what its stage reads of the config, so that other edits leave that stage alone."""

    def read_slice(context: dg.AssetExecutionContext, resolved_config: Mapping[str, str]) -> Published:
        from dsam_assets.config.resolved import config_from_resolved
        from dsam_assets.config.slices import config_slices

        value = config_slices(config_from_resolved(resolved_config["config.resolved.yaml"]))[name]
        return Published(value, {"keys": ", ".join(type(value).model_fields)})

    said = (inspect.getdoc(SLICES[name]) or "").removeprefix(f"`{name}`: ")
    read_slice.__doc__ = f"{said[:1].upper()}{said[1:]} The part of the config behind the {name} assets, and no other."
    return market_asset(key=f"config/{name}", codec="slice", code=["config"], kinds=["yaml"])(read_slice)


config_slice_assets = [config_slice(name) for name in SLICES]


@market_asset(
    codec="text", code=["report/session"], resources=["stan"], after=["model_frame"], always_run=True
)  # fmt: skip
def session_info(context: dg.AssetExecutionContext, config_formula: FormulaSlice, config_fit: FitSection) -> Published:
    """Versions of packages and of Stan, the platform, and fingerprints of data, package and Stan programs."""
    from dsam_assets.design.unsafe import unsafe_formula
    from dsam_assets.report.session import session_info as describe
    from resources.fingerprints import software_fingerprints

    home = context.resources.stan.describe_home()
    model = {
        "market": context.partition_key, "model_type": config_formula.type, "fit_method": config_fit.method,
        "unsafe_formula": unsafe_formula(config_formula),
    }  # fmt: skip
    landed = context.resources.store.open().record(context.partition_key, "model_frame").metadata["shown"]
    text = describe(
        schema_version=1, model=model, data={key: landed[key] for key in ("sha256", "rows", "columns")},
        stan_home=home, fingerprints=software_fingerprints(),
    )  # fmt: skip
    return Published({"session_info.txt": text}, home)
