"""The driver, as cmdstanpy sees it: command line, CSV files, optimisation, and dying with its parent."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from resources.toolchain import executables, home
from resources.toolchain.cache import cache_folder

pytestmark = pytest.mark.stan

K = 3
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def found() -> home.StanHome:
    return home.find_home()


@pytest.fixture(scope="module")
def linear(found: home.StanHome) -> Path:
    return executables.executable("plain_linear", found, folder=PROGRAMS)


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Ten rows, no bounds."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(10, K))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=10)
    Q, R = np.linalg.qr(X)
    z = Q.T @ y
    return {
        "N": 10, "K": K, "R": R, "z": z, "rss": float(y @ y - z @ z),
        "prior_mean": np.array([0.5, 0.0, -1.0]), "prior_sd": np.array([0.3, 1.0, 2.0]),
        "lower_bound": np.full(K, -np.inf), "upper_bound": np.full(K, np.inf),
        "noise_family": 0, "noise_location": 2.0, "noise_spread": 1.0, "noise_lower": 0.0, "noise_upper": np.inf,
        "noise_noncentered": 0, "prior_only": 0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def model(linear: Path, found: home.StanHome) -> Iterator[Any]:
    import cmdstanpy

    before = os.environ.get("CMDSTAN")
    cmdstanpy.set_cmdstan_path(str(found.path))
    cmdstanpy.utils.get_logger().setLevel(logging.ERROR)
    yield cmdstanpy.CmdStanModel(exe_file=linear)
    if before is None:
        del os.environ["CMDSTAN"]


def run(linear: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([linear, *arguments], capture_output=True, text=True, check=False)


def ridge(data: dict[str, Any], sigma: float) -> np.ndarray:
    """Mode of the coefficients for a given noise sd."""
    precision = np.diag(data["prior_sd"] ** -2.0)
    R = data["R"] / sigma
    return np.linalg.solve(R.T @ R + precision, R.T @ data["z"] / sigma + precision @ data["prior_mean"])


def test_info(model: Any, found: home.StanHome) -> None:
    info = model.exe_info()
    version = ".".join(info[f"stan_version_{part}"] for part in ("major", "minor", "patch"))
    assert version == found.version
    assert info["STAN_THREADS"] == "false"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("sample nonsense=1", "unknown argument 'nonsense=1' after 'sample'"),
        ("nonsense", "unknown argument 'nonsense'"),
        ("method=pathfinder", "wanted optimize or sample"),
        ("method=laplace", "wanted optimize or sample"),
        ("sample num_chains=2", "'num_chains=2' is refused"),
        ("sample thin=0", "a whole number from 1"),
        ("sample num_samples=1.5", "a whole number from 0"),
        ("sample save_warmup=2", "wanted 0 or 1"),
        ("sample adapt delta=1", "a number between 0 and 1"),
        ("sample metric=unit_e", "wanted dense_e or diag_e"),
        ("sample algorithm=fixed_param adapt delta=0.9", "unknown argument 'adapt'"),
        ("optimize num_samples=5", "unknown argument 'num_samples=5'"),
        ("optimize algorithm=newton", "wanted bfgs or lbfgs"),
        ("optimize algorithm=bfgs history_size=5", "unknown argument 'history_size=5'"),
        ("seed=1", "unknown argument 'seed=1'"),
        ("random seed=-1", "a whole number from 0"),
        ("random seed=1x", "a whole number from 0"),
        ("init=-1", "a file or a radius"),
        ("data file=/nowhere.json", "cannot read file '/nowhere.json'"),
        ("output profile_file=p.csv", "unknown argument 'profile_file=p.csv'"),
    ],
)
def test_wrong_command_line_is_refused(linear: Path, arguments: str, complaint: str) -> None:
    done = run(linear, *arguments.split())
    assert done.returncode == 64
    assert done.stderr.startswith("Error: ")
    assert complaint in done.stderr


def test_disk_full_is_an_error(linear: Path, data: dict[str, Any], tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    write_json(tmp_path / "data.json", data)
    done = run(linear, "data", f"file={tmp_path}/data.json", "output", "file=/dev/full", "sample", "num_samples=1")
    assert done.returncode != 0
    assert "is the disk full?" in done.stderr


def test_refused_data_are_an_error(linear: Path, data: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", {**data, "upper_bound": data["lower_bound"] - 1, "lower_bound": np.zeros(K)})
    done = run(linear, "data", f"file={tmp_path}/data.json", "output", f"file={tmp_path}/o.csv")
    assert done.returncode == 78
    assert "upper_bound" in done.stderr


def write_json(path: Path, data: dict[str, Any]) -> None:
    import cmdstanpy

    cmdstanpy.write_stan_json(str(path), data)


def test_settings_reach_the_sampler_and_are_echoed(model: Any, data: dict[str, Any], tmp_path: Path) -> None:
    fit = model.sample(
        data, chains=1, seed=5, iter_warmup=200, iter_sampling=300, thin=3, save_warmup=True, max_treedepth=4,
        metric="dense_e", step_size=0.5, adapt_delta=0.93, adapt_init_phase=20, adapt_metric_window=30,
        adapt_step_size=40, inits=0.1, sig_figs=17, refresh=50, show_progress=False, output_dir=tmp_path,
        save_diagnostics=True,
    )  # fmt: skip
    config = fit.metadata.cmdstan_config
    wanted = {
        "method": "sample", "num_samples": 300, "num_warmup": 200, "save_warmup": 1, "thin": 3, "engaged": 1,
        "delta": 0.93, "init_buffer": 20, "window": 30, "term_buffer": 40, "algorithm": "hmc", "engine": "nuts",
        "max_depth": 4, "metric": "dense_e", "stepsize": 0.5, "id": 1, "seed": 5, "init": 0.1, "refresh": 50,
        "sig_figs": 17, "gamma": 0.05, "kappa": 0.75, "t0": 10, "stepsize_jitter": 0, "num_chains": 1,
    }  # fmt: skip
    assert {name: config[name] for name in wanted} == wanted
    assert fit.draws(inc_warmup=True).shape == (167, 1, 7 + K + 2)
    assert fit.inv_metric.shape == (1, K + 1, K + 1)
    assert set(fit.time[0]) == {"warmup", "sampling", "total"}
    console = Path(fit.runset.stdout_files[0]).read_text()
    assert "Iteration: 250 / 500" in console
    diagnostics = Path(fit.runset.diagnostic_files[0]).read_text()
    assert "g_coef.1" in diagnostics


def test_defaults_are_cmdstans(linear: Path, data: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", data)
    done = run(linear, "data", f"file={tmp_path}/data.json", "output", f"file={tmp_path}/o.csv")
    assert done.returncode == 0
    head = (tmp_path / "o.csv").read_text().split("\nlp__")[0]
    for line in (
        "method = sample", "num_samples = 1000", "num_warmup = 1000", "thin = 1", "save_warmup = false",
        "engaged = true", "gamma = 0.05", "delta = 0.8", "kappa = 0.75", "t0 = 10", "init_buffer = 75",
        "term_buffer = 50", "window = 25", "max_depth = 10", "metric = diag_e", "stepsize = 1", "stepsize_jitter = 0",
        "id = 1", "init = 2", "refresh = 100", "sig_figs = 8",
    ):  # fmt: skip
        assert f"{line} (Default)\n" in head


def test_inits_and_metric_are_used(model: Any, data: dict[str, Any]) -> None:
    """Without adaptation and with a vanishing step, the chain stays where it starts."""
    start = {"coef": [3.0, 4.0, 5.0], "noise_centered": [1.0], "noise_raw": []}
    metric = {"inv_metric": np.array([1.0, 2.0, 3.0, 4.0])}
    fit = model.sample(
        data, chains=1, seed=5, inits=start, inv_metric=metric, adapt_engaged=False, iter_warmup=0, iter_sampling=5,
        step_size=1e-9, max_treedepth=1, sig_figs=17, show_progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(fit.stan_variable("coef"), np.tile([3.0, 4.0, 5.0], (5, 1)), atol=1e-4)
    assert fit.step_size[0] == 1e-9
    np.testing.assert_array_equal(fit.inv_metric[0], [1.0, 2.0, 3.0, 4.0])


def test_fixed_param(model: Any, data: dict[str, Any]) -> None:
    fit = model.sample(data, chains=2, seed=5, fixed_param=True, iter_sampling=7, show_progress=False)
    coef = fit.draws()[:, :, list(fit.column_names).index("coef[1]")]
    assert coef.shape == (7, 2)
    assert np.ptp(coef, axis=0).max() == 0
    assert coef[0, 0] != coef[0, 1], "chain ids give different starting points"


def test_optimum_is_the_ridge_solution(model: Any, data: dict[str, Any]) -> None:
    fit = model.optimize(
        data, seed=1, algorithm="lbfgs", tol_rel_grad=1.0, tol_rel_obj=1.0, tol_param=1e-12, history_size=8,
        init_alpha=0.01, iter=500, sig_figs=17, inits=0.5, show_console=False,
    )  # fmt: skip
    assert fit.converged
    sigma = fit.stan_variable("noise_sd")
    np.testing.assert_allclose(fit.stan_variable("coef"), ridge(data, sigma), atol=1e-6)
    # The derivative by sigma of the log posterior: likelihood, then the normal prior.
    misfit = np.sum((data["z"] - data["R"] @ fit.stan_variable("coef")) ** 2) + data["rss"]
    assert misfit / sigma**3 - data["N"] / sigma - (sigma - 2.0) == pytest.approx(0, abs=1e-5)
    config = fit.metadata.cmdstan_config
    assert (config["tol_param"], config["history_size"], config["iter"], config["init_alpha"]) == (1e-12, 8, 500, 0.01)


@pytest.mark.parametrize("algorithm", ["lbfgs", "bfgs"])
def test_both_algorithms_find_the_optimum(model: Any, data: dict[str, Any], algorithm: str) -> None:
    fit = model.optimize(data, seed=1, algorithm=algorithm, tol_rel_grad=1.0, tol_param=1e-11, sig_figs=17)
    np.testing.assert_allclose(fit.stan_variable("coef"), ridge(data, fit.stan_variable("noise_sd")), atol=1e-6)
    config = fit.metadata.cmdstan_config
    assert (config["algorithm"], config["tol_param"], config["tol_rel_grad"]) == (algorithm, 1e-11, 1)


def test_jacobian_moves_the_optimum(model: Any, data: dict[str, Any]) -> None:
    """Prior normal(2, 1) on x > 0: the mode is 2; with log x added, it solves x (x - 2) = 1."""
    prior = {
        **data, "prior_only": 1, "prior_mean": np.full(K, 2.0), "prior_sd": np.ones(K), "lower_bound": np.zeros(K)
    }  # fmt: skip
    for jacobian, mode in ((False, 2.0), (True, 1 + np.sqrt(2))):
        fit = model.optimize(prior, seed=1, jacobian=jacobian, algorithm="lbfgs", sig_figs=17, tol_rel_grad=1.0)
        np.testing.assert_allclose([*fit.stan_variable("coef"), fit.stan_variable("noise_sd")], mode, rtol=1e-4)


def test_saved_iterations_end_at_the_optimum(model: Any, data: dict[str, Any]) -> None:
    fit = model.optimize(data, seed=1, save_iterations=True, sig_figs=17)
    path = fit.optimized_iterations_np
    assert len(path) > 3
    np.testing.assert_array_equal(path[-1], fit.optimized_params_np)


ORPHAN = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_chain_dies_with_its_parent(linear: Path, data: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", data)
    command = [
        str(linear), "data", f"file={tmp_path}/data.json", "output", "file=/dev/null",
        "sample", "num_samples=2000000000",
    ]  # fmt: skip
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN, *command], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.8)
        assert child.status() != psutil.STATUS_ZOMBIE, "the chain runs as long as its parent lives"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and is_running(child):
        time.sleep(0.05)
    survived = is_running(child)
    if survived:
        child.kill()
    assert not survived


def is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


COMPILE = """
import sys
from pathlib import Path
from resources.toolchain.executables import executable
print(executable("toy", progress=print, folder=Path(sys.argv[1])))
"""


@pytest.mark.slow
def test_two_processes_compile_once(found: home.StanHome, linear: Path, tmp_path: Path) -> None:
    """Also that a program of one's own, without data, compiles and runs."""
    (tmp_path / "toy.stan").write_text("parameters { real x; }\nmodel { x ~ std_normal(); }\n")
    (tmp_path / "cache").mkdir()
    if found.origin == "assembled":  # the driver need not be compiled again
        (tmp_path / "cache" / "homes").symlink_to(cache_folder() / "homes")
    command = [sys.executable, "-c", COMPILE, str(tmp_path)]
    environ = {**os.environ, "DSAM_CACHE": str(tmp_path / "cache")}
    both = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted((process.communicate()[0].splitlines() for process in both), key=len)
    assert all(process.returncode == 0 for process in both)
    assert said[0][-1] == said[1][-1]
    assert said[0][0] == "waiting for another process that is compiling toy.stan…"
    assert said[1][0].startswith("compiling toy.stan")
    assert len(said[0]) == 2, "the one that waited compiles nothing"
    place = Path(said[0][-1])
    assert [path.name for path in place.parent.iterdir()] == ["toy"]
    done = run(place, "random", "seed=1", "output", f"file={tmp_path}/o.csv", "sample", "num_samples=10")
    assert done.returncode == 0


@pytest.mark.slow
def test_cmdstanpy_compiles_through_the_home(model: Any, tmp_path: Path) -> None:
    """The home's makefile serves cmdstanpy's own compilation; a program without parameters becomes fixed_param."""
    import cmdstanpy

    (tmp_path / "coin.stan").write_text("generated quantities { int<lower=0, upper=1> x = bernoulli_rng(0.5); }\n")
    coin = cmdstanpy.CmdStanModel(stan_file=tmp_path / "coin.stan")
    assert {path.name for path in tmp_path.iterdir()} == {"coin", "coin.stan"}
    fit = coin.sample(chains=1, seed=2, iter_sampling=400, show_progress=False)
    assert 0.4 < fit.stan_variable("x").mean() < 0.6


@pytest.mark.skipif("DSAM_REAL_CMDSTAN" not in os.environ, reason="DSAM_REAL_CMDSTAN does not name a real CmdStan")
def test_draws_are_those_of_real_cmdstan(linear: Path, data: dict[str, Any], tmp_path: Path) -> None:
    real_home = home.find_home({"CMDSTAN": os.environ["DSAM_REAL_CMDSTAN"]})
    assert real_home.origin == "environment"
    real = executables.executable("plain_linear", real_home, folder=PROGRAMS)
    write_json(tmp_path / "data.json", data)
    bodies = []
    for index, path in enumerate((linear, real)):
        output = tmp_path / f"{index}.csv"
        arguments = f"id=2 random seed=7 data file={tmp_path}/data.json output file={output} sig_figs=17"
        assert run(path, *arguments.split(), "method=sample", "num_samples=200").returncode == 0
        bodies.append([line for line in output.read_text().splitlines() if not line.startswith("#")])
    assert bodies[0] == bodies[1]


def test_all_programs_compile() -> None:
    assert [path.stem for path in executables.compile_all()] == list(executables.programs())


def test_json_infinities_are_read(linear: Path, data: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "data.json", data)
    text = (tmp_path / "data.json").read_text()
    assert json.loads(text)["upper_bound"] == [float("inf")] * K
    assert run(linear, "data", f"file={tmp_path}/data.json", "output", f"file={tmp_path}/o.csv").returncode == 0
