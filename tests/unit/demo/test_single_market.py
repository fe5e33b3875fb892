"""The committed demo data: reproducible, true to its stated parameters, and fit to be modelled."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from dateutil.easter import easter
from scipy.optimize import minimize

from dsam_assets.demo.holidays import black_friday, easter_sunday, holiday_counts
from dsam_assets.demo.single_market import COEFFICIENTS, RESPONSES, generate, response, write
from dsam_assets.errors import DataError

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "configs"
MEDIA = [f"m_{name}" for name in RESPONSES]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(CONFIGS / "data" / "blm_demo.csv")


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((CONFIGS / "data" / "blm_demo.true_parameters.json").read_text())


@pytest.fixture(scope="module")
def config() -> dict:
    return yaml.safe_load((CONFIGS / "blm_demo.yaml").read_text())


def design(frame: pd.DataFrame, truth: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X with an intercept, y and the true β, from the committed files alone."""
    beta = truth["coefficients"]
    X = np.column_stack([np.ones(len(frame)), *(frame[term] for term in list(beta)[1:])])
    return X, frame[truth["response"]].to_numpy(), np.array(list(beta.values()))


def standard_errors(X: np.ndarray, sd: float) -> np.ndarray:
    return sd * np.sqrt(np.diag(np.linalg.inv(X.T @ X)))


# --- reproducible


def test_committed_files_are_what_the_module_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "dsam_assets.demo", "--out", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    for name in ("blm_demo.csv", "blm_demo.true_parameters.json", "blm_demo.future.csv"):
        assert (tmp_path / name).read_bytes() == (CONFIGS / "data" / name).read_bytes()


def test_files_have_unix_line_ends_and_no_negative_zero() -> None:
    text = (CONFIGS / "data" / "blm_demo.csv").read_bytes()
    assert b"\r" not in text
    assert text.endswith(b"\n")
    assert b",-0.000000," not in text


def test_the_future_goes_on_where_the_data_end(frame: pd.DataFrame, truth: dict) -> None:
    """The same columns but the KPI, the next weeks, and media columns that are the response of their spend."""
    future = pd.read_csv(CONFIGS / "data" / "blm_demo.future.csv")
    assert list(future) == [name for name in frame if name != truth["response"]]
    dates = pd.to_datetime([*frame["date"], *future["date"]])
    assert set(np.diff(dates)) == {np.timedelta64(7, "D")}
    trend, whole = np.concatenate([frame["t_scaled"], future["t_scaled"]]), len(dates)
    np.testing.assert_allclose(np.diff(trend), 1 / (len(frame) - 1), atol=2e-6)
    np.testing.assert_allclose(future["sin52_1"], np.sin(2 * np.pi * np.arange(whole) / 52)[len(frame) :], atol=1e-6)
    for name, spec in RESPONSES.items():
        np.testing.assert_allclose(future[f"m_{name}"], response(spec, future[f"spend_{name}"].to_numpy()), atol=1e-6)


def test_frame_equals_the_file_it_writes(tmp_path: Path) -> None:
    market = generate(seed=7, weeks=110)
    csv, *_ = write(tmp_path, market)
    pd.testing.assert_frame_equal(pd.read_csv(csv), market.frame, check_dtype=False, check_exact=True)


def test_seed_and_weeks_are_used() -> None:
    a, b = generate(seed=1, weeks=104), generate(seed=2, weeks=104)
    assert len(a.frame) == 104
    assert (a.truth["seed"], a.truth["weeks"]) == (1, 104)
    for column in ("kpi_os_hfb01_value", "spend_search", "price_index", "distribution", "bm_brand_trust_12r"):
        assert (a.frame[column] != b.frame[column]).mean() > 0.9


def test_too_few_weeks_are_refused() -> None:
    with pytest.raises(DataError, match="too short"):
        generate(weeks=103)


# --- true to its parameters


def test_residuals_at_the_truth_are_the_stated_noise(frame: pd.DataFrame, truth: dict) -> None:
    X, y, beta = design(frame, truth)
    noise = y - X @ beta
    z = noise / truth["noise_sd"]
    n = len(z)
    assert abs(z.mean()) < 3 / np.sqrt(n)
    assert abs(z.std() - 1) < 3 / np.sqrt(2 * n)
    assert np.abs(z).max() < 4
    assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 3 / np.sqrt(n)


def test_least_squares_recovers_the_truth(frame: pd.DataFrame, truth: dict) -> None:
    X, y, beta = design(frame, truth)
    estimate, *_ = np.linalg.lstsq(X, y, rcond=None)
    residual = y - X @ estimate
    sd = np.sqrt(residual @ residual / (len(y) - X.shape[1]))
    assert np.abs((estimate - beta) / standard_errors(X, sd)).max() < 4
    assert sd == pytest.approx(truth["noise_sd"], rel=0.2)
    assert 0.9 < 1 - residual.var() / y.var() < 0.97


def test_least_squares_is_calibrated_over_seeds() -> None:
    """z scores over 40 other markets are standard normal: the truth holds for the generator, not for one lucky seed."""
    scores = []
    for seed in range(40):
        market = generate(seed=seed, weeks=156)
        X, y, beta = design(market.frame, dict(market.truth))
        estimate, *_ = np.linalg.lstsq(X, y, rcond=None)
        scores.append((estimate - beta) / standard_errors(X, 15_000.0))
    z = np.array(scores)
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(len(z))
    assert z.std() == pytest.approx(1, abs=0.06)


def test_media_columns_are_the_stated_response_of_spend(frame: pd.DataFrame, truth: dict) -> None:
    curves = {
        "hill": lambda s, r: 1 / (1 + (r["k"] / s.where(s > 0)) ** r["n"]),
        "atan": lambda s, r: np.arctan2(s, r["scale"]),
        "log1p": lambda s, r: np.log((r["scale"] + s) / r["scale"]),
    }
    assert {spec["type"] for spec in truth["responses"].values()} == set(curves)
    for term, spec in truth["responses"].items():
        expected = curves[spec["type"]](frame[spec["spend_col"]], spec).fillna(0.0)
        np.testing.assert_allclose(frame[term], expected, atol=0.51e-6)


def test_responses_are_concave(truth: dict) -> None:
    grid = np.linspace(0, 100_000, 2_001)
    for name, spec in RESPONSES.items():
        assert float(spec.get("n", 1)) <= 1
        assert (np.diff(response(spec, grid), 2) < 0).all(), name


# --- fit to be modelled


def test_media_effects_stand_off_zero(frame: pd.DataFrame, truth: dict) -> None:
    """So a bound at zero does not cut into the posterior, and intervals can be checked for coverage."""
    X, _, beta = design(frame, truth)
    ratio = dict(zip(truth["coefficients"], beta / standard_errors(X, truth["noise_sd"]), strict=True))
    assert min(ratio[term] for term in MEDIA) > 2
    assert sum(ratio[term] > 2.5 for term in MEDIA) >= 6


def test_predictors_are_not_collinear(frame: pd.DataFrame, truth: dict) -> None:
    X, _, _ = design(frame, truth)
    assert np.diag(np.linalg.inv(np.corrcoef(X[:, 1:].T))).max() < 5


def test_spend_looks_like_media_spend(frame: pd.DataFrame) -> None:
    spend = frame.filter(like="spend_")
    off_air = (spend == 0).mean()
    assert off_air[["spend_tv", "spend_ooh"]].between(0.3, 0.7).all()
    assert (off_air.drop(["spend_tv", "spend_ooh"]) == 0).all()
    correlation = spend.corr()
    assert correlation.loc["spend_social", "spend_display"] == pytest.approx(0.6, abs=0.1)
    assert correlation.loc["spend_tv", ["spend_social", "spend_display"]].min() > 0.2
    season = np.column_stack([frame["sin52_1"], frame["cos52_1"], np.ones(len(frame))])
    fitted = season @ np.linalg.lstsq(season, frame["m_search"], rcond=None)[0]
    assert 0.5 < np.corrcoef(fitted, frame["m_search"])[0, 1] < 0.8


def test_media_share_and_roi_are_plausible(frame: pd.DataFrame, truth: dict) -> None:
    beta = truth["coefficients"]
    contribution = sum(beta[term] * frame[term].mean() for term in MEDIA)
    assert 0.2 < contribution / frame["kpi_os_hfb01_value"].mean() < 0.3
    for name in RESPONSES:
        mean = frame[f"spend_{name}"].mean()
        roi = beta[f"m_{name}"] * float(response(RESPONSES[name], np.array(mean))) / mean
        assert 0.5 < roi < 6
        assert truth["budget"]["reference_roi"][f"m_{name}"] == pytest.approx(roi, abs=1e-3)


# --- holidays


def test_weeks_are_consecutive_mondays(frame: pd.DataFrame) -> None:
    days = [date.fromisoformat(text) for text in frame["date"]]
    assert days == [date(2022, 8, 1) + timedelta(weeks=week) for week in range(156)]
    assert {day.weekday() for day in days} == {0}


@pytest.mark.parametrize(
    ("column", "weeks"),
    [
        ("h_black_friday", {"2022-11-21": 1, "2023-11-20": 1, "2024-11-25": 1}),
        ("h_christmas", {"2022-12-19": 2, "2022-12-26": 1, "2023-12-18": 1, "2023-12-25": 2, "2024-12-23": 3}),
        ("h_new_year", {"2022-12-26": 1, "2024-01-01": 1, "2024-12-30": 1}),
        (
            "h_easter",
            {
                "2023-04-03": 2,
                "2023-04-10": 1,
                "2024-03-25": 2,
                "2024-04-01": 1,
                "2025-04-14": 2,
                "2025-04-21": 1,
            },
        ),
        (
            "h_summer_sale",
            {
                "2023-06-26": 2,
                "2023-07-03": 7,
                "2023-07-10": 5,
                "2024-07-01": 7,
                "2024-07-08": 7,
                "2025-06-30": 6,
                "2025-07-07": 7,
                "2025-07-14": 1,
            },
        ),
    ],
)
def test_holidays_fall_in_their_weeks(frame: pd.DataFrame, column: str, weeks: dict[str, int]) -> None:
    counts = frame.set_index("date")[column]
    assert counts[counts > 0].to_dict() == weeks


def test_easter_agrees_with_an_independent_calendar() -> None:
    years = range(1583, 4100)
    assert [easter_sunday(year) for year in years] == [easter(year) for year in years]


def test_black_friday_follows_the_fourth_thursday() -> None:
    # 2018 has five Thursdays from the 1st, 2019 has the latest possible date.
    assert [black_friday(year).isoformat() for year in (2018, 2019, 2024)] == ["2018-11-23", "2019-11-29", "2024-11-29"]


def test_a_week_across_the_year_end_counts_the_next_new_year() -> None:
    counts = holiday_counts([date(2024, 12, 30)])
    assert {name: values.tolist() for name, values in counts.items() if values.any()} == {"h_new_year": [1.0]}


# --- budget and config


def test_best_split_agrees_with_a_general_optimiser(truth: dict) -> None:
    budget = truth["budget"]
    terms = list(budget["best_spend"])
    bounds = [budget["bounds"][term] for term in terms]

    def kpi(spend: np.ndarray) -> float:
        return sum(
            COEFFICIENTS[term] * float(response(RESPONSES[term[2:]], money))
            for term, money in zip(terms, spend, strict=True)
        )

    reference = np.array([budget["reference_spend"][term] for term in terms])
    found = minimize(
        lambda share: -kpi(share * 1e4) / 1e4,
        reference / 1e4,
        method="SLSQP",
        bounds=[(low / 1e4, high / 1e4) for low, high in bounds],
        constraints={"type": "eq", "fun": lambda share: share.sum() - budget["total"] / 1e4},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    best = np.array(list(budget["best_spend"].values()))
    assert best.sum() == pytest.approx(budget["total"], abs=0.1)
    np.testing.assert_allclose(found.x * 1e4, best, rtol=2e-3)
    assert budget["best_kpi_uplift"] == pytest.approx(kpi(best) - kpi(reference), abs=0.1)
    for spend, (low, high) in zip(best, bounds, strict=True):
        assert low * 1.05 < spend < high * 0.95


def test_config_names_the_true_model(config: dict, truth: dict) -> None:
    left, right = config["model"]["formula"].split("~")
    assert left.strip() == truth["response"]
    assert [term.strip() for term in right.split("+")] == list(truth["coefficients"])[1:]
    bounded = {row["parameter"]: row for row in config["boundaries"]["overrides"]}
    assert bounded == {term: {"parameter": term, "lower": 0} for term in MEDIA}


def test_config_poses_the_budget_problem_of_the_truth(config: dict, truth: dict) -> None:
    allocation, budget = config["allocation"], truth["budget"]
    assert allocation["budget"]["total"] == budget["total"]
    channels = {channel["term"]: channel for channel in allocation["channels"]}
    assert list(channels) == MEDIA
    for term, channel in channels.items():
        assert [channel["bounds"]["min"], channel["bounds"]["max"]] == budget["bounds"][term]
        assert {"spend_col": channel["spend_col"], **channel["response"]} == truth["responses"][term]


def test_config_points_at_the_committed_data(config: dict, frame: pd.DataFrame) -> None:
    assert (CONFIGS / config["data"]["path"]).samefile(CONFIGS / "data" / "blm_demo.csv")
    assert config["data"]["date_var"] in frame
    assert set(config["data"]["dictionary"]) <= set(frame)
