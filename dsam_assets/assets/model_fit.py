"""Stage 20: the posterior and how well it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.market_asset import STAN_PROGRAMS, Published, market_asset
from dsam_assets.assets.types import table_columns, table_type, tables_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.schema_model import FitSection
    from dsam_assets.config.slices import PriorsSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws


@market_asset(
    codec="draws", code=["design", "fit", *STAN_PROGRAMS],
    resources=["stan"], pool="stan", kinds=["stan"],
    dagster_type=tables_type("posterior", "draws, and the tables of an optimisation", lambda fit: fit.tables),
)  # fmt: skip
def posterior(
    context: dg.AssetExecutionContext, design_matrix: ModelMatrix, config_priors: PriorsSlice, config_fit: FitSection
) -> Published:
    """Posterior draws in data units, sampled by Stan from sufficient statistics; group deviations drawn exactly."""
    from dsam_assets.design.checks import require_usable
    from dsam_assets.design.model_design import model_checks, model_design
    from dsam_assets.fit.model import fit_model

    require_usable(model_checks(design_matrix))
    fit = fit_model(model_design(design_matrix, config_priors), config_fit, context.resources.stan)
    return Published(fit, {**fit.draws.attributes, **fit.facts})


@market_asset(codec="table", code=["fit"], dagster_type=table_type("fit_metrics"), columns=table_columns("fit_metrics"))
def fit_metrics(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    fitted: Mapping[str, pd.DataFrame],
) -> Published:
    """R², RMSE, MAE, mean error and SMAPE on the model scale, over draws; coverage of the predictive intervals."""
    from dsam_assets.fit.fitted import metric_table

    table = metric_table(posterior, design_matrix, fitted["predictive"])
    overall = table[table["group"] == "all"]
    metrics_shown = dict(zip(overall["metric"], overall["q50"], strict=True))
    return Published(table, {**metrics_shown, "groups": table["group"].nunique() - 1})
