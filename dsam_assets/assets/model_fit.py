"""Stage 20: the posterior and how well it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.assets.types import table_columns, table_type

if TYPE_CHECKING:
    import dagster as dg

    from dsam_assets.config.schema_model import FitSection
    from dsam_assets.config.slices import PriorsSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws


@market_asset(codec="draws", code=["design", "fit", "stan:linear"], resources=["stan"], pool="stan", kinds=["stan"])
def posterior(
    context: dg.AssetExecutionContext, design_matrix: ModelMatrix, config_priors: PriorsSlice, config_fit: FitSection
) -> Published:
    """Posterior draws in data units, sampled by Stan from sufficient statistics."""
    from dsam_assets.design.checks import design_checks, require_usable
    from dsam_assets.design.linear import design_from_slice
    from dsam_assets.fit.sample import fit_linear, mcmc_settings

    require_usable(design_checks(design_matrix))
    design = design_from_slice(design_matrix, config_priors)
    parameterization = config_fit.mcmc.parameterization.positive_priors
    draws = fit_linear(design, mcmc_settings(config_fit), context.resources.stan, positive_priors=parameterization)
    return Published(draws, {**draws.attributes, "divergences": int(draws.sampler["diverging"].sum())})


@market_asset(codec="table", code=["fit"], dagster_type=table_type("fit_metrics"), columns=table_columns("fit_metrics"))
def fit_metrics(context: dg.AssetExecutionContext, posterior: Draws, design_matrix: ModelMatrix) -> Published:
    """R², RMSE and SMAPE on the model scale, over draws."""
    from dsam_assets.fit.fitted import fit_metrics as metrics

    table = metrics(posterior, design_matrix)
    return Published(table, dict(zip(table["metric"], table["q50"], strict=True)))
