"""Stage 10: validated data, design matrix, priors, and the checks that need no fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.glance import column_types
from dsam_assets.assets.market_asset import STAN_PROGRAMS, Published, market_asset
from dsam_assets.assets.outcomes import PREFIT_CHECKS, PRIOR_CHECKS, check_result, check_specs
from dsam_assets.assets.types import raw_frame_type, table_columns, table_type, tables_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.schema_data import DataSection
    from dsam_assets.config.schema_model import FitSection
    from dsam_assets.config.slices import AllocationSlice, DiagnosticsSlice, FormulaSlice, PriorsSlice, ReportSlice
    from dsam_assets.design.matrix import ModelMatrix


@market_asset(
    codec="bulk_table", code=["data"], sources=["data_file"], dagster_type=raw_frame_type(), kinds=["csv"],
    always_run=True,
)  # fmt: skip
def model_frame(context: dg.AssetExecutionContext, config_data: DataSection) -> Published:
    """The market's data file, parsed and validated; every column, in the file's order (long data: reshaped wide)."""
    from dsam_assets.data.load import load_dataset

    dataset = load_dataset(config_data)
    rows, columns = dataset.frame.shape
    facts = {"path": str(dataset.path), "sha256": dataset.sha256, "rows": rows, "columns": columns}
    return Published(dataset.frame, facts, columns=column_types(dataset.frame))


@market_asset(
    codec="tables", code=["data"], sources=["calendar_file"], always_run=True,
    dagster_type=tables_type("holiday_features", "holiday columns and their manifest"),
    columns=table_columns("holiday_feature_manifest"),
)  # fmt: skip
def holiday_features(
    context: dg.AssetExecutionContext, model_frame: pd.DataFrame, config_formula: FormulaSlice, config_data: DataSection
) -> Published:
    """Columns generated from the holiday calendar, one row per row of the data, and what each of them is."""
    from dsam_assets.data.holidays import market_holidays, no_tables

    features = market_holidays(model_frame, config_data.date_var, config_formula.time_components)
    if features is None:
        return Published(no_tables(), {"features": 0})
    left_out = len(features.manifest) - len(features.names)
    facts = {"features": len(features.names), "left_out": left_out, "in_formula": len(features.formula_names)}
    return Published(features.tables(), facts)


@market_asset(
    codec="table", code=["data"], sources=["pooling_map_file"], always_run=True,
    dagster_type=table_type("pooling_map"), columns=table_columns("pooling_map"),
)  # fmt: skip
def pooling_map(context: dg.AssetExecutionContext, config_formula: FormulaSlice) -> Published:
    """Labels by which media terms share coefficients; empty unless the model is pooled."""
    from dsam_assets.data.pooling_map import PoolingMap, load_pooling_map

    section = config_formula.pooling
    table = PoolingMap.stored_table(load_pooling_map(section) if section.enabled else None)
    return Published(table, {"variables": len(table)})


@market_asset(
    codec="matrix", code=["data", "design"],
    dagster_type=tables_type("design_matrix", "the model's rows, and what was left out", lambda built: built.tables),
)  # fmt: skip
def design_matrix(
    context: dg.AssetExecutionContext,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    pooling_map: pd.DataFrame,
    config_formula: FormulaSlice,
    config_data: DataSection,
) -> Published:
    """The formula evaluated on the data: columns by R's names, response on the model scale, offset, group terms."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.data.pooling_map import PoolingMap
    from dsam_assets.design.additions import model_inputs
    from dsam_assets.design.build import matrix_from_slices
    from dsam_assets.design.unsafe import formula_python

    holidays = from_tables(holiday_features)
    inputs = model_inputs(config_formula, model_frame, holidays, date_var=config_data.date_var)
    built = matrix_from_slices(inputs, config_formula, config_data, PoolingMap.from_stored(pooling_map))
    rows, terms = built.matrix.values.shape
    facts = {"model_class": built.matrix.model_class, "rows": rows, "terms": terms}
    facts |= {"dropped_rows": len(model_frame) - rows, "python": list(formula_python(config_formula))}
    return Published(built, facts, columns=dict.fromkeys(built.matrix.terms, "float64"))


@market_asset(
    codec="table", code=["design"], dagster_type=table_type("design_matrix_manifest"),
    columns=table_columns("design_matrix_manifest"),
)  # fmt: skip
def design_matrix_manifest(context: dg.AssetExecutionContext, design_matrix: ModelMatrix) -> Published:
    """Every design column with its range, spread and share of zeros."""
    from dsam_assets.design.manifest import design_matrix_manifest as manifest

    return Published(manifest(design_matrix))


@market_asset(
    codec="table", code=["data", "design"], dagster_type=table_type("data_dictionary"),
    columns=table_columns("data_dictionary"), sources=["dictionary_file"], always_run=True,
)  # fmt: skip
def data_dictionary(
    context: dg.AssetExecutionContext,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    config_formula: FormulaSlice,
    config_data: DataSection,
) -> Published:
    """What each column means, from the config, the dictionary file, and generated columns; and what it holds."""
    from dsam_assets.data.dictionary import dictionary_with_statistics
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.design.additions import model_inputs

    holidays = from_tables(holiday_features)
    inputs = model_inputs(config_formula, model_frame, holidays, date_var=config_data.date_var)
    return Published(dictionary_with_statistics(config_data, inputs.frame, inputs.formula.variables, holidays))


@market_asset(codec="text", code=["data", "design"])
def transform_assumptions(
    context: dg.AssetExecutionContext,
    data_dictionary: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    config_formula: FormulaSlice,
    config_priors: PriorsSlice,
    config_data: DataSection,
) -> Published:
    """Which transforms the model applies, to what, and which it takes as already made."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.design.additions import model_formula
    from dsam_assets.design.assumptions import AssumptionFacts
    from dsam_assets.design.assumptions import transform_assumptions as assumptions

    holidays, sensitivity = from_tables(holiday_features), config_formula.transforms.sensitivity
    facts = AssumptionFacts(
        formula=model_formula(config_formula, holidays),
        scale=config_priors.scale,
        date_var=config_data.date_var,
        na_action=config_data.na_action,
        holidays=holidays,
        declared=dict(zip(data_dictionary["term"], data_dictionary["transform"], strict=True)),
        sensitivity=[scenario.name for scenario in sensitivity.scenarios] if sensitivity.enabled else [],
    )
    return Published({"transform_assumptions.txt": assumptions(facts)})


@market_asset(
    codec="tables", code=["data", "design", "fit", *STAN_PROGRAMS],
    resources=["stan"], pool="stan", kinds=["stan"], columns=table_columns("transform_sensitivity_summary"),
    dagster_type=tables_type("transform_sensitivity", "the mode under alternative formulas"),
)  # fmt: skip
def transform_sensitivity(
    context: dg.AssetExecutionContext,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    pooling_map: pd.DataFrame,
    config_formula: FormulaSlice,
    config_data: DataSection,
    config_priors: PriorsSlice,
    config_fit: FitSection,
) -> Published:
    """Fit and parameters at the mode under the formula and its alternatives, where the config asks for them."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.data.pooling_map import PoolingMap
    from dsam_assets.fit.refits import RefitInputs
    from dsam_assets.fit.sensitivity import sensitivity_facts, sensitivity_tables

    inputs = RefitInputs(
        model_frame, config_formula, config_data, config_priors, config_fit, from_tables(holiday_features),
        PoolingMap.from_stored(pooling_map),
    )  # fmt: skip
    tables = sensitivity_tables(inputs, context.resources.stan)
    return Published(tables, sensitivity_facts(tables))


@market_asset(
    codec="table", code=["data", "design"], dagster_type=table_type("spec_summary"),
    columns=table_columns("spec_summary"),
)  # fmt: skip
def spec_summary(
    context: dg.AssetExecutionContext,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    design_matrix: ModelMatrix,
    config_formula: FormulaSlice,
    config_report: ReportSlice,
) -> Published:
    """The model in one row."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.design.additions import model_formula
    from dsam_assets.design.manifest import spec_summary as summary
    from dsam_assets.design.unsafe import unsafe_formula

    formula = model_formula(config_formula, from_tables(holiday_features))
    rows, unsafe = len(model_frame), unsafe_formula(config_formula)
    return Published(summary(config_report.name, config_formula.type, formula, design_matrix, rows, unsafe))


@market_asset(
    codec="table", code=["design"], dagster_type=table_type("vif_report"), columns=table_columns("vif_report")
)
def vif_report(context: dg.AssetExecutionContext, design_matrix: ModelMatrix) -> Published:
    """Variance inflation factor of every predictor."""
    from dsam_assets.design.vif import vif_facts
    from dsam_assets.design.vif import vif_report as report

    table = report(design_matrix)
    return Published(table, vif_facts(table))


@market_asset(
    codec="table", code=["design"], dagster_type=table_type("prior_table"), columns=table_columns("prior_table")
)
def prior_table(context: dg.AssetExecutionContext, design_matrix: ModelMatrix, config_priors: PriorsSlice) -> Published:
    """Prior and boundary of every parameter, in data units and as Stan sees them."""
    from dsam_assets.design.model_design import design_prior_table, model_design

    table = design_prior_table(model_design(design_matrix, config_priors))
    return Published(table, {"parameters": len(table)})


@market_asset(
    codec="table", code=["data", "design", "diagnostics"], dagster_type=table_type("pre_run_checks"),
    columns=table_columns("pre_run_checks"), check_specs=check_specs("pre_run_checks", PREFIT_CHECKS),
)  # fmt: skip
def pre_run_checks(
    context: dg.AssetExecutionContext,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    config_formula: FormulaSlice,
    config_data: DataSection,
    config_allocation: AllocationSlice,
    config_diagnostics: DiagnosticsSlice,
) -> Published:
    """P0 checks of the data and the design: finite response, constants, copies, rank, condition number, identification;
    enough weeks, spend with exposure, words for missing values, regular weeks."""
    from dsam_assets.design.additions import own_formula
    from dsam_assets.diagnostics.gate_table import gate_frame
    from dsam_assets.diagnostics.prefit import pre_run_gates

    mode = config_diagnostics.policy_mode
    rows = pre_run_gates(
        design_matrix,
        model_frame,
        date_var=config_data.date_var,
        variables=own_formula(config_formula).variables,
        channels=config_allocation.allocation.channels,
        mode=mode,
    )
    return Published(gate_frame(rows), checks=[check_result(row, mode) for row in rows])


@market_asset(
    codec="table", code=["design", "diagnostics"], dagster_type=table_type("stationarity_report"),
    columns=table_columns("stationarity_report"),
)  # fmt: skip
def stationarity_report(
    context: dg.AssetExecutionContext, design_matrix: ModelMatrix, model_frame: pd.DataFrame, config_data: DataSection
) -> Published:
    """ADF and KPSS tests of the response and every predictor, by panel unit, with what they come to. No gate."""
    from dsam_assets.design.labels import row_labels
    from dsam_assets.diagnostics.stationarity import stationarity_facts
    from dsam_assets.diagnostics.stationarity import stationarity_report as report

    table = report(design_matrix, row_labels(model_frame, config_data.date_var, design_matrix))
    return Published(table, stationarity_facts(table))


@market_asset(
    codec="table", code=["design", "diagnostics", "fit/sample"], dagster_type=table_type("transfer_entropy_report"),
    columns=table_columns("transfer_entropy_report"),
)  # fmt: skip
def transfer_entropy_report(
    context: dg.AssetExecutionContext,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    config_data: DataSection,
    config_fit: FitSection,
    config_allocation: AllocationSlice,
    config_diagnostics: DiagnosticsSlice,
) -> Published:
    """Whose past helps to predict whom, media or the KPI: permutation tests both ways, of channels and media terms. No
    gate."""
    from dsam_assets.design.labels import row_labels
    from dsam_assets.diagnostics.transfer_entropy import media_terms, transfer_entropy_facts
    from dsam_assets.diagnostics.transfer_entropy import transfer_entropy_report as report
    from dsam_assets.fit.sample import mcmc_settings

    labels = row_labels(model_frame, config_data.date_var, design_matrix)
    terms = media_terms(config_allocation.allocation.channels, config_diagnostics.identifiability)
    table = report(design_matrix, labels, terms, seed=mcmc_settings(config_fit).seed)
    return Published(table, transfer_entropy_facts(table))


@market_asset(
    codec="tables", code=["design", "fit", "diagnostics", *STAN_PROGRAMS],
    resources=["stan"], pool="stan", kinds=["stan"], columns=table_columns("prior_predictive_summary"),
    dagster_type=tables_type("prior_predictive", "the response under the prior, and its checks"),
    check_specs=check_specs("prior_predictive", PRIOR_CHECKS),
)  # fmt: skip
def prior_predictive(
    context: dg.AssetExecutionContext,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    config_data: DataSection,
    config_priors: PriorsSlice,
    config_fit: FitSection,
    config_diagnostics: DiagnosticsSlice,
) -> Published:
    """The response that the priors expect before the data speak (g1): drawn by the posterior's own program."""
    from dsam_assets.design.checks import require_usable
    from dsam_assets.design.labels import row_labels
    from dsam_assets.design.model_design import model_checks, model_design
    from dsam_assets.diagnostics.gate_table import gates_from_frame
    from dsam_assets.diagnostics.prior_predictive import prior_predictive as draw
    from dsam_assets.diagnostics.prior_predictive import prior_predictive_facts

    require_usable(model_checks(design_matrix))
    labels, mode = row_labels(model_frame, config_data.date_var, design_matrix), config_diagnostics.policy_mode
    design = model_design(design_matrix, config_priors)
    tables = draw(design, labels, config_fit, mode, context.resources.stan)
    rows = gates_from_frame(tables["prior_predictive_checks"])
    return Published(tables, prior_predictive_facts(tables), [check_result(row, mode) for row in rows])
