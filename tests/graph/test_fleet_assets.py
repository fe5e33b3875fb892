"""The assets of all markets: not partitioned, stopped by no market, the same for the same store."""

from __future__ import annotations

import logging
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from dsam_assets.assets.fleet_asset import FLEET_GROUP
from dsam_assets.definitions import build_definitions
from resources.locations import Locations

EDGES = {
    "model_comparison": {"spec_summary", "observed", "fit_metrics", "diagnostics_report", "loo", "tscv"},
    "fleet_status": {
        "observed",
        "posterior",
        "diagnostics_report",
        "loo",
        "refresh_drift",
        "allocation",
        "report",
    },
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(scope="session")
def fleet_nodes(definitions: dg.Definitions) -> dict[str, Any]:
    graph = definitions.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    return {name: node for name, node in nodes.items() if node.group_name == FLEET_GROUP}


def test_the_edges_are_these_and_no_others(fleet_nodes: dict[str, Any]) -> None:
    assert {name: {key.to_user_string() for key in node.parent_keys} for name, node in fleet_nodes.items()} == EDGES


def test_they_belong_to_no_partition_and_document_their_columns(fleet_nodes: dict[str, Any]) -> None:
    for name, node in fleet_nodes.items():
        assert node.partitions_def is None, name
        assert node.description, name
        assert node.code_version, name
        assert all(column.description for column in node.metadata["dagster/column_schema"].columns), name


@pytest.mark.parametrize(("job", "wanted"), [("fleet", True), ("refit", False), ("refresh", False)])
def test_a_run_of_a_market_does_not_make_them(definitions: dg.Definitions, job: str, wanted: bool) -> None:
    keys = {key.to_user_string() for key in definitions.resolve_job_def(job).asset_layer.executable_asset_keys}
    assert (set(EDGES) <= keys) == wanted
    assert ("posterior" in keys) != wanted


def make(project: Any, *markets: str) -> dict[str, dg.AssetMaterialization]:
    places = Locations(project.folder, str(project.store_root), project.folder.parent / "dagster")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("market", list(markets))
        job = build_definitions(places).resolve_job_def("fleet")
        result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
        assert result.success
        return {name: result.asset_materializations_for_node(name)[0] for name in EDGES}


def test_no_market_stops_the_view_of_the_others(project: Any) -> None:
    (project.folder / "broken.yaml").write_text("model: {formula: [")
    (project.folder / "uk_again.yaml").write_text(project.config.read_text())
    made = make(project, "uk", "broken", "uk_again", "ghost")
    table = pd.read_csv(project.store_root / "_fleet" / "fleet_status.csv").set_index("market")
    assert list(table.index) == ["broken", "ghost", "uk_again", "uk"]
    assert list(table["condition"]) == ["broken", "gone", "never_run", "current"]
    assert "YAML" in table.loc["broken", "problem"]
    assert table.loc["uk", "last_date"] == "2024-12-09"
    assert table.loc["uk", "g2"] == "pass"
    assert table.loc["uk", "efficiency"] > 0
    compared = pd.read_csv(project.store_root / "_fleet" / "model_comparison.csv").set_index("run")
    assert set(compared.index) == {"uk", "broken", "uk_again", "ghost"}
    assert compared["rank"].isna().all()
    assert compared.loc["uk", "kpi_elpd_loo"] < 0
    assert compared.loc["uk_again", "reason"] == "not fitted yet"
    assert "YAML" in compared.loc["broken", "problem"]
    assert made["fleet_status"].metadata["markets"].value == 4
    assert made["fleet_status"].metadata["need_attention"].value == 3
    for each in made.values():
        assert isinstance(each.metadata["preview"], dg.MarkdownMetadataValue)
        assert "uk" in each.metadata["preview"].value
        assert each.partition is None
    assert (project.store_root / "_fleet" / "fleet_status.html").is_file()
    assert table["report"].notna().sum() == 1
    assert (project.store_root / "_fleet" / table.loc["uk", "report"]).resolve().is_file()


def test_the_same_store_gives_the_same_comparison(project: Any, caplog: pytest.LogCaptureFixture) -> None:
    first = make(project, "uk")["model_comparison"]
    files = {path.name: path.stat().st_mtime_ns for path in (project.store_root / "_fleet").glob("model_comparison.*")}
    with caplog.at_level(logging.INFO, "dsam.progress"):
        second = make(project, "uk")["model_comparison"]
    assert {record.asset: record.message for record in caplog.records}["model_comparison"] == "unchanged"
    assert second.tags["dagster/data_version"] == first.tags["dagster/data_version"]
    again = {path.name: path.stat().st_mtime_ns for path in (project.store_root / "_fleet").glob("model_comparison.*")}
    assert again == files
