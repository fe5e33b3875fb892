"""Comparing the markets of a fleet: who is ranked against whom, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_folders import KPI, tscv_row, write_run
from run_folders import run_tables as tables_of_run
from stored_markets import keep, store_market

from dsam_assets.comparing import compare_runs
from dsam_assets.report.fleet_words import comparison_preview
from dsam_assets.report.tables import TABLES
from dsam_assets.selection.fleet_comparison import ALONE, FleetComparison, compare_markets, comparison_sets
from dsam_assets.stored_evidence import NOT_FITTED, stored_evidence
from dsam_assets.tables import validate
from resources.codecs import CODECS
from resources.store import Store

A = [-3.0, -3.5, -2.5, -4.0, -3.2]
B = [-3.4, -3.3, -3.1, -4.6, -3.1]
OTHER_KPI = KPI + np.array([0, 0, 5.0, 0, 0])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def compare(store: Store, *markets: str) -> FleetComparison:
    compared = compare_markets([stored_evidence(store, market) for market in markets])
    for name, table in compared.tables.items():
        validate(TABLES[name], table)
    json.dumps(compared.document(), allow_nan=False)
    return compared


def rows_of(compared: FleetComparison) -> dict[str, Any]:
    return {row["run"]: row for row in compared.tables["model_comparison"].to_dict("records")}


def test_specifications_of_one_country_are_ranked_by_paired_differences(store: Store) -> None:
    store_market(store, "uk_b", B)
    store_market(store, "uk_a", A)
    compared = compare(store, "uk_b", "uk_a")
    rows = rows_of(compared)
    difference = np.array(B) - np.array(A)
    assert [row["run"] for row in compared.tables["model_comparison"].to_dict("records")] == ["uk_a", "uk_b"]
    assert (rows["uk_a"]["rank"], rows["uk_b"]["rank"]) == (1, 2)
    assert rows["uk_b"]["elpd_diff"] == pytest.approx(difference.sum())
    assert rows["uk_b"]["se_diff"] == pytest.approx(np.sqrt(5 / 4 * ((difference - difference.mean()) ** 2).sum()))
    assert rows["uk_b"]["r2"] == 0.9
    (found,) = compared.tables["comparison_sets"].to_dict("records")
    assert (found["markets"], found["n_rows"], found["response"]) == ("uk_a, uk_b", 5, "kpi")


def test_the_numbers_are_those_of_dsam_compare(store: Store, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, tables_of_run(elpd)) for name, elpd in (("a", A), ("b", B))]
    wanted = compare_runs(runs).table.drop(columns=["path", "model_name", "market", "waived"])
    store_market(store, "a", A)
    store_market(store, "b", B)
    found = compare(store, "a", "b").tables["model_comparison"]
    pd.testing.assert_frame_equal(found[wanted.columns], wanted)


def test_log_and_identity_models_of_one_market_are_one_set(store: Store) -> None:
    log = [1.0, 1.5, 0.5, 1.2, 0.9]
    store_market(store, "identity", A)
    store_market(store, "log", log, scale="log")
    rows = rows_of(compare(store, "identity", "log"))
    assert rows["log"]["comparison_set"] == 1
    assert rows["log"]["kpi_elpd_loo"] == pytest.approx((np.array(log) - np.log(KPI)).sum())


@pytest.mark.parametrize(
    ("change", "elpd"),
    [({"kpi": OTHER_KPI}, B), ({"response": "orders"}, B), ({"kpi": KPI[:4]}, B[:4])],
    ids=["other values", "other response", "other rows"],
)
def test_markets_with_other_data_are_never_ranked_against_each_other(
    store: Store, change: dict[str, Any], elpd: list[float]
) -> None:
    store_market(store, "uk", A)
    store_market(store, "de", elpd, **change)
    rows = rows_of(compare(store, "uk", "de"))
    for market, values in (("uk", A), ("de", elpd)):
        assert pd.isna(rows[market]["rank"])
        assert pd.isna(rows[market]["comparison_set"])
        assert pd.isna(rows[market]["elpd_diff"])
        assert not rows[market]["recommended"]
        assert rows[market]["reason"] == ALONE
        assert rows[market]["kpi_elpd_loo"] == pytest.approx(sum(values))


def test_every_set_has_its_own_order_and_recommendation(store: Store) -> None:
    for market, elpd, kpi in (("uk_a", A, KPI), ("de_a", B, OTHER_KPI), ("uk_b", B, KPI), ("de_b", A, OTHER_KPI)):
        store_market(store, market, elpd, kpi=kpi)
    store_market(store, "fr", A, kpi=KPI * 2)
    compared = compare(store, "uk_a", "de_a", "uk_b", "de_b", "fr")
    assert list(compared.tables["comparison_sets"]["markets"]) == ["uk_a, uk_b", "de_b, de_a"]
    assert list(compared.tables["model_comparison"]["run"]) == ["uk_a", "uk_b", "de_b", "de_a", "fr"]
    assert compared.facts() == {"markets": 5, "with_scores": 5, "ranked": 4, "comparison_sets": 2}
    document = compared.document()
    assert [[row["run"] for row in each["markets"]] for each in document["comparison_sets"]] == [
        ["uk_a", "uk_b"], ["de_b", "de_a"],
    ]  # fmt: skip
    assert [row["run"] for row in document["not_compared"]] == ["fr"]
    matrix = compared.tables["decision_matrix"]
    cell = matrix[(matrix["market"] == "uk_b") & matrix["criterion"].str.startswith("ELPD")]["value"].item()
    assert cell == "-17.5 (-1.3 ± 0.9)"


def test_a_failing_leader_is_ranked_and_not_recommended(store: Store) -> None:
    better = list(np.array(A) + 5)
    store_market(store, "bad", better, verdict={"overall": "fail", "reliability": "provisional", "converged": False})
    store_market(store, "good", A)
    compared = compare(store, "bad", "good")
    rows = rows_of(compared)
    assert rows["bad"]["rank"] == 1
    assert not rows["bad"]["recommended"]
    assert rows["good"]["recommended"]
    assert "bad has a higher ELPD, but fails its diagnostics" in compared.comparisons[0].recommendation


def test_held_out_errors_and_high_k_reach_the_table(store: Store) -> None:
    store_market(store, "a", A, tscv=tscv_row(3.5), k=[0.1, 0.9, 0.2, 0.3, 0.1])
    store_market(store, "b", B, tscv=tscv_row(3.0))
    compared = compare(store, "a", "b")
    rows = rows_of(compared)
    assert (rows["a"]["tscv_rmse_kpi"], rows["b"]["tscv_rmse_kpi"]) == (3.5, 3.0)
    assert rows["a"]["n_k_gt_0_7"] == 1
    assert rows["b"]["recommended"]  # not clearly different, and fewer of its rows have a high Pareto k
    assert "a Pareto k above 0.7" not in compared.comparisons[0].recommendation


def test_a_market_without_results_keeps_its_row(store: Store) -> None:
    store_market(store, "uk", A)
    evidence = [stored_evidence(store, "uk"), stored_evidence(store, "fr", "the config is not valid YAML")]
    rows = rows_of(compare_markets(evidence))
    assert rows["fr"]["reason"] == NOT_FITTED
    assert rows["fr"]["problem"] == "the config is not valid YAML"
    assert pd.isna(rows["fr"]["kpi_elpd_loo"])
    assert not rows["uk"]["problem"]


def test_a_damaged_market_keeps_its_row_and_spoils_no_other(store: Store) -> None:
    for market in ("uk", "fr", "de"):
        store_market(store, market, A)
    (Path(store.root) / "fr" / "50_model_selection" / "loo_pointwise.parquet").write_bytes(b"")
    old = pd.DataFrame({"status": ["ok"]})
    keep(store, "de", "loo", CODECS["tables"].encode("loo", {"loo_summary": old}))
    rows = rows_of(compare(store, "uk", "fr", "de"))
    assert rows["uk"]["reason"] == ALONE
    assert "does not match its checksum" in rows["fr"]["reason"]
    assert "made by another version" in rows["de"]["reason"]


def test_results_that_are_not_of_one_run_are_not_compared(store: Store) -> None:
    for market in ("uk", "fr"):
        store_market(store, market, A)
    loo = store.record("fr", "loo")
    assert loo is not None
    for version, market in ((loo.data_version, "uk"), ("of an older fit", "fr")):
        keep(store, market, "diagnostics_report", {}, shown={"overall": "pass"}, inputs={"loo": version})
    rows = rows_of(compare(store, "uk", "fr"))
    assert rows["uk"]["kpi_elpd_loo"] == pytest.approx(sum(A))
    assert "not of one run" in rows["fr"]["reason"]
    assert "diagnostics_report is older than its loo" in rows["fr"]["reason"]


def test_a_skipped_loo_says_why(store: Store) -> None:
    store_market(store, "uk", A)
    skipped = tables_of_run(A)["50_model_selection/loo_summary.csv"].assign(status="skipped", reason="a point estimate")
    keep(store, "uk", "loo", CODECS["tables"].encode("loo", {"loo_summary": skipped}))
    assert rows_of(compare(store, "uk"))["uk"]["reason"] == "PSIS-LOO was skipped: a point estimate"


def test_the_same_store_gives_the_same_result_and_order_does_not_matter_within_a_set(store: Store) -> None:
    store_market(store, "a", A)
    store_market(store, "b", B)
    codec = CODECS["comparison"]
    first, second = compare(store, "a", "b"), compare(store, "b", "a")
    assert codec.encode("model_comparison", first) == codec.encode("model_comparison", compare(store, "a", "b"))
    pd.testing.assert_frame_equal(first.tables["model_comparison"], second.tables["model_comparison"])


def test_infinite_values_are_told_in_words(store: Store) -> None:
    store_market(store, "uk", A, k=[0.1, np.inf, 0.2, 0.3, 0.1])
    (row,) = compare(store, "uk").document()["not_compared"]
    assert row["max_pareto_k"] == "inf"


def test_no_market_at_all() -> None:
    compared = compare_markets([])
    for name, table in compared.tables.items():
        validate(TABLES[name], table)
        assert table.empty
    assert comparison_preview(compared) == "No market is registered."


def test_sets_need_two_markets(store: Store) -> None:
    store_market(store, "uk", A)
    assert comparison_sets([stored_evidence(store, "uk")]) == []


def test_the_preview_is_markdown_without_markup_from_data(store: Store) -> None:
    store_market(store, "a", A)
    store_market(store, "b", B, verdict={"overall": "<b>|", "reliability": "final", "converged": True})
    text = comparison_preview(compare(store, "a", "b"))
    assert "| rank | market |" in text
    assert "<b>" not in text
    assert "&lt;b>\\|" in text
