"""What each command prints, writes and returns; runs use the stand-in for Stan."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import yaml
from cli_market import Answer, Market, assert_one_message
from fake_stan_resource import FakeStan

from dsam_assets.errors import ToolchainError

Dsam = Callable[..., Answer]
UseStan = Callable[..., None]
HOME = SimpleNamespace(version="9.9.9", origin="a test", path=Path("/opt/stan"))


def run_folders(market: Market) -> list[Path]:
    results = market.folder / "results"
    return sorted(results.iterdir()) if results.exists() else []


COMMANDS = ("init", "validate", "run", "report", "compare", "status", "refresh", "sync", "stan", "ui")

# help, unknown words


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_help_lists_the_commands(arguments: tuple[str, ...], dsam: Dsam) -> None:
    answer = dsam(*arguments)
    assert answer.status == 0
    for command in (*COMMANDS, "help"):
        assert f"\n    {command} " in answer.out
    for status in ("0    done", "2    bad input", "3    a quality gate", "130  interrupted"):
        assert status in answer.out
    assert all(len(line) <= 80 for line in answer.out.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, dsam: Dsam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer = dsam(command, "--help")
    assert (answer.status, answer.err) == (0, "")
    assert f"usage: dsam {command}" in answer.out
    assert re.search(rf"^examples?:\n  dsam {command}", answer.out, re.MULTILINE)
    assert all(len(line) <= 80 for line in answer.out.splitlines())
    assert dsam("help", command) == answer
    assert "-q, --quiet" in answer.out
    assert "--json" in answer.out


def test_help_comes_at_once_and_loads_nothing_heavy() -> None:
    """Of the program and of every command; nothing besides Python's own library and the command line is loaded."""
    script = f"""
import sys
from dsam_assets.cli import main
for words in ([], ["help"], ["--version"], *([name, "--help"] for name in {COMMANDS}), ["repot"], ["run", "--no"]):
    try:
        main(words)
    except SystemExit:
        pass
print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}
    assert "dsam_assets" in roots
    heavy = {"pandas", "numpy", "dagster", "pydantic", "pandera", "plotly", "scipy", "xarray", "yaml", "cmdstanpy"}
    assert (heavy | {"resources", "jinja2", "formulaic", "sqlalchemy"}) & roots == set()
    assert all(f"usage: dsam {name} [-h]" in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit",), "There is no command fit. where: dsam wanted: dsam [-h]"),
        (("repot",), "do this: Did you mean report?"),
        (("run",), "--config is missing. where: dsam run wanted: dsam run [-h]"),
        (("validate",), "do this: dsam validate --help says more."),
        (("run", "--confg", "uk.yaml"), "There is no flag --confg. where: dsam run"),
        (("run", "--confg", "uk.yaml"), "Did you mean --config?"),
        (("run", "--config", "uk.yaml", "--fast"), "There is no flag --fast."),
        (("run", "--config", "uk.yaml", "more"), "This is not understood: more"),
        (("run", "-q", "--config", "uk.yaml", "--json"), "--json and -q/--quiet exclude each other. where: dsam run"),
        (("run", "uk.yaml", "--force"), "--config is missing. where: dsam run"),
        (("run", "uk.yaml", "--force"), "do this: dsam run --config uk.yaml --force"),
        (("--json", "status"), "do this: Flags follow the command: dsam status --json"),
        (("--verson",), "There is no flag --verson. where: dsam"),
        (("--verson",), "Did you mean --version?"),
        (("refresh", "--workr", "1"), "do this: dsam refresh --help says more."),
        (("report", "x", "--rebuild", "--out", "x.html"), "--out and --rebuild exclude each other."),
        (("init", "--out", "x.yaml", "--template", "bml"), "There is no --template called bml."),
        (("init", "--out", "x.yaml", "--template", "bml"), "Did you mean blm?"),
        (("ui", "--port", "many"), "--port needs a whole number, not many."),
        (("validate", "--config"), "--config needs a value. where: dsam validate"),
        (("help", "repot"), "There is no command repot."),
    ],
)
def test_unknown_words_are_refused(
    arguments: tuple[str, ...], words: str, dsam: Dsam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = dsam(*arguments)
    assert_one_message(answer, words)
    assert answer.out == "" or answer.document["error"]["type"] == "UsageError"
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_said(dsam: Dsam) -> None:
    assert re.fullmatch(r"dsam \d+\.\d+\.\d+\n", dsam("--version").out)


# init


def write_template_data(market: Market) -> None:
    """Data and map that have the columns and terms which the templates name."""
    frame = pd.read_csv(market.data)
    rng = np.random.default_rng(1)
    for name in ("m_tv_brand", "m_tv_promo", "m_search_brand", "m_search_promo"):
        frame[name] = rng.gamma(2.0, 50.0, len(frame))
    frame["market"] = np.repeat(["north", "south", "west"], len(frame) // 3)
    for name in ("spend_tv", "spend_tv_brand"):
        frame[name] = rng.gamma(2.0, 5000.0, len(frame))
    frame.to_csv(market.data.with_name("your_data.csv"), index=False)
    rows = ["m_tv_brand,tv,brand", "m_tv_promo,tv,promo", "m_search_brand,search,brand", "m_search_promo,search,promo"]
    market.data.with_name("your_pooling_map.csv").write_text("\n".join(["variable,channel,campaign", *rows]) + "\n")


@pytest.mark.parametrize(
    ("template", "coefficients"), [("blm", 4), ("master", 4), ("re", 4), ("cre", 6), ("pooled", 6), ("hierarchical", 4)]
)
def test_a_template_is_valid_as_written(template: str, coefficients: int, market: Market, dsam: Dsam) -> None:
    config = market.folder / "first.yaml"
    written = dsam("init", "--template", template, "--out", config)
    assert (written.status, written.err) == (0, "")
    assert f"Next: dsam validate --config {config}" in written.out
    write_template_data(market)
    answer = dsam("validate", "--config", config)
    assert (answer.status, answer.err) == (0, "")
    assert f"102 rows, {coefficients} coefficients" in answer.out


# A commented line that is part of a config: a row of a list, a key of a row or a key of the section.
EXAMPLE = re.compile(
    r"(?m)^( +)# (?=- \{|- term:|  \w+: [^#\n]|(?:total|level|hold_weak|data_path|horizon|objective):)"
)


@pytest.mark.parametrize("template", ["blm", "re", "cre", "pooled", "hierarchical"])
def test_the_examples_in_the_comments_of_a_template_work(template: str, market: Market, dsam: Dsam) -> None:
    """All of them at once, with their sections switched on."""
    config = market.folder / "all.yaml"
    assert dsam("init", "--template", template, "--out", config).status == 0
    text = EXAMPLE.sub(r"\1", config.read_text()).replace("enabled: false", "enabled: true")
    text = re.sub(r"vars: # for example (\[.*\]).*", r"vars: \1", text)
    config.write_text(text.replace("type: re ", "type: cre ") if "cre:" in text else text)
    write_template_data(market)
    write_future_of_template(market, weeks=102 if template in ("blm", "pooled") else 34)
    answer = dsam("validate", "--config", config, "--json")
    assert answer.err == ""
    assert answer.document["status"] == "valid"
    shown = yaml.safe_load(text)
    assert all(shown[part] for part in ("priors", "boundaries", "allocation", "forecast"))
    assert all(shown[part]["overrides"] for part in ("priors", "boundaries"))
    assert shown["allocation"]["channels"][0]["bounds"]
    assert shown["diagnostics"]["waivers"]


def write_future_of_template(market: Market, weeks: int) -> None:
    """The same predictors once more, so many weeks later."""
    frame = pd.read_csv(market.data.with_name("your_data.csv")).drop(columns="kpi")
    frame["date"] = pd.to_datetime(frame["date"]) + pd.offsets.Week(weeks)
    frame.to_csv(market.data.with_name("your_future_data.csv"), index=False, date_format="%Y-%m-%d")


def test_the_default_template_is_blm(dsam: Dsam, tmp_path: Path) -> None:
    dsam("init", "--out", tmp_path / "a.yaml")
    dsam("init", "--out", tmp_path / "b.yaml", "--template", "blm")
    assert (tmp_path / "a.yaml").read_bytes() == (tmp_path / "b.yaml").read_bytes()


def test_init_as_json_and_in_silence(dsam: Dsam, tmp_path: Path) -> None:
    target = tmp_path / "a.yaml"
    document = dsam("init", "--out", target, "--json").document
    assert document == {"status": "written", "path": str(target), "template": "blm"}
    refused = dsam("init", "--out", target, "--json")
    assert (refused.status, refused.document["path"], refused.document["status"]) == (2, None, "failed")
    assert dsam("init", "--out", target, "--overwrite", "-q") == Answer(0, f"{target}\n", "")


def test_init_overwrites_only_when_told(dsam: Dsam, tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    target.write_text("precious")
    assert_one_message(dsam("init", "--out", target), "exists already", str(target), "--overwrite")
    assert target.read_text() == "precious"
    assert dsam("init", "--out", target, "--overwrite").status == 0
    assert "formula:" in target.read_text()


def test_init_needs_a_folder_that_exists(dsam: Dsam, tmp_path: Path) -> None:
    assert_one_message(dsam("init", "--out", tmp_path / "no" / "x.yaml"), "does not exist", str(tmp_path / "no"))
    assert_one_message(
        dsam("init", "--out", tmp_path, "--overwrite"), "The path is a folder", str(tmp_path), "Name a file in it"
    )
    assert list(tmp_path.iterdir()) == []


# validate


def test_validate_says_what_the_config_amounts_to_and_writes_nothing(market: Market, dsam: Dsam) -> None:
    market.edit_data(lambda frame: frame.assign(m_tv=frame["m_tv"].where(frame.index > 1)))
    before = market.tree()
    answer = dsam("validate", "--config", market.config)
    assert (answer.status, answer.err) == (0, "")
    assert f"{market.config} is valid" in answer.out
    assert "102 rows, 2023-01-02 to 2024-12-09" in answer.out.replace("\n          ", " ")
    assert "100 rows, 4 coefficients" in answer.out
    assert "rows with missing values in m_tv (2)" in answer.out
    assert "250 over 2 channels" in answer.out
    assert f"Next: dsam run --config {market.config}" in answer.out
    assert market.tree() == before


def test_validate_warns_about_what_does_not_stop_it(market: Market, dsam: Dsam) -> None:
    market.edit("kpi ~ trend + m_tv + m_search", "kpi ~ trend + m_tv + m_search + I(m_tv + m_search)")
    market.edit("policy_mode: explore", "policy_mode: publish")
    answer = dsam("validate", "--config", market.config)
    assert answer.status == 0
    assert "! pre_design_rank_deficit: Rank 4 with 5 columns" in answer.out
    assert all(len(line) <= 80 for line in answer.out.splitlines() if str(market.folder) not in line)


@pytest.mark.parametrize("given", ["flag", "config"])
def test_validate_with_a_run_folder_writes_the_metadata_and_no_more(
    given: str, market: Market, dsam: Dsam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.toolchain.home.find_home", lambda **_: HOME)
    target = tmp_path / "run"
    flag = ["--run-dir", target] if given == "flag" else []
    if given == "config":
        market.config.write_text(f"{market.config.read_text()}outputs: {{run_dir: {target}}}\n")
    before = market.tree()
    answer = dsam("validate", "--config", market.config, *flag)
    assert answer.status == 0, answer.err
    metadata = target / "00_run_metadata"
    assert {path.name for path in target.rglob("*") if path.is_file()} == {
        "config.original.yaml", "config.resolved.yaml", "session_info.txt"
    }  # fmt: skip
    assert (metadata / "config.original.yaml").read_text() == market.config.read_text()
    assert "stan_version: 9.9.9" in (metadata / "session_info.txt").read_text()
    assert market.tree() == before


def test_validate_as_json_and_in_silence(market: Market, dsam: Dsam) -> None:
    document = dsam("validate", "--config", market.config, "--json").document
    assert (document["status"], document["market"], document["run_dir"]) == ("valid", "uk", None)
    assert (document["verdict"], document["plan"]) == (None, None)
    assert [check["status"] for check in document["checks"]] == ["pass"] * 11
    assert document["model"]["coefficients"] == 4
    assert document["seconds"] > 0
    assert dsam("validate", "--config", market.config, "-q") == Answer(0, "", "")


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_refusal_as_json_is_one_document_and_one_message(command: str, market: Market, dsam: Dsam) -> None:
    market.data.unlink()
    answer = dsam(command, "--config", market.config, "--json")
    assert_one_message(answer, "does not exist")
    assert (answer.document["status"], answer.document["error"]["type"]) == ("failed", "ConfigError")
    assert answer.document["error"]["what"] in answer.err
    assert {"market", "run_dir", "verdict", "checks", "plan", "seconds"} < set(answer.document)
    quiet = dsam(command, "--config", market.config, "--quiet")
    assert_one_message(quiet, "does not exist")
    assert quiet.out == ""


# run


def test_a_run_tells_its_story_and_the_next_one_reuses_it(market: Market, dsam: Dsam, fake_stan: UseStan) -> None:
    first = dsam("run", "--config", market.config)
    assert (first.status, first.err) == (0, "")
    (folder,) = run_folders(market)
    steps = re.search(r"^(\d+) steps computed, 0 reused, \d+\.\d s in all$", first.out, re.MULTILINE)
    assert steps is not None
    assert "Verdict: PASS" in first.out
    assert "The results are final" in first.out
    assert "Budget plan (final), spend per period" in first.out
    assert "\nRun complete\n" in first.out
    assert f"Run folder: {folder} (" in first.out
    assert "; read first\n  80_interpretation/report.html\n" in first.out
    assert first.out.endswith(f"\nNext: dsam report {folder} --open\n")
    assert "quick steps" in first.out
    assert "config/fit" not in first.out
    assert "\n  40_diagnostics/diagnostics_summary.txt\n  60_optimisation/budget_allocation.csv\n" in first.out
    assert "\033" not in first.out
    assert all(len(line) <= 80 for line in first.out.splitlines() if str(market.folder) not in line)
    assert json.loads((folder / "run_manifest.json").read_text())["status"] == "complete"
    for name in ("40_diagnostics/diagnostics_summary.txt", "60_optimisation/budget_allocation.csv"):
        assert (folder / name).exists()

    second = dsam("run", "--config", market.config, "--run-dir", folder.with_name("second"), "--verbose")
    assert second.status == 0
    assert f"1 step computed, {int(steps.group(1)) - 1} reused" in second.out
    reused = second.out.partition("run_bundle")[0]
    for step in ("resolved_config", "config/fit", "posterior", "diagnostics_report", "allocation"):
        assert step in reused.partition("reused, inputs unchanged:")[2]

    again = ("--run-dir", folder.with_name("third"), "--force", "--json")
    third = dsam("run", "--config", market.config, *again)
    document = third.document
    assert (third.status, third.err, document["status"], document["market"]) == (0, "", "complete", "uk")
    assert document["run_dir"] == str(folder.with_name("third"))
    assert document["verdict"]["overall"] == "pass"
    assert {check["status"] for check in document["checks"] if check["check_id"] != "optimiser_converged"} == {
        "pass",
        "skipped",
    }
    assert document["model"]["in_sample"]["r2"] > 0.9
    assert [channel["channel"] for channel in document["plan"]["channels"]] == ["TV", "Search"]
    assert sum(channel["spend_optimised"] for channel in document["plan"]["channels"]) == pytest.approx(250)
    assert document["steps"]["reused"] == []  # --force
    assert "posterior" in document["steps"]["computed"]
    assert document["seconds"] > 0

    assert_one_message(dsam("run", "--config", market.config, "--run-dir", folder), "exists already", str(folder))


POINT = "point estimate (MAP), no uncertainty"


def test_a_point_estimate_is_told_without_intervals(market: Market, dsam: Dsam, fake_stan: UseStan) -> None:
    market.edit("fit:\n", "fit:\n  method: optimise\n  optimise: {n_runs: 2}\n")
    validated = dsam("validate", "--config", market.config)
    assert f"fit      {POINT}, 2 starts" in validated.out
    answer = dsam("run", "--config", market.config)
    assert (answer.status, answer.err) == (0, "")
    flat = " ".join(answer.out.split())
    assert f"The results are provisional: {POINT}." in flat
    assert "Budget plan (provisional), spend per period" in flat
    assert f"KPI units per period; {POINT}." in flat
    for word in ("interval ", "probability ", "nan", "posterior_summary"):
        assert word not in flat.partition("Verdict")[2], word
    assert "\n  30_post_run/optimisation_best.csv\n" in answer.out
    assert " For intervals and probabilities set fit.method: mcmc Next: dsam report " in flat
    assert all(len(line) <= 80 for line in answer.out.splitlines() if str(market.folder) not in line)

    target = market.folder.with_name("json")
    document = dsam("run", "--config", market.config, "--run-dir", target, "--json").document
    verdict = document["verdict"]
    assert (verdict["converged"], verdict["estimate"], verdict["reliability"]) == (None, "point", "provisional")
    assert verdict["reasons"] == [f"{POINT.capitalize().replace('map', 'MAP')}: nothing says how sure its numbers are."]
    summary = document["plan"]["summary"]
    assert (summary["estimate"], summary["level"]) == ("point", "model")
    for name in ("delta_kpi_lower", "delta_kpi_upper", "probability_beats_reference", "probability_beats_split"):
        assert summary[name] is None
    assert all(row["response_optimised_lower"] is None for row in document["plan"]["channels"])


def test_an_optimiser_that_did_not_converge_is_told_with_advice(market: Market, dsam: Dsam, fake_stan: UseStan) -> None:
    fake_stan(converges=False)
    market.edit("fit:\n", "fit:\n  method: optimise\n  optimise: {n_runs: 2}\n")
    answer = dsam("run", "--config", market.config)
    assert answer.status == 0
    flat = " ".join(answer.out.split())
    assert "Verdict: FAIL" in flat
    assert f"The results are provisional because optimiser_converged fails. P{POINT[1:]}." in flat
    assert "✗ optimiser_converged: The best start did not converge" in flat
    assert "increase fit.optimise.iter" in flat


@pytest.mark.parametrize(("status", "code"), [("complete", 0), ("halted", 3)])
def test_a_quiet_run_prints_the_run_folder_and_what_halted_it(
    status: str, code: int, dsam: Dsam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def run(config: Path, **named: Any) -> SimpleNamespace:
        asked.update(named)
        return SimpleNamespace(path=tmp_path / "run", status=status, halted_by="A gate.\n  got:     0")

    monkeypatch.setattr("dsam_assets.running.run_from_yaml", run)
    message = "dsam: A gate.\n  got:     0\n" if code else ""
    assert dsam("run", "--config", "uk.yaml", "-q") == Answer(code, f"{tmp_path / 'run'}\n", message)
    assert asked == {"run_dir": None, "force": False, "progress": False}


def test_a_run_that_does_not_converge_is_provisional_under_warn(market: Market, dsam: Dsam, fake_stan: UseStan) -> None:
    fake_stan(stuck=True)
    answer = dsam("run", "--config", market.config)
    assert answer.status == 0
    flat = " ".join(answer.out.split())
    assert "Verdict: FAIL" in flat
    assert "The results are provisional because sampler_rhat_max fails and sampler_ess_bulk_min warns" in flat
    assert "✗ sampler_rhat_max: Largest R-hat is inf" in flat
    assert "Budget plan (provisional)" in flat
    assert all(len(line) <= 80 for line in answer.out.splitlines() if str(market.folder) not in line)


def test_a_strict_gate_halts_with_status_3_and_keeps_the_evidence(
    market: Market, dsam: Dsam, fake_stan: UseStan
) -> None:
    fake_stan(stuck=True)
    market.edit("gating: warn", "gating: strict")
    answer = dsam("run", "--config", market.config)
    assert (answer.status, answer.err) == (3, "")
    (folder,) = run_folders(market)
    flat = " ".join(answer.out.split())
    assert "The results are blocked because sampler_rhat_max fails" in flat
    assert "A quality gate halts this run: the posterior has not been shown to converge" in flat
    assert "No budget plan is given." in flat
    assert "budget_allocation.csv" not in flat
    assert "40_diagnostics/diagnostics_summary.txt" in flat
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"diagnostics_report.csv", "convergence_report.json", "posterior_summary.csv"} <= names
    assert not [name for name in names if name.startswith("budget")]
    assert json.loads((folder / "run_manifest.json").read_text())["status"] == "halted"

    halted = dsam("run", "--config", market.config, "--run-dir", folder.with_name("json"), "--json")
    assert (halted.status, halted.document["status"], halted.document["plan"]) == (3, "halted", None)
    assert halted.document["verdict"]["reliability"] == "blocked"
    assert halted.err == f"dsam: {halted.document['halted_by']}\n"
    assert halted.err.startswith("dsam: A quality gate halts this run")


def test_an_interrupted_run_ends_with_130(
    market: Market, dsam: Dsam, fake_stan: UseStan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeStan, "sample", interrupt)
    answer = dsam("run", "--config", market.config)
    assert answer.status == 130
    assert answer.err == "\ndsam: interrupted; the next run reuses the steps that were finished\n"
    assert run_folders(market) == []


def test_an_unexpected_error_in_a_step_is_one_message(
    market: Market, dsam: Dsam, fake_stan: UseStan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("the cable is out")

    monkeypatch.setattr(FakeStan, "sample", break_down)
    monkeypatch.setenv("DSAM_TRACEBACK", "1")
    answer = dsam("run", "--config", market.config)
    assert (answer.status, run_folders(market)) == (2, [])
    trace, _, message = answer.err.partition("dsam: ")
    assert message.startswith("The step posterior failed unexpectedly.\n")
    assert "RuntimeError: the cable is out" in message
    assert "break_down" in trace
    assert "break_down" not in message


# sync, stan, and what goes wrong anywhere


def test_sync_follows_the_folder_of_configs(market: Market, dsam: Dsam, dagster_home: Path) -> None:
    configs = ("sync", "--configs", market.folder)
    (market.folder / "de.yaml").write_text("not looked at")
    answer = dsam(*configs)
    assert (answer.status, answer.out) == (0, "added de\nadded uk\n2 added, 0 removed\n")
    (market.folder / "de.yaml").unlink()
    (market.folder / "Not A Market.yaml").write_text("")
    answer = dsam(*configs)
    assert answer.status == 2
    assert "removed de\n" in answer.out
    assert "Not A Market" in answer.out
    assert answer.out.endswith("0 added, 1 removed, 1 refused\n")
    assert dsam(*configs, "--json").document["status"] == "failed"
    (market.folder / "Not A Market.yaml").unlink()
    assert dsam(*configs) == Answer(0, "0 added, 0 removed\n", "")
    assert dsam(*configs, "-q") == Answer(0, "", "")
    assert dsam(*configs, "--json").document == {"status": "done", "added": [], "removed": [], "refused": []}
    with dg.DagsterInstance.from_config(str(market.folder / ".dsam" / "dagster")) as instance:
        assert list(instance.get_dynamic_partitions("market")) == ["uk"]


def test_sync_needs_a_folder(dsam: Dsam, tmp_path: Path) -> None:
    assert_one_message(dsam("sync", "--configs", tmp_path / "no"), "does not exist", str(tmp_path / "no"), "Create it")
    assert list(tmp_path.iterdir()) == []


def test_stan_prints_version_and_origin(dsam: Dsam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.toolchain.home.find_home", lambda **_: HOME)
    assert dsam("stan") == Answer(0, "Stan 9.9.9, a test: /opt/stan\n", "")
    compiled: list[Any] = []

    def compile_all(progress: Callable[[str], None], **named: Any) -> list[Path]:
        compiled.append(named["home"])
        return [Path("/cache/linear")]

    monkeypatch.setattr("resources.toolchain.executables.compile_all", compile_all)
    assert dsam("stan", "--compile").out.endswith("ready: /cache/linear\n")
    assert compiled == [HOME]
    assert dsam("stan", "-q") == Answer(0, "/opt/stan\n", "")
    document = dsam("stan", "--compile", "--json").document
    assert (document["version"], document["path"], document["programs"]) == ("9.9.9", "/opt/stan", ["/cache/linear"])


def test_a_missing_toolchain_is_one_message(dsam: Dsam, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_home(**_: object) -> NoReturn:
        raise ToolchainError("There is no C++ compiler.", fix="apt-get install g++")

    monkeypatch.setattr("resources.toolchain.home.find_home", find_home)
    assert_one_message(dsam("stan"), "There is no C++ compiler.", "apt-get install g++")


def test_an_unexpected_exception_is_one_message_with_type_and_text(
    market: Market, dsam: Dsam, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(*_: object, **__: object) -> Mapping[str, str]:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("dsam_assets.cli.validating.preflight", surprise)
    answer = dsam("validate", "--config", market.config)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("dsam: An unexpected error stopped the command")
    assert "ZeroDivisionError: by nothing" in answer.err
    assert "DSAM_TRACEBACK=1" in answer.err
    assert "Traceback" not in answer.err
    monkeypatch.setenv("DSAM_TRACEBACK", "0")
    assert "Traceback" not in dsam("validate", "--config", market.config).err
    monkeypatch.setenv("DSAM_TRACEBACK", "1")
    answer = dsam("validate", "--config", market.config)
    assert "Traceback" in answer.err
    assert "in surprise" in answer.err
    assert answer.status == 2
