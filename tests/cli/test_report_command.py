"""`dsam report`: where a run's report is, and writing it again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_market import Answer, Market, assert_one_message

type Dsam = Callable[..., Answer]
WRITTEN = ("report.html", "business_report.md", "interpretation.json")


@pytest.fixture
def results(market: Market, dsam: Dsam, fake_stan: Callable[..., None]) -> Path:
    """A folder with one finished run, without config, data or store."""
    assert dsam("run", "--config", market.config, "-q").status == 0
    folder = shutil.move(market.folder / "results", market.folder.parent / "results")
    shutil.rmtree(market.folder)
    return Path(folder)


@pytest.mark.slow
def test_a_report_is_found_opened_and_written_again(results: Path, dsam: Dsam, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = results.iterdir()
    page = run / "80_interpretation" / "report.html"
    answer = dsam("report", run)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith(f"Report {page}\n  market uk, run of ")
    assert "  verdict PASS (final)\n" in answer.out
    assert answer.out.endswith(f"Next: dsam report {run} --open\n")
    assert dsam("report", results, "-q") == Answer(0, f"{page}\n", "")  # the newest of a folder of runs
    document = dsam("report", run, "--json").document
    assert (document["status"], document["report"], document["market"]) == ("found", str(page), "uk")

    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: bool(shown.append(uri)) or True)
    assert dsam("report", run, "--open").status == 0
    assert shown == [page.as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda uri: False)
    assert_one_message(dsam("report", run, "--open"), "No browser could be started", str(page))

    before = {name: (page.parent / name).read_bytes() for name in WRITTEN}
    manifest = json.loads((run / "run_manifest.json").read_text())
    for name in WRITTEN:
        (page.parent / name).unlink()
    assert_one_message(dsam("report", run), "has no report", "--rebuild")
    assert dsam("report", run, "--rebuild").out.startswith(f"Wrote {page}\n")
    assert {name: (page.parent / name).read_bytes() for name in WRITTEN} == before
    assert json.loads((run / "run_manifest.json").read_text()) == manifest

    elsewhere = results.parent / "mail.html"
    answer = dsam("report", run, "--out", elsewhere)
    assert answer.out.startswith(f"Wrote {elsewhere}\n")
    assert "Next:" not in answer.out
    assert elsewhere.read_bytes() == before["report.html"]
    assert dsam("report", run, "--out", elsewhere, "--json").document["status"] == "written"
    assert {name: (page.parent / name).read_bytes() for name in WRITTEN} == before

    figure = run / "20_model_fit" / "fit_scatter.html"
    figure.write_text(figure.read_text().replace("Observed", "Observd", 1) + " ")
    assert_one_message(dsam("report", run, "--rebuild"), "damaged", "fit_scatter.html")


def test_a_report_is_only_written_to_a_web_page(dsam: Dsam, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    assert_one_message(dsam("report", tmp_path, "--out", tmp_path / "notes.txt"), "a file like report.html")
    assert_one_message(dsam("report", tmp_path, "--out", tmp_path / "no" / "r.html"), "folder does not exist")
    assert (tmp_path / "notes.txt").read_text() == "precious"


def test_a_folder_without_a_run_is_refused(dsam: Dsam, tmp_path: Path) -> None:
    assert_one_message(dsam("report", tmp_path), "not a finished run", str(tmp_path))
    assert_one_message(dsam("report", tmp_path / "no"), "does not exist")
    document = dsam("report", tmp_path, "--json").document
    assert (document["status"], document["run_dir"], document["report"]) == ("failed", str(tmp_path), None)
