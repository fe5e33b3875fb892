"""What a fitted model answers. All tables are those that the assets publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dsam_assets.config.schema import Config
from dsam_assets.config.slices import AllocationSlice, config_slices, decomposition_slice, formula_slice, priors_slice
from dsam_assets.decomposition.contributions import Scale, decomposition, kpi_decomposition
from dsam_assets.decomposition.decompose import decompose
from dsam_assets.decomposition.evidence import channel_evidence
from dsam_assets.decomposition.term_groups import TermGroup, baseline_terms, term_groups
from dsam_assets.design.additions import generated_terms
from dsam_assets.design.labels import row_labels
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import design_prior_table
from dsam_assets.diagnostics.chain_table import chain_table
from dsam_assets.diagnostics.convergence import convergence
from dsam_assets.diagnostics.gate_table import gate_frame
from dsam_assets.diagnostics.postfit import PostfitChecks, postfit_checks
from dsam_assets.diagnostics.report import DiagnosticsReport, enforce
from dsam_assets.diagnostics.verdicts import fit_checks, verdict
from dsam_assets.errors import ConfigError, FitError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.fitted import fit_metrics, fitted_kpi_table, fitted_table, observed_kpi_table, observed_table
from dsam_assets.fit.group_effects import group_coefficients
from dsam_assets.fit.model import FitResult
from dsam_assets.fit.sample import mcmc_settings
from dsam_assets.fit.summary import group_summary, posterior_summary
from dsam_assets.preflight import require_channels
from dsam_assets.selection.evidence import selection_tables
from dsam_assets.selection.reloo import refitter

if TYPE_CHECKING:
    from dsam_assets.allocation.plan import BudgetPlan
    from dsam_assets.drift.snapshot import FitSnapshot
    from dsam_assets.fit.runner import StanRunner
    from dsam_assets.forecast.forecast import Forecast
    from dsam_assets.model import Model
    from dsam_assets.scales import ConversionMethod


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model with its posterior, or with its mode after `fit_map`.

    Attributes:
        model: the model that was fitted.
        result: draws, and tables of an optimisation.
        runner: what ran Stan; evidence that needs further draws runs on it, too.
    """

    model: Model
    result: FitResult
    runner: StanRunner

    @property
    def draws(self) -> Draws:
        """Draws in data units on the model scale."""
        return self.result.draws

    @property
    def matrix(self) -> ModelMatrix:
        """The rows that were modelled."""
        return self.model.built.matrix

    @cached_property
    def _labels(self) -> pd.DataFrame:
        return row_labels(self.model.data, self.model.config.data.date_var, self.matrix)

    def get_posterior(self, group: str | None = None) -> pd.DataFrame:
        """Draws in data units on the model scale, one row per draw: `chain`, `draw`, a column per parameter.

        Args:
            group: for a panel, a grouping key such as `market`: one row per draw and group, with a column `group` and
                the coefficients of that group.

        Raises:
            DesignError: the model has no such grouping key.
        """
        chains, size = self.draws.noise_sd.shape
        index = {"chain": np.repeat(np.arange(chains), size), "draw": np.tile(np.arange(size), chains)}
        if group is None:
            columns = {name: values.reshape(-1) for name, values in self.draws.parameters.items()}
            return pd.DataFrame({**index, **columns})
        levels, terms, values = group_coefficients(self.draws, self.matrix, group)
        repeated = {name: np.repeat(values_, len(levels)) for name, values_ in index.items()}
        flat = values.reshape(-1, len(terms))
        named = {"group": np.tile(np.asarray(levels, dtype=object), chains * size)}
        return pd.DataFrame({**repeated, **named, **{term: flat[:, t] for t, term in enumerate(terms)}})

    def summary(self) -> pd.DataFrame:
        """Mean, sd and quantiles of every parameter, in data units on the model scale."""
        return posterior_summary(self.draws)

    def group_summary(self) -> pd.DataFrame:
        """The same of every group's coefficients; empty unless the model is hierarchical."""
        return group_summary(self.draws, self.matrix)

    def get_optimisation(self) -> dict[str, pd.DataFrame]:
        """Tables of a MAP fit: `optimisation_runs`, every start, and `optimisation_best`, the mode.

        Raises:
            FitError: the model was sampled.
        """
        if not self.draws.is_point:
            raise FitError("This model was sampled, not optimised.", fix="Call fit_map() for a mode.")
        return dict(self.result.tables)

    def fitted(self) -> pd.DataFrame:
        """Fitted values by row on the model scale (log KPI for a log response): mean, sd and quantiles over draws."""
        return fitted_table(self.draws, self.matrix, self._labels)

    def fitted_kpi(
        self, log_response: bool | None = None, *, method: ConversionMethod = "conditional_mean"
    ) -> pd.DataFrame:
        """Fitted values by row on the KPI scale, converted draw by draw.

        Args:
            log_response: whether the response was logged *by hand* in the data; by default the formula says it.
            method: for a log response, `conditional_mean` E[Y] = exp(μ + σ²/2), or `median` exp(μ).
        """
        return fitted_kpi_table(self.draws, self._scaled(log_response), self._labels, method)

    def observed(self) -> pd.DataFrame:
        """The response by row on the model scale."""
        return observed_table(self.matrix, self._labels)

    def observed_kpi(self, log_response: bool | None = None) -> pd.DataFrame:
        """The response by row on the KPI scale; `log_response` as in `fitted_kpi`."""
        return observed_kpi_table(self._scaled(log_response), self._labels)

    def _scaled(self, log_response: bool | None) -> ModelMatrix:
        from dataclasses import replace

        if log_response is None:
            return self.matrix
        if not log_response and self.matrix.response_scale == "log":
            raise ConfigError("The formula logs the response.", where="log_response", got=False, wanted="True or None")
        return replace(self.matrix, response_scale="log" if log_response else "identity")

    def decomp(self, scale: Scale = "model", *, method: ConversionMethod = "conditional_mean") -> pd.DataFrame:
        """Contribution of each term to each row: posterior mean and 90 % interval.

        On the model scale contributions are coefficient × column, for panels with the coefficients of the row's own
        unit. On the KPI scale those of a log response divide the fitted KPI as `decomposition.attribution` says. Either
        way those of a row add up to its fitted value.

        Args:
            scale: `model` (log KPI for a log response) or `kpi`.
            method: how draws of a log response reach the KPI scale, as in `fitted_kpi`.

        Raises:
            ConfigError: no such scale.
        """
        if scale == "model":
            return decomposition(self.draws, self.matrix, self._labels)
        if scale != "kpi":
            raise ConfigError("There is no such scale.", where="scale", got=scale, wanted="model or kpi")
        media = [term for term, group in self.term_groups().items() if group == "media"]
        return kpi_decomposition(self.draws, self.matrix, self._labels, media, method)

    def term_groups(self) -> dict[str, TermGroup]:
        """What kind of driver each term is: baseline, trend, seasonality, holidays, controls or media."""
        section = decomposition_slice(self.model.config)
        generated = generated_terms(self.model.holidays)
        return term_groups(self.matrix, section.channels, section.identifiability, generated)

    def decomposition(
        self, channels: Sequence[Mapping[str, Any]] | None = None, **diagnostics: Any
    ) -> dict[str, pd.DataFrame]:
        """Totals on the KPI scale with shares and intervals, stamped with the verdict.

        Args:
            channels: rows of the config's `allocation.channels` (term, name, spend_col, currency_col, response, …), for
                spend and returns; media terms that they leave out go by the name of their column (`m_tv`: `spend_tv`).
            diagnostics: settings of the verdict, as for `diagnostics`.

        Returns:
            `decomp_summary`, `decomp_predictor_impact` (by term), `decomp_group_impact` (by kind of driver, as a
            waterfall), `decomp_timeseries`; with media also `decomp_channels` (spend, ROI or CPA, marginal return) and
            `channel_evidence`.

        Raises:
            ConfigError: the channels are not valid.
            GateError: the verdict blocks decisions.
        """
        # channels of a decomposition need no bounds: no budget is asked for
        asked = {} if channels is None else {"enabled": False, "channels": list(channels), "reference_spend": None}
        model = self.model._with(allocation=asked)
        report = self.diagnostics(**diagnostics)
        enforce(report)
        return decompose(
            self.draws, self.matrix, self._labels, model.data, decomposition_slice(model.config),
            design_prior_table(self.model.design), report, generated_terms(self.model.holidays),
        )  # fmt: skip

    def chain_diagnostics(self) -> pd.DataFrame:
        """R-hat, effective sample sizes and Monte Carlo error by parameter.

        Raises:
            FitError: a point estimate has no chains.
        """
        if self.draws.is_point:
            raise FitError("A point estimate has no chains.", fix="Call fit() to sample the posterior.")
        return chain_table(convergence(self.draws))

    def metrics(self) -> pd.DataFrame:
        """R², RMSE and SMAPE on the model scale: mean and quantiles over draws, for panels by unit as well."""
        return fit_metrics(self.draws, self.matrix)

    def r2(self) -> float:
        """Median over draws of the in-sample R² on the model scale."""
        return self._metric("r2")

    def rmse(self) -> float:
        """Median over draws of the in-sample root mean squared error, in the unit of the response."""
        return self._metric("rmse")

    def smape(self) -> float:
        """Median over draws of the in-sample SMAPE, mean of 2|y − f| / (|y| + |f|), between 0 and 2."""
        return self._metric("smape")

    def _metric(self, name: str) -> float:
        table = self.metrics()
        return float(table.loc[(table["group"] == "all") & (table["metric"] == name), "q50"].item())

    def loo(self) -> dict[str, pd.DataFrame]:
        """PSIS-LOO and calibration: `loo_summary`, `loo_pointwise`, `calibration_summary`, …; where they do not apply,
        summaries that say why."""
        return self._selection(self.model.config.diagnostics)

    def _selection(self, section: Any) -> dict[str, pd.DataFrame]:
        fit = self.model.config.fit
        refit = refitter(mcmc_settings(fit), self.runner, positive_priors=fit.mcmc.parameterization.positive_priors)
        return selection_tables(self.draws, self.matrix, self._labels, section, design=self.model.design, refit=refit)

    def postfit_checks(self, policy_mode: str = "publish") -> PostfitChecks:
        """Residuals, boundaries, within variation, identifiability and leverage: judged rows and their tables."""
        return self._postfit(self.model._with(diagnostics={"policy_mode": policy_mode}).config.diagnostics)

    def _postfit(self, section: Any) -> PostfitChecks:
        priors = design_prior_table(self.model.design)
        return postfit_checks(
            self.draws, self.matrix, self._labels, priors, section.identifiability, section.policy_mode,
            generated_terms(self.model.holidays),
        )  # fmt: skip

    def diagnostics(self, **settings: Any) -> DiagnosticsReport:
        """The verdict: every check of the fit, judged.

        Args:
            settings: keys of the config's section `diagnostics`: policy_mode, gating, enforce_publish_gate, waivers, …
        """
        from resources.clock import utc_today

        model = self.model._with(diagnostics=settings)
        section = model.config.diagnostics
        checks = self.model.pre_flight_checks(section.policy_mode)
        prior = self.model.prior_predictive(section.policy_mode, runner=self.runner)["prior_predictive_checks"]
        fit = fit_checks(self.draws, self._selection(section), section)
        tables = (checks, prior, gate_frame(fit), gate_frame(self._postfit(section).gates))
        return verdict(tables, section, utc_today())

    def optimise_budget(self, scenario: Mapping[str, Any], **diagnostics: Any) -> BudgetPlan:
        """Split a budget with the fitted response, stamped with the verdict; panels as the key `level` says.

        Args:
            scenario: keys of the config's section `allocation`: budget, channels, objective, …
            diagnostics: settings of the verdict, as for `diagnostics`.

        Returns:
            The plan: `tables` by name (budget_allocation, budget_summary, budget_response_curves,
            budget_efficient_frontier, …), `reliability` and its `reasons`.

        Raises:
            ConfigError, AllocationError: the scenario is not valid or not feasible.
            GateError: the verdict blocks decisions.
        """
        from dsam_assets.allocation.around_plan import frontier, response_curves
        from dsam_assets.allocation.levels import level_terms
        from dsam_assets.allocation.plan import plan_budget

        planned = self.model._with(allocation={**scenario, "enabled": True})
        config = planned.config
        require_channels(config, self.model.data, level_terms(config.allocation.level, self.matrix))
        report = replace(self, model=planned).diagnostics(**diagnostics)  # what was spent is evidence, too
        enforce(report)
        section = AllocationSlice(kpi_type=config.model.kpi_type, allocation=config.allocation)
        asked = (self.draws, self.matrix, self.model.data, section, report)
        plan = plan_budget(*asked, self._evidence(config))
        around = {**response_curves(*asked, plan).tables, **frontier(*asked, plan).tables}
        return replace(plan, tables={**plan.tables, **around})

    optimize_budget = optimise_budget

    def _evidence(self, config: Config) -> pd.DataFrame:
        """What the data say about each channel of the config's allocation."""
        section = decomposition_slice(config)
        generated = generated_terms(self.model.holidays)
        groups = term_groups(self.matrix, section.channels, section.identifiability, generated)
        baseline = baseline_terms(groups, self.matrix)
        priors = design_prior_table(self.model.design)
        return channel_evidence(config.allocation.channels, self.draws, self.matrix, priors, baseline)

    def forecast(
        self,
        future: pd.DataFrame,
        *,
        horizon: int | None = None,
        scenario: Mapping[str, Any] | None = None,
        **diagnostics: Any,
    ) -> Forecast:
        """The KPI of the weeks after the data, from future values of the predictors, stamped with the verdict.

        Args:
            future: one row per future period (and panel unit) with the columns that the formula uses; with the KPI
                where it is known by now, the forecast is scored.
            horizon: periods ahead; by default every row.
            scenario: a budget problem as for `optimise_budget`, whose plan is forecast as a second path.
            diagnostics: settings of the verdict, as for `diagnostics`.

        Returns:
            Tables by name (forecast, forecast_summary, forecast_extrapolation, …), notes, `reliability` and `reasons`.

        Raises:
            DataError: future rows that do not follow the data, or lack values.
            GateError: the verdict blocks decisions.
        """
        from dsam_assets.forecast.forecast import forecast_market, plan_input
        from dsam_assets.forecast.future_data import FutureData
        from dsam_assets.forecast.joined import ModelSource

        config = self.model.config
        source = ModelSource(
            self.model.data, formula_slice(config), config.data, self.matrix, self.model.holidays, self.model.labels
        )
        ahead = FutureData(future.reset_index(drop=True))
        if scenario is None:
            report = self.diagnostics(**diagnostics)
            enforce(report)
            return forecast_market(self.draws, source, priors_slice(config), ahead, report, horizon=horizon)
        best = self.optimise_budget(scenario, **diagnostics)  # its verdict is the same report's
        allocation = self.model._with(allocation={**scenario, "enabled": True}).config.allocation
        plan = plan_input(best, AllocationSlice(kpi_type=config.model.kpi_type, allocation=allocation))
        return forecast_market(self.draws, source, priors_slice(config), ahead, best, horizon=horizon, plan=plan)

    def drift_since(self, previous: FittedModel, **diagnostics: Any) -> dict[str, pd.DataFrame]:
        """What changed since another fit of the same market: shifts, returns, signs and shares, and what moved them.

        Args:
            previous: the fit before, of this session or of a run folder (`load_run`).
            diagnostics: settings of both verdicts, as for `diagnostics`.

        Returns:
            `drift_summary`, `drift_parameters`, `drift_causes`, `drift_settings`, `drift_columns`, `drift_cells`,
            `refresh_drift_checks`, and with media `drift_channels`.

        Raises:
            GateError: a verdict blocks decisions.
        """
        from dsam_assets.drift.compare import refresh_drift

        return refresh_drift(previous._snapshot(**diagnostics), self._snapshot(**diagnostics))

    def _snapshot(self, **diagnostics: Any) -> FitSnapshot:
        """This fit as refresh drift compares it."""
        from dsam_assets.drift.snapshot import SECTIONS, FitSnapshot

        slices, tables = config_slices(self.model.config), {**self.loo(), **self.decomposition(**diagnostics)}
        config = {name: slices[name].model_dump(mode="json", by_alias=True) for name in SECTIONS}
        reliability = self.diagnostics(**diagnostics).reliability
        return FitSnapshot(self.draws, self.matrix, self.model.data, tables, config, reliability=reliability)

    def to_arviz(self) -> Any:
        """The draws as an ArviZ container (an xarray DataTree), for ArviZ's own plots and summaries."""
        from dsam_assets.fit.container import to_container

        return to_container(self.draws)
