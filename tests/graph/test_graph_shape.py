"""The asset graph as data: who feeds whom, and what every asset declares."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dsam_assets.assets import (
    code_version,
    diagnostics,
    forecast,
    model_fit,
    model_selection,
    optimisation,
    post_run,
    pre_run,
)
from dsam_assets.config.slices import SLICES
from dsam_assets.definitions import build_definitions
from dsam_assets.report.artefacts import ARTEFACTS, DECISIONS, STAGED_FOLDERS
from dsam_assets.verdict import CHECKS
from resources.automation import Automation
from resources.locations import Locations

EDGES = {
    "resolved_config": {"config_file"},
    "config/data": {"resolved_config"},
    "config/formula": {"resolved_config"},
    "config/priors": {"resolved_config"},
    "config/fit": {"resolved_config"},
    "config/diagnostics": {"resolved_config"},
    "config/gating": {"resolved_config"},
    "config/allocation": {"resolved_config"},
    "config/decomposition": {"resolved_config"},
    "config/forecast": {"resolved_config"},
    "config/report": {"resolved_config"},
    "config/plots": {"resolved_config"},
    "session_info": {"config/formula", "config/fit", "model_frame"},
    "model_frame": {"data_file", "config/data"},
    "holiday_features": {"calendar_file", "model_frame", "config/formula", "config/data"},
    "pooling_map": {"pooling_map_file", "config/formula"},
    "design_matrix": {"model_frame", "holiday_features", "pooling_map", "config/formula", "config/data"},
    "design_matrix_manifest": {"design_matrix"},
    "data_dictionary": {"dictionary_file", "model_frame", "holiday_features", "config/formula", "config/data"},
    "transform_assumptions": {
        "data_dictionary", "holiday_features", "config/formula", "config/priors", "config/data",
    },
    "transform_sensitivity": {
        "model_frame", "holiday_features", "pooling_map", "config/formula", "config/data", "config/priors",
        "config/fit",
    },
    "spec_summary": {"model_frame", "holiday_features", "design_matrix", "config/formula", "config/report"},
    "vif_report": {"design_matrix"},
    "prior_table": {"design_matrix", "config/priors"},
    "pre_run_checks": {
        "design_matrix", "model_frame", "config/formula", "config/data", "config/allocation", "config/diagnostics",
    },
    "stationarity_report": {"design_matrix", "model_frame", "config/data"},
    "transfer_entropy_report": {
        "design_matrix", "model_frame", "config/data", "config/fit", "config/allocation", "config/diagnostics",
    },
    "prior_predictive": {
        "design_matrix", "model_frame", "config/data", "config/priors", "config/fit", "config/diagnostics",
    },
    "posterior": {"design_matrix", "config/priors", "config/fit"},
    "fit_metrics": {"posterior", "design_matrix", "fitted"},
    "posterior_summary": {"posterior", "design_matrix"},
    "fitted": {"posterior", "design_matrix", "model_frame", "config/data"},
    "observed": {"design_matrix", "model_frame", "config/data"},
    "residuals": {"posterior", "design_matrix", "model_frame", "config/data"},
    "chain_diagnostics": {"posterior"},
    "loo": {
        "posterior", "design_matrix", "model_frame", "config/data", "config/priors", "config/fit", "config/diagnostics",
    },
    "postfit_checks": {
        "posterior", "design_matrix", "model_frame", "holiday_features", "prior_table", "config/data",
        "config/diagnostics",
    },
    "tscv": {
        "model_frame", "holiday_features", "pooling_map", "config/formula", "config/data", "config/priors",
        "config/fit", "config/diagnostics",
    },
    "fit_checks": {"posterior", "loo", "config/diagnostics"},
    "diagnostics_report": {
        "pre_run_checks", "prior_predictive", "fit_checks", "postfit_checks", "loo", "config/gating",
    },
    "decomposition": {
        "posterior", "design_matrix", "model_frame", "holiday_features", "prior_table", "diagnostics_report",
        "config/data", "config/decomposition",
    },
    "refresh_drift": {
        "posterior", "design_matrix", "model_frame", "loo", "decomposition", "diagnostics_report", "config/data",
        "config/formula", "config/priors", "config/fit", "config/decomposition",
    },
    "allocation": {
        "posterior", "design_matrix", "model_frame", "diagnostics_report", "decomposition", "config/allocation",
    },
    **{
        name: {
            "posterior", "design_matrix", "model_frame", "diagnostics_report", "config/allocation", "allocation",
        }
        for name in ("response_curves", "efficient_frontier")
    },
    "future_frame": {
        "future_file", "calendar_file", "model_frame", "config/formula", "config/data", "config/forecast",
    },
    "forecast": {
        "posterior", "design_matrix", "model_frame", "holiday_features", "pooling_map", "future_frame", "allocation",
        "diagnostics_report", "config/formula", "config/data", "config/priors", "config/allocation",
        "config/forecast",
    },
    "run_bundle": {
        "config/report", "resolved_config", "session_info", "model_frame", "pooling_map", "design_matrix",
        "design_matrix_manifest",
        "data_dictionary", "holiday_features", "transform_assumptions", "transform_sensitivity",
        "spec_summary", "vif_report", "stationarity_report", "transfer_entropy_report", "prior_table",
        "prior_predictive", "posterior", "fit_metrics",
        "posterior_summary", "fitted", "observed", "residuals", "postfit_checks", "chain_diagnostics", "loo", "tscv",
        "diagnostics_report", "decomposition", "refresh_drift", "allocation", "response_curves", "efficient_frontier",
        "forecast",
        "pre_run_plots", "model_fit_plots", "diagnostics_plots",
        "model_selection_plots", "post_run_plots", "optimisation_plots", "forecast_plots", "report",
    },
    "report": {
        "spec_summary", "observed", "fit_metrics", "loo", "diagnostics_report", "decomposition",
        "refresh_drift", "allocation", "pre_run_plots", "model_fit_plots", "diagnostics_plots",
        "model_selection_plots", "post_run_plots", "optimisation_plots", "forecast", "forecast_plots", "config/report",
    },
    "forecast_plots": {"forecast", "fitted", "design_matrix", "diagnostics_report", "config/plots"},
    "post_run_plots": {"decomposition", "refresh_drift", "diagnostics_report", "config/plots"},
    "optimisation_plots": {
        "allocation", "response_curves", "efficient_frontier", "diagnostics_report", "config/plots",
    },
    "pre_run_plots": {
        "model_frame", "design_matrix", "vif_report", "prior_predictive", "config/data", "config/allocation",
        "config/plots",
    },
    "diagnostics_plots": {
        "posterior", "design_matrix", "fitted", "observed", "residuals", "postfit_checks", "loo", "diagnostics_report",
        "config/plots",
    },
    "model_selection_plots": {"loo", "tscv", "diagnostics_report", "config/plots"},
    "model_fit_plots": {
        "posterior", "design_matrix", "design_matrix_manifest", "prior_table", "posterior_summary", "fitted",
        "fit_metrics", "config/allocation", "diagnostics_report", "config/plots",
    },
}  # fmt: skip

GROUPS = {
    "00_run_metadata": {"resolved_config", "session_info", *(f"config/{name}" for name in SLICES)},
    "10_pre_run": {
        "model_frame", "holiday_features", "pooling_map", "design_matrix", "design_matrix_manifest",
        "data_dictionary", "transform_assumptions", "transform_sensitivity",
        "spec_summary", "vif_report", "stationarity_report", "transfer_entropy_report", "prior_table",
        "prior_predictive", "pre_run_checks", "pre_run_plots",
    },
    "20_model_fit": {"posterior", "fit_metrics", "model_fit_plots"},
    "30_post_run": {"posterior_summary", "fitted", "observed", "decomposition", "refresh_drift", "post_run_plots"},
    "40_diagnostics": {
        "residuals", "fit_checks", "postfit_checks", "chain_diagnostics", "diagnostics_report", "diagnostics_plots",
    },
    "50_model_selection": {"loo", "tscv", "model_selection_plots"},
    "60_optimisation": {"allocation", "response_curves", "efficient_frontier", "optimisation_plots"},
    "70_forecast": {"future_frame", "forecast", "forecast_plots"},
    "80_interpretation": {"run_bundle", "report"},
}  # fmt: skip

SOURCES = ("config_file", "data_file", "calendar_file", "pooling_map_file", "dictionary_file", "future_file")

Nodes = Callable[[], dict[str, Any]]


def test_the_edges_are_these_and_no_others(specs: Nodes) -> None:
    assert {name: {key.to_user_string() for key in node.parent_keys} for name, node in specs().items()} == EDGES


def test_groups_are_the_stage_folders(specs: Nodes) -> None:
    groups: dict[str, set[str]] = {}
    for name, node in specs().items():
        groups.setdefault(node.group_name, set()).add(name)
    assert groups == GROUPS


def test_every_asset_is_partitioned_described_and_versioned(specs: Nodes) -> None:
    for name, node in specs().items():
        assert isinstance(node.partitions_def, dg.DynamicPartitionsDefinition), name
        assert node.partitions_def.name == "market", name
        assert node.description, name
        assert node.code_version, name


def test_a_backfill_is_one_run_per_market(specs: Nodes) -> None:
    """Without a policy Dagster gives every partition a run of its own; a single run would stop at the first failure."""
    assert {name for name, node in specs().items() if node.backfill_policy is not None} == set()


def test_sources_are_observed_by_market(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for name in SOURCES:
        node = graph.get(dg.AssetKey(name))
        assert node.is_observable
        assert node.partitions_def == graph.get(dg.AssetKey("posterior")).partitions_def


def test_what_runs_stan_waits_in_the_stan_pool(specs: Nodes) -> None:
    runs = {"posterior", "prior_predictive", "transform_sensitivity", "tscv"}
    assert {name for name, node in specs().items() if node.pools == {"stan"}} == runs
    assert {name for name, node in specs().items() if node.pools} == runs


@pytest.mark.parametrize(
    ("asset", "phase", "gates"),
    [
        ("pre_run_checks", "P0", {"p0"}),
        ("prior_predictive", "P0", {"g1"}),
        ("diagnostics_report", "P1", {"g2", "g3", "g4", "g5", "g6", "g7", "p1"}),
        ("refresh_drift", "P2", {"p2"}),
    ],
)
def test_every_gate_is_a_check_of_its_asset(specs: Nodes, asset: str, phase: str, gates: set[str]) -> None:
    wanted = {check_id for check_id, check in CHECKS.items() if check.gate in gates}
    assert {CHECKS[check_id].phase for check_id in wanted} == {phase}
    assert {CHECKS[check_id].gate for check_id in wanted} == gates
    assert {key.name for key in specs()[asset].check_keys} == wanted


def test_no_other_asset_has_checks(specs: Nodes) -> None:
    judging = {"pre_run_checks", "prior_predictive", "diagnostics_report", "refresh_drift"}
    assert {name for name, node in specs().items() if node.check_keys} == judging


def test_checks_are_partitioned_by_market(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        assert isinstance(graph.get(key).partitions_def, dg.DynamicPartitionsDefinition), key


# What is no table, and data whose columns differ from market to market, shown once they are made.
NO_TABLE = {"text", "json", "slice", "figures", "draws"}
OF_A_MARKET = {"bulk_table", "bulk_tables", "matrix"}


def test_every_table_documents_its_columns_with_units_before_the_first_run(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    tables = [node for node in nodes if node.metadata.get("dsam/codec", "text") not in NO_TABLE | OF_A_MARKET]
    assert len(tables) > 25
    for node in tables:
        schema = node.metadata["dagster/column_schema"]
        assert schema.columns, node.key
        for column in schema.columns:
            assert re.fullmatch(r"\S.* \[[^\]]+\]", column.description or ""), (node.key, column)


def test_every_node_of_the_catalogue_says_what_it_is(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    groups = {"sources", "fleet", *STAGED_FOLDERS.values()}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert len(node.description or "") > 20, key
        assert (node.description or "").rstrip().endswith("."), key
        assert node.group_name in groups, key
        assert node.kinds, key
        assert len(node.kinds) <= 3, key
    for check in graph.asset_check_keys:
        assert graph.get(check).description, check
    for sensor in definitions.sensors or []:
        assert sensor.description, sensor.name  # type: ignore[union-attr]
    for schedule in definitions.schedules or []:
        assert schedule.description, schedule.name  # type: ignore[union-attr]


def test_decisions_are_marked(specs: Nodes) -> None:
    assert {name for name, node in specs().items() if "dsam/decision" in node.tags} == set(DECISIONS)


def test_the_operator_names_who_is_asked(tmp_path: Path) -> None:
    places = Locations(tmp_path, str(tmp_path / "store"), tmp_path / "dagster")
    graph = build_definitions(places, automation=Automation(owner="team:modelling")).resolve_asset_graph()
    owned = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).owners == ["team:modelling"]}
    assert owned == {key.to_user_string() for key in graph.get_all_asset_keys()} - set(SOURCES)


def test_the_bundle_waits_for_everything_it_copies(specs: Nodes) -> None:
    upstream = {key.to_user_string() for key in specs()["run_bundle"].parent_keys}
    assert {artefact.asset for artefact in ARTEFACTS} <= upstream


def test_the_refit_job_makes_every_asset_and_observes_no_source(definitions: dg.Definitions, specs: Nodes) -> None:
    layer = definitions.resolve_job_def("refit").asset_layer
    assert {key.to_user_string() for key in layer.executable_asset_keys} == set(specs())


def test_reading_the_sources_is_its_own_job(definitions: dg.Definitions) -> None:
    layer = definitions.resolve_job_def("observe_sources").asset_layer
    assert {key.to_user_string() for key in layer.executable_asset_keys} == set(SOURCES)


# An asset's code version must cover the core code that its body imports, or an edit there would recompute nothing.


def _declared_and_imported(module: Any) -> dict[str, tuple[set[str], set[str]]]:
    found = {}
    for function in ast.parse(inspect.getsource(module)).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        call = function.decorator_list[0]
        assert isinstance(call, ast.Call)
        code = next(keyword.value for keyword in call.keywords if keyword.arg == "code")
        imported = {
            node.module.removeprefix("dsam_assets.").replace(".", "/")
            for node in ast.walk(function)
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dsam_assets.")
        }
        assert isinstance(code, ast.List)
        parts = [node for node in code.elts if not isinstance(node, ast.Starred)]  # the Stan programs are no module
        found[function.name] = ({ast.literal_eval(node) for node in parts}, imported)
    return found


@pytest.mark.parametrize("module", [pre_run, model_fit, post_run, diagnostics, model_selection, optimisation, forecast])
def test_code_versions_cover_what_the_body_imports(module: Any) -> None:
    for name, (declared, imported) in _declared_and_imported(module).items():
        assert imported, name
        uncovered = {part for part in imported if not {part, part.split("/")[0]} & declared}
        assert uncovered == set(), name


def test_code_version_follows_the_code_and_nothing_else(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(text: str) -> str:
        (tmp_path / "stage.py").write_text(text)
        code_version._meaning.cache_clear()
        code_version.code_version.cache_clear()
        return code_version.code_version("stage")

    monkeypatch.setattr(code_version, "PACKAGE", tmp_path)
    first = version('"""Says this."""\n\ndef f(x):\n    """Adds."""\n    return x + 1\n')
    assert version('"""Says that."""\n# a comment\ndef f(x):\n\n    """Adds one."""\n    return x + 1\n') == first
    assert version('"""Says this."""\n\ndef f(x):\n    """Adds."""\n    return x + 2\n') != first
    code_version._meaning.cache_clear()
    code_version.code_version.cache_clear()


def test_code_version_covers_the_stan_program() -> None:
    assert code_version.code_version("fit", "stan:linear") != code_version.code_version("fit")


def test_a_remembered_meaning_is_the_one_that_is_worked_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSAM_CACHE", str(tmp_path))
    versions = []
    for _ in range(2):
        monkeypatch.setattr(code_version, "MEANINGS", code_version.Remembered("meanings"))
        code_version._meaning.cache_clear()
        code_version.code_version.cache_clear()
        versions.append(code_version.code_version("fit", "design/vif"))
        code_version.MEANINGS.keep()
        monkeypatch.setattr(code_version, "_parsed", lambda content: 1 / 0)
    assert versions[0] == versions[1]
    assert (tmp_path / "remembered" / "meanings.json").is_file()
