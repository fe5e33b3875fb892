"""The committed panel: reproducible, true to its stated parameters, biased without the markets' means."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from demo_files import CONFIGS, DATA, design, formula_terms, read_config, read_truth, with_holidays
from scipy.optimize import minimize

from dsam_assets.demo import panel

ROOT = CONFIGS.parent
MEDIA = ["m_tv", "m_search", "m_social"]
VARYING = ["(Intercept)", *MEDIA]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(DATA / "panel_demo.csv")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return read_truth("panel_demo")


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with holidays, the intercept and the markets' means."""
    means = frame.groupby("market")[MEDIA].transform("mean").add_prefix("cre_mean_")
    return with_holidays(frame).join(means).assign(**{"(Intercept)": 1.0})


def generalised(frame: pd.DataFrame, truth: dict[str, Any], terms: list[str]) -> tuple[pd.Series, pd.Series]:
    """Generalised least squares of log(kpi_value) with the true covariance V = σ² I + Z T Z': estimates and errors."""
    data, sd = complete(frame), np.array(list(truth["group_sd"].values()))
    centers = np.array([0.0, *(data[term].mean() for term in MEDIA)])
    left, right, variance = np.zeros((len(terms), len(terms))), np.zeros(len(terms)), truth["noise_sd"] ** 2
    for _, rows in data.groupby("market"):
        Z, X = (rows[VARYING].to_numpy() - centers) * sd, rows[terms].to_numpy(dtype=float)
        weighted = (X - Z @ np.linalg.solve(variance * np.eye(len(sd)) + Z.T @ Z, Z.T @ X)) / variance  # V⁻¹ X
        left, right = left + X.T @ weighted, right + weighted.T @ np.log(rows["kpi_value"].to_numpy())
    cover = np.linalg.inv(left)
    return pd.Series(cover @ right, terms), pd.Series(np.sqrt(np.diag(cover)), terms)


# --- reproducible


def test_committed_files_are_what_the_module_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "dsam_assets.demo", "--out", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in DATA.iterdir()}
    assert {"panel_demo.csv", "pooled_demo.map.csv", "holidays_demo.csv"} <= set(written)
    assert not any(b"\r" in text or b",-0.000000," in text for text in written.values())


def test_frame_equals_the_file_it_writes(tmp_path: Path) -> None:
    made = panel.generate(seed=7)
    csv, _ = panel.write(tmp_path, made)
    pd.testing.assert_frame_equal(pd.read_csv(csv), made.frame, check_dtype=False, check_exact=True)


def test_the_seed_is_used() -> None:
    a, b = panel.generate(seed=1), panel.generate(seed=2)
    for column in ("kpi_value", "spend_search", "price_index", "brand_metric"):
        assert (a.frame[column] != b.frame[column]).mean() > 0.9
    assert a.truth["market_coefficients"] != b.truth["market_coefficients"]


# --- true to its parameters


def test_residuals_at_the_truth_are_the_stated_noise(frame: pd.DataFrame, truth: dict[str, Any]) -> None:
    """With the markets' own coefficients put in place of the population's, only noise is left."""
    data = complete(frame)
    X, beta = design(data, truth["coefficients"])
    own = pd.DataFrame(truth["market_coefficients"]).T.loc[data["market"], VARYING].to_numpy()
    population = np.array([truth["coefficients"][term] for term in VARYING])
    mean = X @ beta + ((own - population) * data[VARYING].to_numpy()).sum(axis=1)
    z = (np.log(data["kpi_value"]) - mean) / truth["noise_sd"]
    n = len(z)
    assert abs(z.mean()) < 3 / np.sqrt(n)
    assert abs(z.std() - 1) < 3 / np.sqrt(2 * n)
    assert np.abs(z).max() < 4
    by_market = z.groupby(data["market"])
    assert (by_market.mean() * np.sqrt(by_market.size())).abs().max() < 3.5


@pytest.mark.parametrize("search_sd", [panel.SEARCH_SD, panel.ALWAYS_ON])
def test_estimates_with_the_means_are_calibrated_and_without_them_are_not(search_sd: float) -> None:
    """Over 40 panels, with the covariance known: z scores are standard normal with CRE means; without, m_search is off.

    With an always-on search, over 200 other panels, their sd is 1.009, the mean z of m_search −0.02 with the means and
    2.3 without; with one that varies the bias is less than half of that. The committed seed was chosen among those
    where the bias of an always-on search shows clearly; here it is the generator that is tested.
    """
    with_means, without = [], []
    for seed in range(40):
        made = panel.generate(seed, search_sd)
        beta = pd.Series(made.truth["coefficients"])
        for terms, found in ((list(beta.index), with_means), ([t for t in beta.index if "cre_" not in t], without)):
            estimate, error = generalised(made.frame, dict(made.truth), terms)
            found.append((estimate - beta[terms]) / error)
    z = pd.DataFrame(with_means)
    assert z.mean().abs().max() < 4 / np.sqrt(len(z))
    assert z.to_numpy().std() == pytest.approx(1, abs=0.1)
    biased = pd.DataFrame(without).mean()
    assert (biased["m_search"] > 1.5) == (search_sd == panel.ALWAYS_ON)
    assert biased[["m_tv", "m_social"]].abs().max() < 4 / np.sqrt(len(z))


def test_deviations_have_the_stated_sds() -> None:
    """Slopes: market minus population, over 60 panels of 8 markets; sd of an sd from 480 normals is 3.2 %."""
    deviations = pd.concat(
        pd.DataFrame(made.truth["market_coefficients"]).T[MEDIA] - pd.Series(made.truth["coefficients"])[MEDIA]
        for made in map(panel.generate, range(60))
    )
    for term in MEDIA:
        assert deviations[term].std() == pytest.approx(panel.GROUP_SD[term], rel=0.12)
    assert deviations.corr().to_numpy()[np.triu_indices(3, 1)] == pytest.approx(np.zeros(3), abs=0.15)


def test_media_columns_are_the_stated_response_of_spend(frame: pd.DataFrame, truth: dict[str, Any]) -> None:
    for term, spec in truth["responses"].items():
        expected = np.log((spec["scale"] + frame[spec["spend_col"]]) / spec["scale"])
        np.testing.assert_allclose(frame[term], expected, atol=0.51e-6)


# --- fit to be modelled


def test_markets_end_together_and_begin_when_they_like(frame: pd.DataFrame, truth: dict[str, Any]) -> None:
    days = frame["date"].map(date.fromisoformat)
    assert {day.weekday() for day in days} == {0}
    spans = days.groupby(frame["market"], sort=False)
    assert spans.size().to_dict() == truth["weeks"]
    assert spans.max().nunique() == 1
    assert len(set(truth["weeks"].values())) >= 5
    assert min(truth["weeks"].values()) <= 30
    assert max(truth["weeks"].values()) == 156
    assert set(pd.to_datetime(frame["date"]).groupby(frame["market"]).diff().dropna().dt.days) == {7}


def test_markets_levels_go_with_their_media(frame: pd.DataFrame) -> None:
    by_market = frame.assign(level=np.log(frame["kpi_value"])).groupby("market")
    means, within = by_market[["level", *MEDIA]].mean(), by_market[MEDIA].std()
    assert means.corr()["level"][["m_tv", "m_search"]].min() > 0.5
    assert means["m_search"].std() > 3 * within["m_search"].mean()
    always_on = panel.generate(search_sd=panel.ALWAYS_ON).frame.groupby("market")["m_search"]
    assert always_on.mean().std() > 10 * always_on.std().mean()
    assert within["m_tv"].mean() > 2 * means["m_tv"].std()


def test_media_share_is_plausible(frame: pd.DataFrame, truth: dict[str, Any]) -> None:
    beta = truth["coefficients"]
    share = 1 - np.exp(-sum(beta[term] * frame[term].mean() for term in MEDIA))
    assert 0.2 < share < 0.5


# --- configs


@pytest.mark.parametrize(("name", "kind"), [("hierarchical_demo", "re"), ("cre_demo", "cre")])
def test_configs_name_the_true_model(name: str, kind: str, truth: dict[str, Any]) -> None:
    config = read_config(name)
    response, terms = formula_terms(config)
    generated = [term for term in truth["coefficients"] if term.startswith(("holiday_", "cre_mean_", "(Int"))]
    assert response == f"log({truth['response']})"
    assert terms == [term for term in truth["coefficients"] if term not in generated]
    assert config["model"]["type"] == kind
    assert "(1 + m_tv + m_search + m_social | market)" in config["model"]["formula"]
    assert (CONFIGS / config["data"]["path"]).samefile(DATA / "panel_demo.csv")
    assert config.get("cre", {}).get("vars", []) == ([] if kind == "re" else MEDIA)


@pytest.mark.parametrize("name", ["hierarchical_demo", "cre_demo"])
def test_configs_pose_the_budget_problem_of_the_truth(name: str, truth: dict[str, Any]) -> None:
    allocation, budget = read_config(name)["allocation"], truth["budget"]
    assert allocation["budget"]["total"] == budget["total"]
    assert allocation["objective"]["kpi_baseline"] == budget["kpi_baseline"]
    for channel in allocation["channels"]:
        assert [channel["bounds"]["min"], channel["bounds"]["max"]] == budget["bounds"][channel["term"]]
        assert {"spend_col": channel["spend_col"], **channel["response"]} == truth["responses"][channel["term"]]
    assert [channel["term"] for channel in allocation["channels"]] == MEDIA


def test_best_split_agrees_with_a_general_optimiser(frame: pd.DataFrame, truth: dict[str, Any]) -> None:
    budget, beta = truth["budget"], truth["coefficients"]
    scale = np.array([truth["responses"][term]["scale"] for term in MEDIA])

    def link(spend: np.ndarray) -> float:
        return float(np.array([beta[term] for term in MEDIA]) @ np.log(1 + spend / scale))

    reference = np.array([frame[truth["responses"][term]["spend_col"]].mean() for term in MEDIA])
    assert reference == pytest.approx([budget["reference_spend"][term] for term in MEDIA], abs=0.01)
    found = minimize(
        lambda share: -link(share * 100),
        reference / 100,
        method="SLSQP",
        bounds=[tuple(bound / 100 for bound in budget["bounds"][term]) for term in MEDIA],
        constraints={"type": "eq", "fun": lambda share: share.sum() - budget["total"] / 100},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    best = np.array([budget["best_spend"][term] for term in MEDIA])
    assert best.sum() == pytest.approx(budget["total"], abs=0.1)
    np.testing.assert_allclose(found.x * 100, best, rtol=2e-3)
    uplift = budget["kpi_baseline"] * np.expm1(link(best) - link(reference))
    assert budget["best_kpi_uplift"] == pytest.approx(uplift, abs=1.0)
