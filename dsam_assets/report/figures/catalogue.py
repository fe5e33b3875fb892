"""Every figure of a run: its name, the asset that draws it, its stage, and the switch of its PNG.

The single place that names figures. HTML is always written; a PNG where a browser is found and the switch allows it.
Draws nothing and loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from dsam_assets.report.conditions import Condition
from dsam_assets.report.stages import Stage


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes:
        name: file name without extension.
        asset: the asset that draws it.
        stage: its stage.
        switch: the `outputs` key that turns its PNG off; None where there is none.
        shows: what it shows, for the reference of artefacts.
        when: when it is drawn, a key of `conditions.CONDITIONS`.
    """

    name: str
    asset: str
    stage: Stage
    switch: str | None
    shows: str
    when: Condition = "always"


type _Row = tuple[str, str] | tuple[str, str, Condition]


def _of(asset: str, stage: Stage, switch: str | None, *rows: _Row) -> tuple[Drawing, ...]:
    return tuple(Drawing(row[0], asset, stage, switch, *row[1:]) for row in rows)


DRAWINGS: tuple[Drawing, ...] = (
    *_of(
        "pre_run_plots", "pre_run", None,
        ("media_spend_timeseries", "Spend by channel over time, stacked", "spend"),
        ("kpi_media_overlay", "KPI and total media spend over time", "varying_spend"),
        ("vif_bar", "Variance inflation factor of each predictor", "two_predictors"),
        ("prior_predictive", "What the prior expects of the KPI, beside what was observed"),
    ),
    *_of(
        "model_fit_plots", "model_fit", "save_fit_png",
        ("fit_timeseries", "Observed and fitted KPI over time with the 95 % predictive interval"),
        ("fit_scatter", "Observed against fitted KPI with the line of equality"),
        ("posterior_forest", "Coefficients with 90 % intervals", "sampled"),
        ("prior_posterior", "Prior and posterior density of each media coefficient",
         "sampled_media"),
    ),
    *_of(
        "post_run_plots", "decomposition", "save_decomp_png",
        ("decomp_predictor_impact", "Total contribution of each predictor with its 90 % interval"),
        ("decomp_timeseries", "Contribution of the media terms over time, stacked", "media"),
        ("decomp_waterfall", "The fitted KPI by kind of driver"),
        ("channel_returns", "Average and marginal ROI or CPA by channel", "channel_spend"),
        ("refresh_drift", "ROI or CPA by channel under the fit before and under this one; coefficients where no channel"
         " has a return", "drift_drawn"),
    ),
    *_of(
        "diagnostics_plots", "diagnostics", "save_diagnostics_png",
        ("ppc", "Posterior predictive intervals (50 % and 90 %) with the observed KPI", "sampled"),
        ("residuals_timeseries", "Residuals over time"),
        ("residuals_vs_fitted", "Residuals against fitted values"),
        ("residuals_hist", "Distribution of the residuals"),
        ("residuals_acf", "Autocorrelation of the residuals, KPI scale", "calendar"),
        ("residuals_latent_acf", "Autocorrelation of the residuals, log scale", "log_response"),
        ("boundary_hits", "Share of draws next to each boundary", "sampled_bounds"),
        ("within_variation", "Share of each predictor's variance within groups", "panel"),
        ("rank_trace", "Ranks of the draws by chain", "chains"),
        ("energy", "Energy of the sampler and its changes", "sampled"),
        ("calibration_ecdf", "LOO-PIT and interval coverage with simultaneous bands", "loo"),
    ),
    *_of(
        "model_selection_plots", "model_selection", "save_diagnostics_png",
        ("pareto_k", "Pareto k of each row", "loo"),
        ("loo_pit", "Histogram of the LOO-PIT values", "loo"),
        ("elpd_influence", "Log predictive density of each row", "loo"),
        ("tscv_elpd_by_fold", "Log predictive density of later weeks, by fold", "tscv_drawn"),
    ),
    *_of(
        "optimisation_plots", "response_curves", "save_allocator_png",
        ("budget_response_curves", "Response curve of each channel, reference and plan", "allocation"),
        ("budget_marginal_roi", "Marginal ROI or CPA by spend", "allocation"),
    ),
    *_of(
        "optimisation_plots", "optimisation", "save_allocator_png",
        ("budget_confidence_comparison", "Response with 90 % intervals, reference and plan", "sampled_allocation"),
        *((name, shows, "allocation") for name, shows in (
            ("budget_roi_cpa", "ROI or CPA by channel, reference and plan"),
            ("budget_impact", "Change of spend and of response by channel"),
            ("budget_contribution", "Response by channel, reference and plan"),
            ("budget_sensitivity", "Change of the KPI when a channel's spend moves by 20 %"),
            ("budget_efficient_frontier", "Response of the best plan at each budget"),
            ("budget_scenarios", "The best split of named budgets, or of somewhat less and more, and what it changes"),
            ("budget_kpi_waterfall", "The way from the reference to the plan by channel"),
            ("budget_spend_share", "Split of the budget, reference and plan"),
        )),
    ),
    *_of(
        "forecast_plots", "forecast", None,
        ("forecast", "The KPI of the weeks ahead with intervals", "forecast"),
        ("forecast_paths", "Total KPI ahead under the future data's spend and under the plan",
         "forecast_plan"),
    ),
)  # fmt: skip

FIGURE_JSON = ".plot.json"


def drawings_of(asset: str) -> dict[str, Drawing]:
    """The figures that an asset may draw, by name."""
    return {drawing.name: drawing for drawing in DRAWINGS if drawing.asset == asset}
