"""The analyst's Python API: every verb returns a new model, and `fit` returns a fitted one.

    model = blm("log(kpi) ~ trend + m_tv + (1 + m_tv | market)", data)
    fitted = model.set_prior(m_tv=normal(0, 1)).set_boundary("m_tv > 0").fit(cores=2)

It holds a config section by section, so that defaults, rules and messages are those of the YAML files, and calls the
functions that the assets call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import ValidationError

from dsam_assets.config.messages import problems_from
from dsam_assets.config.problems import as_error
from dsam_assets.config.rules import violations
from dsam_assets.config.schema import Config
from dsam_assets.config.slices import formula_slice, priors_slice
from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.data.pooling_map import PoolingMap, pooling_map
from dsam_assets.design.additions import model_inputs, own_formula
from dsam_assets.design.build import BuiltMatrix, matrix_from_slices
from dsam_assets.design.checks import require_usable
from dsam_assets.design.formula import parse_formula
from dsam_assets.design.labels import row_labels
from dsam_assets.design.model_design import ModelDesign, design_prior_table, model_checks, model_design
from dsam_assets.diagnostics.gate_table import gate_frame
from dsam_assets.diagnostics.prefit import pre_run_gates
from dsam_assets.diagnostics.prior_predictive import prior_predictive
from dsam_assets.errors import DataError, FitError
from dsam_assets.fit.model import fit_model
from dsam_assets.fit.programs import first_that_compiles, programs_of
from dsam_assets.notation import Distribution, Limits, boundary_rows, lognormal_ms, normal, prior_rows

if TYPE_CHECKING:
    from dsam_assets.fit.runner import StanRunner
    from dsam_assets.fitted_model import FittedModel

__all__ = ["Model", "blm", "lognormal_ms", "normal"]

FRAME = "<frame>"  # stands for the files that a config would name
CONTROL = (
    "adapt_delta",
    "max_treedepth",
    "stepsize",
    "metric",
    "adapt_init_buffer",
    "adapt_term_buffer",
    "adapt_window",
)
PRIOR_COLUMNS = ["parameter", "description", "family", "mean", "sd", "is_default"]
BOUNDARY_COLUMNS = ["parameter", "description", "lower", "upper", "boundary_is_default"]


def blm(
    formula: Any,
    data: pd.DataFrame,
    *,
    scale: bool = True,
    date: str | None = None,
    na_action: str = "omit",
    kpi_type: str = "revenue",
    response: str | None = None,
    offset: str | None = None,
) -> Model:
    """A Bayesian linear model; hierarchical when the formula has group terms such as `(1 + m_tv | market)`.

    Args:
        formula: R's formula language, `log(kpi) ~ trend + m_tv`; or a fitted statsmodels OLS result, whose estimates
            and standard errors become the priors of the coefficients (Bayesian updating).
        data: one row per observation, for panels one per unit and date; it is not changed.
        scale: standardise inside the fit; results, priors and boundaries are in data units all the same.
        date: date column; needed for `lag()` and `lead()` and shown in result tables.
        na_action: `omit` drops rows with missing values, `error` refuses them.
        kpi_type: `revenue` or `subscriptions`, for budget plans.
        response: with an OLS result only: its response in the formula's language, where the result cannot tell that it
            was logged or corrected for an offset, `log(kpi)`.
        offset: with an OLS result only: the offset that was subtracted from its response, in the formula's language.

    Raises:
        FormulaError: the formula is refused; it is parsed, never executed.
        ConfigError: another argument is not valid.
        DesignError: the OLS result cannot be translated.
    """
    if isinstance(formula, str):
        return _model(formula, data, (), scale=scale, date=date, na_action=na_action, kpi_type=kpi_type)
    from dsam_assets.design.ols import ols_model

    ols = ols_model(formula, response=response, offset=offset)
    rows = [{"parameter": row.parameter, "family": row.family, "mean": row.mean, "sd": row.sd} for row in ols.priors]
    return _model(ols.formula, data, rows, scale=scale, date=date, na_action=na_action, kpi_type=kpi_type)


def _model(
    formula: str, data: pd.DataFrame, priors: Any, *, scale: bool, date: str | None, na_action: str, kpi_type: str
) -> Model:
    parse_formula(formula)
    raw = {
        "data": {"path": FRAME, "format": "csv", "date_var": date, "na_action": na_action},
        "model": {"name": "model", "formula": formula, "scale": scale, "kpi_type": kpi_type},
        "priors": {"overrides": list(priors)},
        "boundaries": {"overrides": []},
    }
    return Model(raw, data)


@dataclass(frozen=True, eq=False)
class Model:
    """A model that has not been fitted. Nothing changes it: every verb returns a new one.

    Attributes:
        raw: the config's sections as far as they were set.
        data: the data, one row per observation.
        labels: pooling map of a pooled model.
        holidays: generated holiday features, of a model that was read from a run folder.
    """

    raw: Mapping[str, Any]
    data: pd.DataFrame
    labels: PoolingMap | None = None
    holidays: HolidayFeatures | None = None

    def __post_init__(self) -> None:
        _ = self.config  # what is wrong is said where it is written, not at the fit

    @cached_property
    def config(self) -> Config:
        """The config that this model amounts to, defaults filled in."""
        try:
            config = Config.model_validate(self.raw)
        except ValidationError as error:
            raise as_error(problems_from(error), "the model", {}) from None
        if problems := violations(config):
            raise as_error(problems, "the model", {})
        return config

    def _with(self, **sections: Mapping[str, Any]) -> Model:
        """A model with keys of some sections replaced."""
        changed = {name: {**self.raw.get(name, {}), **keys} for name, keys in sections.items()}
        return replace(self, raw={**self.raw, **changed})

    def set_prior(self, *priors: str | Mapping[str, Distribution], **named: Distribution) -> Model:
        """Priors in data units: `m_tv=normal(0, 10)`, `"m_tv ~ normal(0, 10)"` or `{"(Intercept)": normal(0, 9)}`.

        A parameter's later prior replaces its earlier one; parameters that are not named keep theirs.
        """
        return self._with(priors={"overrides": self._merged("priors", prior_rows(priors, named))})

    def set_boundary(self, *boundaries: str | Mapping[str, Limits], **named: Limits) -> Model:
        """Boundaries in data units: `"m_tv > 0"`, `"0 < m_tv < 5"` or `m_tv=(0, 5)`; the given ones replace earlier."""
        return self._with(boundaries={"overrides": self._merged("boundaries", boundary_rows(boundaries, named))})

    def _merged(self, section: str, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        known = {row["parameter"]: row for row in self.raw[section]["overrides"]}
        return list({**known, **{row["parameter"]: row for row in rows}}.values())

    def set_cre(self, vars: list[str], *, group: str | None = None, prefix: str = "cre_mean_") -> Model:
        """Correlated random effects: add the group means of some columns to the population (Mundlak, 1978).

        Args:
            vars: columns whose group means are added, as terms `cre_mean_<column>`.
            group: grouping key; needed where the formula has several.
            prefix: of the added terms.
        """
        return self._with(cre={"enabled": True, "vars": list(vars), "group": group, "prefix": prefix})

    def set_date(self, date: str) -> Model:
        """The date column."""
        return self._with(data={"date_var": date})

    def pool(self, grouping_vars: list[str], map: pd.DataFrame, *, min_waves: int | None = None) -> Model:
        """Let media terms share coefficients by their labels; priors and boundaries are reset to their defaults.

        Args:
            grouping_vars: label columns of the map. A term's coefficient is the sum of its labels' coefficients.
            map: one row per pooled term: `variable` and the label columns.
            min_waves: labels' combinations with fewer active rows leave the model.
        """
        labels = pooling_map(map, grouping_vars, where="the pooling map")
        pooling = {"enabled": True, "grouping_vars": list(grouping_vars), "map_path": FRAME, "map_format": "csv"}
        pooled = self._with(
            pooling={**pooling, "min_waves": min_waves}, priors={"overrides": []}, boundaries={"overrides": []}
        )
        return replace(pooled, labels=labels)

    @cached_property
    def built(self) -> BuiltMatrix:
        """The model matrix, and what was left out of it."""
        date, columns = self.config.data.date_var, [str(name) for name in self.data.columns]
        if date is not None and date not in columns:
            raise DataError(f"The date column is not in the data: {date}.", got="columns " + ", ".join(columns))
        section = formula_slice(self.config)
        inputs = model_inputs(section, self.data, self.holidays, date_var=date)
        return matrix_from_slices(inputs, section, self.config.data, self.labels)

    @cached_property
    def design(self) -> ModelDesign:
        """Scaling, priors and boundaries."""
        return model_design(self.built.matrix, priors_slice(self.config))

    def peek_prior(self) -> pd.DataFrame:
        """Every parameter's prior in data units: parameter, description, family, mean, sd, is_default."""
        return design_prior_table(self.design)[PRIOR_COLUMNS]

    def peek_boundary(self) -> pd.DataFrame:
        """Every parameter's boundary in data units: parameter, description, lower, upper, is_default."""
        return design_prior_table(self.design)[BOUNDARY_COLUMNS].rename(columns={"boundary_is_default": "is_default"})

    def compile_model(self) -> Model:
        """Compile the Stan program now (about a minute the first time) rather than at the first fit."""
        from resources.toolchain.executables import executable

        first_that_compiles(programs_of(self.built.matrix.model_class), executable)
        return self

    def pre_flight_checks(self, policy_mode: str = "publish") -> pd.DataFrame:
        """The checks that need no fit, one row each, judged under a policy (`explore`, `publish` or `strict`).

        Raises:
            DsamError: the model cannot be fitted at all.
        """
        matrix, config = self.built.matrix, self._with(diagnostics={"policy_mode": policy_mode}).config
        require_usable(model_checks(matrix))
        _ = self.design
        gates = pre_run_gates(
            matrix,
            self.data,
            date_var=config.data.date_var,
            variables=own_formula(formula_slice(config)).variables,
            channels=config.allocation.channels,
            mode=config.diagnostics.policy_mode,
        )
        return gate_frame(gates)

    def prior_predictive(
        self, policy_mode: str = "publish", *, runner: StanRunner | None = None
    ) -> dict[str, pd.DataFrame]:
        """What the priors say about the response before it is seen: `prior_predictive_summary`, quantiles by row in
        `prior_predictive_rows`, for a log response `prior_predictive_rows_kpi`, and `prior_predictive_checks` (g1).

        Args:
            policy_mode: the policy that judges it.
            runner: what runs Stan; found or assembled when not given.
        """
        config = self._with(diagnostics={"policy_mode": policy_mode}).config
        labels = row_labels(self.data, config.data.date_var, self.built.matrix)
        stan_runner = stan() if runner is None else runner
        return prior_predictive(self.design, labels, config.fit, config.diagnostics.policy_mode, stan_runner)

    def fit(self, *, runner: StanRunner | None = None, **settings: Any) -> FittedModel:
        """Sample the posterior.

        Args:
            runner: what runs Stan; found or assembled when not given.
            settings: keys of the config's `fit.mcmc` (chains, iter, warmup, cores, seed, thin, init, …), of its
                `control` (adapt_delta, max_treedepth, …), and `positive_priors`.

        Raises:
            ConfigError: a setting is not known or not valid.
            DsamError: the model cannot be fitted, or Stan fails.
        """
        control = {name: settings.pop(name) for name in CONTROL if name in settings}
        mcmc = {**settings, **({"control": {**settings.get("control", {}), **control}} if control else {})}
        if "positive_priors" in mcmc:
            mcmc["parameterization"] = {"positive_priors": mcmc.pop("positive_priors")}
        return self._with(fit={"method": "mcmc", "mcmc": mcmc})._fitted(runner)

    def fit_map(self, *, runner: StanRunner | None = None, **settings: Any) -> FittedModel:
        """Find the mode of the posterior from several starts: fast, and without any uncertainty.

        Args:
            runner: what runs Stan; found or assembled when not given.
            settings: keys of the config's `fit.optimise` (n_runs, iter, seed, init, algorithm, hessian, as_vector).

        Raises:
            ConfigError: a setting is not known or not valid.
            DsamError: the model cannot be fitted, or every start fails.
        """
        return self._with(fit={"method": "optimise", "optimise": settings})._fitted(runner)

    optimise = optimize = fit_map

    def _fitted(self, runner: StanRunner | None) -> FittedModel:
        from dsam_assets.fitted_model import FittedModel

        self.pre_flight_checks()
        stan_runner = stan() if runner is None else runner
        return FittedModel(self, fit_model(self.design, self.config.fit, stan_runner), stan_runner)

    def __getattr__(self, name: str) -> Any:
        from dsam_assets.fitted_model import FittedModel

        if not name.startswith("_") and hasattr(FittedModel, name):
            raise FitError(f"The model is not fitted, so it has no {name}.", fix="Call fit() or fit_map() first.")
        raise AttributeError(name)


def stan() -> StanRunner:
    """What runs Stan unless a caller brings its own; finding or assembling it waits until it is used."""
    from resources.stan_runner import CmdStanRunner

    return CmdStanRunner(progress=True)
