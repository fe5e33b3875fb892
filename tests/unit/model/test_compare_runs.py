"""Comparing run folders: paired differences by hand, what is refused, what is recommended."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_folders import KPI, run_tables, tscv_row, write_run

from dsam_assets.comparing import compare_runs
from dsam_assets.errors import ConfigError, DataError, StoreError
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

A = [-3.0, -3.5, -2.5, -4.0, -3.2]
B = [-3.4, -3.3, -3.1, -4.6, -3.1]
MANY = 40
LOO, POINTS = "50_model_selection/loo_summary.csv", "50_model_selection/loo_pointwise.csv"


def rows_of(comparison: Any) -> dict[str, Any]:
    return {row["run"]: row for row in comparison.table.to_dict("records")}


def pair(tmp_path: Path, second: Any, **changes: Any) -> list[Path]:
    return [write_run(tmp_path / "a", run_tables(A)), write_run(tmp_path / "b", second, **changes)]


def test_differences_are_paired(tmp_path: Path) -> None:
    found = compare_runs(pair(tmp_path, run_tables(B)))
    rows = rows_of(found)
    difference = np.array(B) - np.array(A)
    assert rows["a"]["rank"] == 1
    assert rows["b"]["rank"] == 2
    assert rows["a"]["kpi_elpd_loo"] == pytest.approx(-16.2)
    assert rows["b"]["elpd_diff"] == pytest.approx(-1.3)
    by_hand = np.sqrt(5 / 4 * ((difference + 0.26) ** 2).sum())
    assert rows["b"]["se_diff"] == pytest.approx(by_hand)
    assert by_hand < rows["b"]["se_kpi_elpd_loo"]
    assert (rows["a"]["elpd_diff"], rows["a"]["se_diff"]) == (0, 0)
    assert "a is not clearly different from b (ELPD difference 1.3, standard error 0.9)" in found.recommendation
    assert "Nothing here decides between them" in found.recommendation
    assert str(found).count("\n") > 3


def test_log_and_identity_models_meet_on_the_kpi_scale(tmp_path: Path) -> None:
    """log p(kpi) = log p(log kpi) − log kpi."""
    found = compare_runs(pair(tmp_path, run_tables([1.0, 1.5, 0.5, 1.2, 0.9], scale="log")))
    log = rows_of(found)["b"]
    by_row = np.array([1.0, 1.5, 0.5, 1.2, 0.9]) - np.log(KPI)
    assert log["kpi_elpd_loo"] == pytest.approx(by_row.sum())
    assert log["se_diff"] == pytest.approx(np.sqrt(5) * (by_row - np.array(A)).std(ddof=1))
    assert log["response_scale"] == "log"


def test_rows_are_matched_by_date_not_by_position(tmp_path: Path) -> None:
    tables = run_tables(B)
    for name in list(tables)[1:3]:
        tables[name] = tables[name].iloc[::-1].assign(row=[7, 6, 5, 4, 3])
    assert rows_of(compare_runs(pair(tmp_path, tables)))["b"]["elpd_diff"] == pytest.approx(-1.3)


@pytest.mark.parametrize(
    ("second", "got"),
    [
        (run_tables(B[:4], kpi=KPI[:4]), "a has 5 rows, b has 4, and 4 are the same"),
        (run_tables(B, kpi=KPI + np.eye(5)[2]), "different values of kpi in 1 rows"),
        (run_tables(B, kpi=KPI + 1, scale="log"), "different values of kpi in 5 rows"),
    ],
)
def test_other_data_are_refused_unless_insisted_on(tmp_path: Path, second: Any, got: str) -> None:
    folders = pair(tmp_path, second, sha="other")
    with pytest.raises(DataError, match="do not explain the same data") as refused:
        compare_runs(folders)
    assert got in str(refused.value)
    assert "--force-different-data" in str(refused.value)
    forced = compare_runs(folders, force_different_data=True)
    assert got in forced.notes[0]


def test_shared_rows_are_compared_when_insisted_on(tmp_path: Path) -> None:
    folders = pair(tmp_path, run_tables(B[:4], kpi=KPI[:4]))
    rows = rows_of(compare_runs(folders, force_different_data=True))
    assert rows["a"]["kpi_elpd_loo"] == pytest.approx(sum(A[:4]))
    assert rows["b"]["elpd_diff"] == pytest.approx(sum(B[:4]) - sum(A[:4]))
    assert rows["a"]["n_rows"] == rows["b"]["n_rows"] == 4


def test_other_responses_are_never_recommended(tmp_path: Path) -> None:
    tables = run_tables(np.array(B) - 100)
    name = "10_pre_run/spec_summary.csv"
    tables[name] = tables[name].assign(response="sales")
    folders = pair(tmp_path, tables)
    with pytest.raises(DataError, match="a explains kpi, b explains sales"):
        compare_runs(folders)
    forced = compare_runs(folders, force_different_data=True)
    assert forced.recommended == ""
    assert "explain different values" in forced.recommendation


def test_no_shared_rows_is_always_refused(tmp_path: Path) -> None:
    tables = run_tables(B)
    for name in list(tables)[1:3]:
        tables[name] = tables[name].assign(date=[f"2020-01-0{day}" for day in range(1, 6)])
    with pytest.raises(DataError, match="no rows in common"):
        compare_runs(pair(tmp_path, tables), force_different_data=True)


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda tables: tables.pop(name)


def summary(**changes: Any) -> Callable[[dict[str, Any]], None]:
    name = "50_model_selection/loo_summary.csv"
    return lambda tables: tables.update({name: tables[name].assign(**changes)})


def missing_density(tables: dict[str, Any]) -> None:
    tables["50_model_selection/loo_pointwise.csv"].loc[2, "elpd_loo"] = np.nan


@pytest.mark.parametrize(
    ("scale", "change", "reason"),
    [
        ("identity", summary(status="skipped", reason="diagnostics.enabled is false"), "PSIS-LOO was skipped: diag"),
        ("identity", summary(n_rows=50_000), "PSIS-LOO scored a sample of 5 of 50,000 rows"),
        ("identity", without("50_model_selection/loo_summary.csv"), "loo_summary.csv is missing"),
        ("identity", without("50_model_selection/loo_pointwise.csv"), "loo_pointwise.csv is missing"),
        ("log", without("30_post_run/observed.csv"), "observed.csv is missing, which a log response needs"),
        ("identity", missing_density, "PSIS-LOO could not be computed for 1 rows"),
    ],
)
def test_what_cannot_be_ranked_is_listed_with_the_reason(
    tmp_path: Path, scale: str, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    tables = run_tables(np.array(B) + 100, scale=scale)
    change(tables)
    third = write_run(tmp_path / "c", run_tables([-9.0] * 5))
    found = compare_runs([*pair(tmp_path, tables), third])
    rows = rows_of(found)
    assert rows["b"]["reason"].startswith(reason)
    assert found.table["run"].tolist() == ["a", "c", "b"]
    assert found.table["rank"].astype(object).where(found.table["rank"].notna(), None).tolist() == [1, 2, None]
    assert np.isnan(rows["b"]["kpi_elpd_loo"])
    assert found.recommended == "a"


def test_identity_models_without_stored_responses_need_the_same_file(tmp_path: Path) -> None:
    tables = run_tables(B)
    del tables["30_post_run/observed.csv"]
    assert compare_runs(pair(tmp_path, tables)).recommended == "a"
    with pytest.raises(DataError, match="were made from different files"):
        compare_runs(pair(tmp_path, tables, sha="other"))


# what is recommended


def long_run(mean: float, seed: int, **options: Any) -> dict[str, Any]:
    noise = np.random.default_rng(seed).normal(0, 0.05, MANY)
    return run_tables(mean + noise, kpi=np.linspace(100, 200, MANY), **options)


def test_a_clear_difference_decides(tmp_path: Path) -> None:
    found = compare_runs([write_run(tmp_path / "a", long_run(-4, 1)), write_run(tmp_path / "b", long_run(-3, 2))])
    assert found.recommended == "b"
    assert "b is clearly better than a" in found.recommendation
    assert found.table["recommended"].tolist() == [True, False]


def test_failing_diagnostics_are_not_bought_with_elpd(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / "a", long_run(-4, 1), overall="warn", reliability="provisional"),
        write_run(tmp_path / "b", long_run(-3, 2), overall="fail", reliability="provisional"),
    ]
    found = compare_runs(folders)
    assert found.recommended == "a"
    assert "b has a higher ELPD, but fails its diagnostics" in found.recommendation
    blocked = write_run(tmp_path / "c", long_run(-2, 3), reliability="blocked")
    assert compare_runs([*folders, blocked]).recommended == "a"
    alone = compare_runs([folders[1], blocked])
    assert (alone.recommended, alone.recommendation) == (
        "",
        "No run can be recommended: every ranked run fails its diagnostics.",
    )


WAIVER = {"check": "within_var_ratio", "subject": "", "who": "A. Lead", "why": "means", "expires": "2026-03-31"}
APPLIED, UNUSED = WAIVER | {"state": "applied", "note": ""}, WAIVER | {"state": "unused", "note": ""}
WAIVED: dict[str, Any] = {"overall": "warn", "reliability": "provisional", "waivers": [APPLIED]}
LAST_DAY, NEXT_DAY = dt.date(2026, 3, 31), dt.date(2026, 4, 1)


def test_a_waived_run_is_compared_with_its_waiver_until_that_expires(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / "a", long_run(-4, 1), overall="warn", reliability="provisional"),
        write_run(tmp_path / "b", long_run(-3, 2), **WAIVED),
    ]
    found = compare_runs(folders, today=LAST_DAY)
    told = "within_var_ratio waived by A. Lead until 2026-03-31"
    assert found.recommended == "b"
    assert f"b does not fail only because of waivers: {told}." in found.recommendation
    assert rows_of(found)["b"]["waived"] == told
    assert rows_of(found)["a"]["waived"] == ""
    assert "warn (provisional, waived)" in found.matrix["b"].tolist()
    late = compare_runs(folders, today=NEXT_DAY)
    assert late.recommended == "a"
    assert (rows_of(late)["b"]["overall"], rows_of(late)["b"]["waived"]) == ("fail", f"{told} (expired)")
    validate(TABLES["model_comparison"], late.table)


def test_a_waiver_loses_ties_and_cannot_vouch_for_draws_that_have_not_converged(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "a", long_run(-3.01, 1), overall="warn", reliability="provisional")
    waived = write_run(tmp_path / "b", long_run(-3.0, 1), **WAIVED)
    found = compare_runs([plain, waived], today=LAST_DAY)
    assert (found.recommended, "because its diagnostics are better" in found.recommendation) == ("a", True)
    unused = write_run(tmp_path / "c", long_run(-2, 1), overall="pass", waivers=[UNUSED])
    assert compare_runs([plain, unused], today=NEXT_DAY).recommended == "c"
    stuck = write_run(tmp_path / "d", long_run(-1, 1), converged=False, **WAIVED)
    assert compare_runs([plain, stuck], today=LAST_DAY).recommended == "a"


def test_damaged_waivers_are_named(tmp_path: Path) -> None:
    damaged = {"state": "applied", "check": "x", "who": "y", "expires": "soon"}
    folders = [write_run(tmp_path / "a", run_tables(A)), write_run(tmp_path / "b", run_tables(B), waivers=[damaged])]
    with pytest.raises(StoreError, match="manifest cannot be read") as caught:
        compare_runs(folders)
    assert "its waivers: ValueError" in str(caught.value.got)


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ({"overall": "pass"}, {"overall": "warn"}, "its diagnostics are better"),
        ({"k": 0.2}, {"k": 0.9}, "fewer of its rows have a high Pareto k"),
        ({"rmse": 9.0}, {"rmse": 10.0}, "its held-out error is smaller"),
    ],
)
def test_ties_are_broken_in_order(tmp_path: Path, better: Any, worse: Any, reason: str) -> None:
    """The worse one has the higher ELPD, by less than noise."""
    folders = []
    for name, mean, options in (("a", -3.0, worse), ("b", -3.01, better)):
        tables = long_run(mean, 1, k=[options.get("k", 0.2)] + [0.1] * (MANY - 1))
        tables["50_model_selection/tscv_summary.csv"] = tscv_row(options.get("rmse", 10.0))
        folders.append(write_run(tmp_path / name, tables, overall=options.get("overall", "pass")))
    found = compare_runs(folders)
    assert found.recommended == "b"
    assert f"b is recommended because {reason}." in found.recommendation


def test_other_folds_do_not_decide(tmp_path: Path) -> None:
    folders = []
    for name, mean, row in (("a", -3.0, tscv_row(10.0)), ("b", -3.01, tscv_row(9.0, method="leave_future_out"))):
        tables = long_run(mean, 1)
        tables["50_model_selection/tscv_summary.csv"] = row
        folders.append(write_run(tmp_path / name, tables))
    found = compare_runs(folders)
    assert found.recommended == "a"
    assert "Time-series cross-validation used different folds, so its scores are not compared." in found.notes


def test_a_difference_that_rests_on_unreliable_rows_is_not_clear(tmp_path: Path) -> None:
    worse = np.arange(MANY) % 2 == 0
    for k in (0.9, 0.2):
        tables = long_run(-3.0, 1, k=np.where(worse, k, 0.1))
        tables[POINTS]["elpd_loo"] += np.where(worse, 3.0, 0.0)
        plain = long_run(-3.0, 1)
        folders = [write_run(tmp_path / f"a{k}", tables), write_run(tmp_path / f"b{k}", plain)]
        found = compare_runs(folders)
        difference, error = rows_of(found)[f"b{k}"]["elpd_diff"], rows_of(found)[f"b{k}"]["se_diff"]
        assert difference == pytest.approx(-60)
        assert abs(difference) > 5 * error
        assert ("not clearly different" in found.recommendation) == (k > 0.7)
        assert found.recommended == (f"b{k}" if k > 0.7 else f"a{k}")


def test_the_decision_matrix_is_the_specifications(tmp_path: Path) -> None:
    tables = run_tables(B, k=[0.1, 0.2, 0.8, 0.3, 0.4])
    tables["50_model_selection/tscv_summary.csv"] = tscv_row(12_345.6)
    matrix = compare_runs(pair(tmp_path, tables, overall="warn", reliability="provisional")).matrix
    assert matrix[["criterion", "weight"]].to_numpy().tolist() == [
        ["ELPD (higher is better)", "high"],
        ["Pareto-k reliability", "high"],
        ["Diagnostics overall status", "high"],
        ["TSCV holdout RMSE (KPI units)", "medium"],
        ["Coefficient plausibility", "medium"],
        ["Fit visual quality", "low"],
    ]
    judgement = ["judgement"] * 2
    assert matrix["a"].tolist() == ["-16.2", "0 of 5 > 0.7", "pass (final)", "not run", *judgement]
    assert matrix["b"].tolist() == ["-17.5 (-1.3 ± 0.9)", "1 of 5 > 0.7", "warn (provisional)", "12,346", *judgement]


# folders that cannot be read


def test_flat_folders_and_equal_names(tmp_path: Path) -> None:
    flat = {name.rpartition("/")[2]: table for name, table in run_tables(A).items()}
    folders = [write_run(tmp_path / "one" / "x", flat), write_run(tmp_path / "two" / "x", run_tables(B))]
    assert compare_runs(folders).table["run"].tolist() == [str(folder) for folder in folders]
    with pytest.raises(ConfigError, match="named twice"):
        compare_runs([folders[0], tmp_path / "two" / ".." / "one" / "x"])
    with pytest.raises(ConfigError, match="at least two"):
        compare_runs(folders[:1])


def spoil(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)


def relist(folder: Path, name: str, new: str) -> None:
    """The manifest names another place for a file."""
    place = folder / "run_manifest.json"
    place.write_text(place.read_text().replace(name, new))


def restate(
    folder: Path, name: str, *, rows: int | None = None, drop: str | None = None, content: bytes | None = None
) -> None:
    """Another table, which the manifest vouches for."""
    table = pd.read_csv(folder / name).head(rows).drop(columns=drop or [])
    content = table.to_csv(index=False).encode() if content is None else content
    (folder / name).write_bytes(content)
    place = folder / "run_manifest.json"
    manifest = json.loads(place.read_text())
    manifest["files"][name]["sha256"] = hashlib.sha256(content).hexdigest()
    place.write_text(json.dumps(manifest))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no_manifest": (lambda folder: (folder / "run_manifest.json").unlink(), "not a finished run"),
    "no_json": (lambda folder: spoil(folder, "run_manifest.json", b"{"), "manifest cannot be read"),
    "no_text": (lambda folder: spoil(folder, "run_manifest.json", b"\xff\xfe\x00"), "manifest cannot be read"),
    "foreign_json": (lambda folder: spoil(folder, "run_manifest.json", b"[1]"), "lists no files"),
    "foreign_files": (lambda folder: spoil(folder, "run_manifest.json", b'{"files": {"a": 1}}'), "lists no files"),
    "changed": (lambda folder: spoil(folder, LOO, b"status\nok\n"), "changed after the run"),
    "lost": (lambda folder: (folder / LOO).unlink(), "it is not there"),
    "outside": (lambda folder: relist(folder, LOO, "../a/" + LOO), "it is not there"),
    "no_rows": (lambda folder: restate(folder, LOO, rows=0), "it has no rows"),
    "no_status": (lambda folder: restate(folder, LOO, drop="status"), "columns are missing: status"),
    "no_k": (lambda folder: restate(folder, POINTS, drop="pareto_k"), "columns are missing: pareto_k"),
    "no_table": (lambda folder: restate(folder, POINTS, content=b""), "No columns"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_folders_are_one_clear_error(tmp_path: Path, name: str) -> None:
    folders = pair(tmp_path, run_tables(B))
    damage, words = DAMAGE[name]
    damage(folders[1])
    with pytest.raises(StoreError) as refused:
        compare_runs(folders)
    assert words in str(refused.value)
    assert str(folders[1]) in str(refused.value)
