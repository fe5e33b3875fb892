"""`dsam compare`: what it prints, its document, and its refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_market import Answer, Market, assert_one_message
from run_folders import KPI, run_tables, tscv_row, write_run

Dsam = Callable[..., Answer]
A, B = [-3.0, -3.5, -2.5, -4.0, -3.2], [-3.4, -3.3, -3.1, -4.6, -3.1]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("COLUMNS", "80")
    second = run_tables(B) | {"50_model_selection/tscv_summary.csv": tscv_row(12.3)}
    return [
        write_run(
            tmp_path / "20260228_083808_blm_synth_kpi_os_hfb01", second, overall="warn", reliability="provisional"
        ),
        write_run(tmp_path / "20260228_084410_blm_synth_kpi_os_hfb01", run_tables(A)),
    ]


def test_two_runs_side_by_side(folders: list[Path], dsam: Dsam) -> None:
    answer = dsam("compare", *folders)
    assert (answer.status, answer.err) == (0, "")
    assert (
        answer.out
        == """\
2 runs compared, 2 ranked by ELPD on the KPI scale

  A   20260228_084410_blm_synth_kpi_os_hfb01  recommended
      blm, kpi on the identity scale, 5 rows
  B   20260228_083808_blm_synth_kpi_os_hfb01
      blm, kpi on the identity scale, 5 rows

  criterion                      weight  A             B
  ELPD (higher is better)        high    -16.2         -17.5 (-1.3 ± 0.9)
  Pareto-k reliability           high    0 of 5 > 0.7  0 of 5 > 0.7
  Diagnostics overall status     high    pass (final)  warn (provisional)
  TSCV holdout RMSE (KPI units)  medium  not run       12.3
  Coefficient plausibility       medium  judgement     judgement
  Fit visual quality             low     judgement     judgement

Recommendation: A
A is not clearly different from B (ELPD difference 1.3, standard error 0.9). A
is recommended because its diagnostics are better.

ELPD says how well a model predicts data like these; it does not show that its
media effects are causal. Judge coefficients and fit plots before the choice is
recorded.
"""
    )


def test_many_runs_fit_the_terminal(folders: list[Path], tmp_path: Path, dsam: Dsam) -> None:
    skipped = run_tables(B)
    name = "50_model_selection/loo_summary.csv"
    skipped[name] = skipped[name].assign(status="skipped", reason="a point estimate has no posterior to weigh")
    more = [write_run(tmp_path / f"run{number}", run_tables(B)) for number in range(3)]
    answer = dsam("compare", *folders, *more, write_run(tmp_path / "map", skipped))
    assert answer.status == 0
    assert max(map(len, answer.out.splitlines())) <= 80
    assert answer.out.startswith("6 runs compared, 5 ranked by ELPD on the KPI scale\n")
    assert "not ranked: PSIS-LOO was skipped: a point estimate has no posterior to weigh" in " ".join(
        answer.out.split()
    )
    assert [line.split()[-1] for line in answer.out.splitlines() if line.startswith("  criterion")][-1] == "F"


def test_the_document_says_the_same(folders: list[Path], dsam: Dsam) -> None:
    document = dsam("compare", *folders, "--json").document
    first, second = document["runs"]
    assert (document["status"], document["recommended"]) == ("compared", folders[1].name)
    assert (first["rank"], first["tscv_rmse_kpi"], second["tscv_rmse_kpi"]) == (1, None, 12.3)
    assert second["elpd_diff"] == pytest.approx(-1.3)
    assert document["decision_matrix"][0][folders[1].name] == "-16.2"
    assert document["recommendation"].startswith(f"{folders[1].name} is not clearly different from {folders[0].name}")


def test_refusals_are_one_message(folders: list[Path], tmp_path: Path, dsam: Dsam) -> None:
    assert_one_message(dsam("compare", folders[0]), "at least two runs")
    assert_one_message(dsam("compare", folders[0], tmp_path / "no"), "does not exist", str(tmp_path / "no"))
    assert_one_message(dsam("compare", folders[0], tmp_path), "not a finished run", "run_manifest.json")
    fewer = write_run(tmp_path / "fewer", run_tables(B[:3], kpi=KPI[:3]))
    refused = dsam("compare", folders[0], fewer)
    assert_one_message(refused, "do not explain the same data", "--force-different-data")
    assert dsam("compare", folders[0], fewer, "--force-different-data").status == 0
    answer = dsam("compare", folders[0], fewer, "--json")
    assert (answer.status, answer.document["status"], answer.document["runs"]) == (2, "failed", [])
    assert answer.document["error"]["type"] == "DataError"
    assert answer.document["error"]["fix"] in answer.err


def test_runs_of_one_market_are_compared(market: Market, dsam: Dsam, fake_stan: Callable[..., None]) -> None:
    """What `dsam run` writes is what `dsam compare` reads, for an identity and for a log response."""
    places = [market.folder / name for name in ("identity", "log")]
    assert dsam("run", "--config", market.config, "--run-dir", places[0], "-q").status == 0
    market.edit("formula: kpi ~", "formula: log(kpi) ~")
    market.edit("allocation:\n  enabled: true", "allocation:\n  enabled: false")
    assert dsam("run", "--config", market.config, "--run-dir", places[1], "-q").status == 0
    document = dsam("compare", *places, "--json").document
    runs = {row["run"]: row for row in document["runs"]}
    assert {row["rank"] for row in runs.values()} == {1, 2}
    assert runs["identity"]["n_rows"] == runs["log"]["n_rows"] == 102
    assert abs(runs["identity"]["kpi_elpd_loo"] - runs["log"]["kpi_elpd_loo"]) < 60
    assert document["notes"][0].startswith("ELPD says how well")
