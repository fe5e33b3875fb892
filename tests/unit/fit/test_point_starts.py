"""Several starts: their seeds and settings, failures, local modes, ties, and the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner
from panels import case

from dsam_assets.config.schema_model import FitSection
from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import FitError, ToolchainError
from dsam_assets.fit.point import START_RADIUS, PointSettings, fit_point, point_settings
from dsam_assets.fit.runner import OptimiseSettings, StanMode

FACTS = [
    "run", "seed", "converged", "message", "iterations", "log_posterior", "log_posterior_gap", "rmse", "is_best"
]  # fmt: skip


@pytest.fixture
def design(identity_matrix: ModelMatrix) -> LinearDesign:
    return build_linear_design(identity_matrix, scale=True)


@dataclass
class Scripted:
    """Ends at the exact mode, changed as the script says for that call; an error in the script is raised."""

    script: list[Mapping[str, Any] | Exception]
    seeds: list[int] = field(default_factory=list)

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        step = self.script[len(self.seeds)]
        self.seeds.append(settings.seed)
        if isinstance(step, Exception):
            raise step
        mode = FakeRunner().optimise(program, data, settings)
        moved = {**mode.parameters, "coef": mode.parameters["coef"] + step.get("off", 0.0)}
        return replace(mode, parameters=moved, **{name: value for name, value in step.items() if name != "off"})


def fit(design: LinearDesign, *script: Mapping[str, Any] | Exception, **options: Any) -> pd.DataFrame:
    runner: Any = Scripted(list(script))
    return fit_point(design, PointSettings(starts=len(script), seed=5, **options), runner).optimisation_runs


FAILED = FitError("Stan stopped.", got="Rejecting initial value:\n  log(0)")


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "seed"),
    [({}, 1), ({"seed": 5}, 5), ({"seed": 5, "optimise": {"seed": 9}}, 9), ({"seed": 5, "optimise": {"seed": 0}}, 0)],
)
def test_the_optimisers_own_seed_wins(section: dict[str, Any], seed: int) -> None:
    assert point_settings(FitSection.model_validate(section)).seed == seed


@pytest.mark.parametrize(("init", "radius"), [("random", START_RADIUS), (None, None), (0, 0.0), (0.5, 0.5)])
def test_init_is_a_radius_or_stans_own(init: Any, radius: float | None) -> None:
    assert point_settings(FitSection.model_validate({"optimise": {"init": init}})).init_radius == radius


def test_every_key_reaches_the_settings() -> None:
    keys = {"n_runs": 4, "iter": 70, "algorithm": "BFGS", "hessian": True, "as_vector": False}
    found = point_settings(FitSection.model_validate({"optimise": keys}))
    assert found == PointSettings(
        starts=4, seed=1, iterations=70, algorithm="bfgs", init_radius=START_RADIUS, hessian=True, as_vector=False
    )


def test_newton_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="must be lbfgs or bfgs: Stan's newton"):
        FitSection.model_validate({"optimise": {"algorithm": "Newton"}})
    with pytest.raises(ValueError, match="lbfgs"):
        FitSection.model_validate({"optimise": {"algorithm": "cg"}})


def test_starts_differ_in_their_seed_only(design: LinearDesign, fake_runner: FakeRunner) -> None:
    settings = PointSettings(starts=3, seed=2**32 - 2, iterations=9, algorithm="bfgs", init_radius=0.5)
    fit_point(design, settings, fake_runner)
    assert [call[2] for call in fake_runner.calls] == [
        OptimiseSettings(seed=seed, iterations=9, algorithm="bfgs", init_radius=0.5)
        for seed in (2**32 - 2, 2**32 - 1, 0)
    ]


# --- which start wins -----------------------------------------------------------------------------------------------


def test_a_failed_start_is_a_row_with_its_message(design: LinearDesign) -> None:
    runs = fit(design, FAILED, {}, FAILED)
    assert list(runs["run"]) == [1, 2, 3]
    assert list(runs["seed"]) == [5, 6, 7]
    assert list(runs["converged"]) == [False, True, False]
    assert list(runs["is_best"]) == [False, True, False]
    assert runs["message"][0] == "Stan stopped. Rejecting initial value: log(0)"
    assert runs.drop(columns=["run", "seed", "converged", "message", "is_best"]).loc[[0, 2]].isna().all(axis=None)
    assert runs.loc[1].notna().all()


def test_all_failed_is_an_error_with_the_messages(design: LinearDesign) -> None:
    with pytest.raises(FitError, match="No start of the optimisation") as caught:
        fit(design, FAILED, FitError("Another thing."), FAILED)
    assert str(caught.value.got).splitlines() == ["Stan stopped. Rejecting initial value: log(0)", "Another thing."]
    assert caught.value.where == "3 starts, seeds 5 to 7"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_end_that_is_not_finite_is_a_failed_start(design: LinearDesign, bad: float) -> None:
    runs = fit(design, {"off": bad}, {})
    assert list(runs["is_best"]) == [False, True]
    assert "not finite" in runs["message"][0]


def test_the_highest_log_posterior_wins_whatever_its_rmse(design: LinearDesign) -> None:
    """Three modes; the highest one fits the rows worst."""
    runs = fit(design, {"log_posterior": -20.0}, {"log_posterior": -10.0, "off": 0.3}, {"log_posterior": -15.0})
    assert list(runs["is_best"]) == [False, True, False]
    assert runs["rmse"][1] > runs["rmse"][0]


def test_of_equal_ends_the_first_wins(design: LinearDesign) -> None:
    ends = ({"log_posterior": value} for value in (-1000.0, -10.0, -10.0 + 5e-8, -10.0))
    assert list(fit(design, *ends)["is_best"]) == [False, True, False, False]


def test_ends_further_apart_than_a_tie_are_two(design: LinearDesign) -> None:
    ends = ({"log_posterior": value} for value in (-10.0, -10.0 + 2e-7))
    assert list(fit(design, *ends)["is_best"]) == [False, True]


def test_of_equal_ends_a_converged_one_wins(design: LinearDesign) -> None:
    stuck = {"converged": False, "reason": "Line search failed", "log_posterior": -10.0}
    runs = fit(design, stuck, {"log_posterior": -10.0}, {"log_posterior": -10.0})
    assert list(runs["is_best"]) == [False, True, False]
    assert list(runs["converged"]) == [False, True, True]
    assert runs["message"][0] == "Line search failed"


def test_a_higher_end_wins_even_unconverged_and_says_so(design: LinearDesign) -> None:
    limit = {"converged": False, "reason": "Maximum number of iterations hit", "log_posterior": -5.0}
    runner: Any = Scripted([{"log_posterior": -10.0}, limit])
    found = fit_point(design, PointSettings(starts=2, seed=5), runner)
    assert list(found.optimisation_runs["is_best"]) == [False, True]
    facts = found.draws.attributes
    assert (facts["converged"], facts["best_start"], facts["starts_converged"], facts["starts"]) == (0, 2, 1, 2)


def test_stan_is_not_believed_where_the_log_posterior_still_rises(design: LinearDesign) -> None:
    runs = fit(design, {"off": 0.2, "log_posterior": -20.0}, {"log_posterior": -10.0})
    assert list(runs["converged"]) == [False, True]
    assert "another step would raise the log posterior by" in runs["message"][0]
    assert runs["log_posterior_gap"][0] > 0.1
    assert runs["log_posterior_gap"][1] < 1e-8


def test_a_program_that_does_not_compile_gives_way_to_its_twin() -> None:
    asked = []

    class Runner:
        def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
            asked.append(program)
            if program == "hierarchical_adjoint":
                raise ToolchainError("No C++ for that.")
            point = {"coef": np.zeros(3), "noise_sd": np.array(0.3), "group_sd": np.ones(2)}
            return StanMode(point, -1.0, False, "stopped", 1, "0.0.0")

    runner: Any = Runner()
    fit_point(case("balanced"), PointSettings(starts=2, seed=1), runner)
    assert asked == ["hierarchical_adjoint", "hierarchical", "hierarchical"]


def test_no_toolchain_is_an_error_at_once(design: LinearDesign) -> None:
    runner: Any = Scripted([ToolchainError("No compiler."), {}])
    with pytest.raises(ToolchainError, match="No compiler"):
        fit_point(design, PointSettings(starts=2, seed=5), runner)


# --- tables ---------------------------------------------------------------------------------------------------------


def test_wide_and_long_tables_say_the_same(design: LinearDesign) -> None:
    script = ({"log_posterior": -10.0}, FAILED, {"off": 0.3, "log_posterior": -20.0})
    wide, long = fit(design, *script), fit(design, *script, as_vector=False)
    names = ["(Intercept)", "m_tv", "price", "noise_sd"]
    assert list(wide.columns) == [*FACTS, *(f"estimate_{name}" for name in names)]
    assert list(long.columns) == [*FACTS, "parameter", "estimate"]
    assert len(long) == 12
    turned = wide.melt(id_vars=FACTS, var_name="parameter", value_name="estimate")
    turned["parameter"] = turned["parameter"].str.removeprefix("estimate_")
    order = pd.CategoricalIndex(turned["parameter"], categories=names)
    turned = turned.assign(order=order.codes).sort_values(["run", "order"], ignore_index=True).drop(columns="order")
    pd.testing.assert_frame_equal(long, turned)


def test_a_parameter_may_be_called_like_a_column(identity_matrix: ModelMatrix, fake_runner: FakeRunner) -> None:
    awkward = replace(identity_matrix, terms=("(Intercept)", "seed", "parameter"))
    found = fit_point(build_linear_design(awkward, scale=True), PointSettings(starts=1, seed=5), fake_runner)
    assert found.optimisation_runs.columns.is_unique
    assert found.optimisation_runs["seed"][0] == 5
    assert found.optimisation_best["parameter"].tolist() == ["(Intercept)", "seed", "parameter", "noise_sd"]


def test_without_hessian_there_are_no_sds_and_the_table_says_why(design: LinearDesign, fake_runner: FakeRunner) -> None:
    best = fit_point(design, PointSettings(starts=1, seed=5), fake_runner).optimisation_best
    assert list(best.columns) == ["parameter", "estimate", "sd", "at_bound", "note"]
    assert best["sd"].isna().all()
    assert set(best["note"]) == {"fit.optimise.hessian is false"}


def test_the_same_inputs_give_the_same_bytes(design: LinearDesign) -> None:
    def texts() -> tuple[str, str, dict[str, Any]]:
        runner: Any = Scripted([{}, FAILED, {}])
        found = fit_point(design, PointSettings(starts=3, seed=5, hessian=True), runner)
        return found.optimisation_runs.to_csv(), found.optimisation_best.to_csv(), dict(found.draws.attributes)

    assert texts() == texts()
