"""When a file of a run folder is written, besides its switch."""

from __future__ import annotations

from typing import Literal

Condition = Literal[
    "always", "sampled", "chains", "optimised", "log_response", "panel", "media", "sampled_media", "predictors",
    "two_predictors", "bounds", "sampled_bounds", "identifiability", "leverage", "spend", "varying_spend",
    "channel_spend", "calendar", "holidays", "dropped_groups", "sensitivity", "waivers", "loo", "tscv", "tscv_folds",
    "tscv_drawn", "tscv_pointwise", "allocation", "sampled_allocation",
    "forecast", "forecast_log", "forecast_plan", "forecast_scores",
    "drift", "drift_media", "drift_drawn",
]  # fmt: skip

CONDITIONS: dict[Condition, str] = {
    "always": "every run",
    "sampled": "`fit.method: mcmc`",
    "chains": "`fit.method: mcmc` with two chains or more",
    "optimised": "`fit.method: optimise`",
    "log_response": "the formula logs the response",
    "panel": "the model is a panel (`re`, `cre`)",
    "media": "the model has media terms",
    "sampled_media": "`fit.method: mcmc`, and media terms have priors of their own (not `pooled`)",
    "predictors": "the model has predictors besides the intercept",
    "two_predictors": "the model has two predictors or more",
    "bounds": "a parameter has a boundary",
    "sampled_bounds": "`fit.method: mcmc`, and a boundary was set that is not a standard deviation's zero",
    "identifiability": "`diagnostics.identifiability` names media terms, and the model has baseline terms",
    "leverage": "a row has leverage 1: without it the model is not identified",
    "spend": "`allocation.channels` name spend columns",
    "varying_spend": "`allocation.channels` name spend columns, and spend and KPI vary",
    "channel_spend": "a media term has a spend column, of its channel or by its name (`m_tv`: `spend_tv`)",
    "calendar": "the data have dates",
    "holidays": "`time_components.holidays.enabled: true`",
    "dropped_groups": "`pooling.min_waves` left groups out",
    "sensitivity": "`transforms.sensitivity.enabled: true`",
    "waivers": "`diagnostics.waivers` has rows",
    "loo": "PSIS-LOO was computed: `fit.method: mcmc`, `diagnostics.model_selection.enabled: true`",
    "tscv": "`diagnostics.time_series_selection.enabled: true`",
    "tscv_folds": "time-series selection is on, and the data allow a fold",
    "tscv_drawn": "folds were scored, and `diagnostics.time_series_selection.save_png: true`",
    "tscv_pointwise": "folds were scored, and `diagnostics.time_series_selection.save_pointwise: true`",
    "allocation": "`allocation.enabled: true`",
    "sampled_allocation": "`allocation.enabled: true`, `fit.method: mcmc`",
    "forecast": "`forecast.enabled: true`",
    "forecast_log": "`forecast.enabled: true`, and the formula logs the response",
    "forecast_plan": "`forecast.enabled: true` and `allocation.enabled: true`",
    "drift": "the market was fitted before, in the same store, and that fit can be compared",
    "drift_drawn": "the market was fitted before, and a channel has a return or coefficients have a spread",
    "drift_media": "the market was fitted before, and one of the two fits has media terms",
    "forecast_scores": "`forecast.enabled: true`, and the KPI of some weeks ahead is known by now",
}
