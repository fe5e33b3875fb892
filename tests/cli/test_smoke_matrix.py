"""The runner smoke tests of the documentation: validate one config of each kind, run one, and look for the files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_market import Answer

CONFIGS = Path(__file__).parents[2] / "configs"
METADATA = ("config.original.yaml", "config.resolved.yaml", "session_info.txt")
CORE = (
    "00_run_metadata/config.resolved.yaml",
    "20_model_fit/model.nc",
    "30_post_run/posterior_summary.csv",
    "30_post_run/fitted.csv",
    "30_post_run/observed.csv",
    "40_diagnostics/diagnostics_report.csv",
    "40_diagnostics/diagnostics_summary.txt",
)


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demos, so that their results and state stay out of the repository."""
    for name in ("DSAM_STORE", "DAGSTER_HOME", "DSAM_CONFIGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    copied = tmp_path / "project" / "configs"
    shutil.copytree(CONFIGS, copied, ignore=shutil.ignore_patterns(".dsam", "results"))
    return copied


@pytest.mark.parametrize(
    ("config", "kind"), [("blm_demo", "blm"), ("hierarchical_demo", "re"), ("pooled_demo", "pooled")]
)
def test_validate_writes_the_metadata_and_nothing_else(
    config: str, kind: str, configs: Path, dsam: Callable[..., Answer]
) -> None:
    before = set(configs.rglob("*"))
    run = configs.parent / "smoke_validate"
    answer = dsam("validate", "--config", configs / f"{config}.yaml", "--run-dir", run)
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == f"{configs / config}.yaml is valid"
    assert lines[1].startswith(f"  model    {kind}, ")
    assert "Status: ok" in lines
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert files == {f"00_run_metadata/{name}" for name in METADATA}
    assert set(configs.rglob("*")) == before


@pytest.mark.stan
def test_run_completes_and_writes_the_core_artefacts(configs: Path, dsam: Callable[..., Answer]) -> None:
    run = configs.parent / "smoke_run_blm"
    answer = dsam("run", "--config", configs / "blm_demo.yaml", "--run-dir", run)
    assert (answer.status, answer.err) == (0, "")
    assert "\nRun complete\n" in answer.out
    assert f"Run folder: {run} (" in answer.out
    assert [name for name in CORE if not (run / name).is_file()] == []
    assert dsam("report", run, "--json").document["run_status"] == "complete"
