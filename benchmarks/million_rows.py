"""One market of a million rows through the whole graph: seconds per step, peak memory, and what share Stan has.

    python benchmarks/million_rows.py [--rows N] [--keep]

The budget is 60 s and 2 GiB (resident memory of the run's process and its children together). The script ends with
status 1 when either is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

BUDGET_SECONDS = 60.0
BUDGET_MIB = 2048.0
PREDICTORS = 12
SAMPLE_EVERY = 0.05
SCALE = 1_000
CHANNELS = ("m_tv", "m_search", "m_social", "m_display")

CONFIG = """
schema_version: 1
data: {{path: million.csv, date_var: date, na_action: error}}
model:
  name: million
  formula: "kpi ~ {terms}"
boundaries:
  overrides: [{bounds}]
fit: {{mcmc: {{chains: 4, iter: 2000, warmup: 1000, cores: 2, seed: 1}}}}
allocation:
  enabled: true
  budget: {{total: 4000}}
  channels: [{channels}]
"""

# Run in a process of its own, so that its memory can be measured from outside.
CHILD = """
import json, sys, time
started = time.perf_counter()
from dsam_assets.running import run_from_yaml
result = run_from_yaml(sys.argv[1], run_dir=sys.argv[2])
json.dump({"status": result.status, "seconds": time.perf_counter() - started}, sys.stdout)
"""


@dataclass(frozen=True)
class Measured:
    """A finished run: wall seconds, largest joint resident memory, and of the largest single process."""

    seconds: float
    tree_mib: float
    largest_mib: float


def write_market(folder: Path, rows: int) -> Path:
    """A CSV of `rows` rows × 12 predictors with known coefficients, and its config."""
    rng = np.random.default_rng(1)
    minutes = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(rows), unit="min")
    frame = pd.DataFrame({"date": minutes.strftime("%Y-%m-%dT%H:%M")})
    for name in CHANNELS:
        frame[f"spend_{name}"] = np.round(rng.gamma(2.0, 500.0, size=rows), 2)
        frame[name] = np.round(np.log1p(frame[f"spend_{name}"] / SCALE), 6)
    for position in range(PREDICTORS - len(CHANNELS)):
        frame[f"control_{position}"] = np.round(rng.normal(size=rows), 6)
    terms = [name for name in frame.columns if name.startswith(("m_", "control_"))]
    frame["kpi"] = np.round(
        100 + frame[terms].to_numpy() @ np.linspace(5, -3, len(terms)) + 10 * rng.normal(size=rows), 3
    )
    frame.to_csv(folder / "million.csv", index=False)
    config = folder / "million.yaml"
    config.write_text(config_text(terms))
    return config


def config_text(terms: list[str]) -> str:
    response = f"{{type: log1p, scale: {SCALE}}}"
    channels = (
        f"{{term: {name}, spend_col: spend_{name}, bounds: {{min: 300, max: 3000}}, response: {response}}}"
        for name in CHANNELS
    )
    return CONFIG.format(
        terms=" + ".join(terms),
        bounds=", ".join(f"{{parameter: {name}, lower: 0}}" for name in CHANNELS),
        channels=", ".join(channels),
    )


def measure(config: Path, run_dir: Path) -> Measured:
    """Run the config in a subprocess while a thread watches the memory of its process tree."""
    environment = {key: value for key, value in os.environ.items() if key not in ("DSAM_STORE", "DAGSTER_HOME")}
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(config), str(run_dir)], env=environment)
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(child.pid, peak), daemon=True)
    watcher.start()
    status = child.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    print()
    if status != 0:
        raise SystemExit(f"the run failed with status {status}")
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return Measured(seconds, peak[0], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit)


def _watch(pid: int, peak: list[float]) -> None:
    try:
        root = psutil.Process(pid)
        while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
            peak[0] = max(peak[0], sum(map(_resident, [root, *root.children(recursive=True)])))
            time.sleep(SAMPLE_EVERY)
    except psutil.NoSuchProcess:
        return


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1024**2
    except psutil.NoSuchProcess:
        return 0.0


def step_table(folder: Path) -> pd.DataFrame:
    """Seconds and bytes of every stored asset, slowest first."""
    rows = []
    for path in sorted((folder / ".dsam/store/million/.records").glob("*.json")):
        record = json.loads(path.read_bytes())
        size = sum(
            file.stat().st_size for name in record["files"] for file in (folder / ".dsam/store/million").rglob(name)
        )
        shown = record["metadata"]["shown"]
        rows.append((record["asset"], shown["seconds"], size / 1024**2, shown["peak_memory_mib"]))
    table = pd.DataFrame(rows, columns=["asset", "seconds", "written_mib", "peak_memory_mib"])
    return table.sort_values("seconds", ascending=False, ignore_index=True)


def report(measured: Measured, steps: pd.DataFrame) -> None:
    print(steps.to_string(index=False, float_format="{:.2f}".format))
    wall, in_steps = measured.seconds, float(steps["seconds"].sum())
    sampling = float(steps.loc[steps["asset"] == "posterior", "seconds"].iloc[0])
    print(f"\nwall {wall:.1f} s of {BUDGET_SECONDS:.0f} s: {wall / BUDGET_SECONDS:.2f} of the budget")
    print(f"computing and encoding {in_steps:.1f} s: {in_steps / wall:.0%} of the wall time")
    print(f"posterior {sampling:.1f} s: {sampling / wall:.0%} of the wall time")
    print(f"imports, checks before the run, reading and writing the store, run folder {wall - in_steps:.1f} s")
    share = measured.tree_mib / BUDGET_MIB
    print(f"peak memory {measured.tree_mib:.0f} MiB of {BUDGET_MIB:.0f} MiB: {share:.2f} of the budget")
    print(f"largest single process {measured.largest_mib:.0f} MiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help="keep the folder and print where it is")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(delete=not arguments.keep) as name:
        folder = Path(name)
        config = write_market(folder, arguments.rows)
        size = (folder / "million.csv").stat().st_size / 1024**2
        print(f"{arguments.rows:,} rows, {PREDICTORS} predictors, {size:.0f} MiB of CSV", flush=True)
        measured = measure(config, folder / "run")
        report(measured, step_table(folder))
        if arguments.keep:
            print(folder)
    return int(measured.seconds > BUDGET_SECONDS or measured.tree_mib > BUDGET_MIB)


if __name__ == "__main__":
    sys.exit(main())
