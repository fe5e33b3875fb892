"""What is asked of Stan for each class of model, without Stan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from panels import case

from dsam_assets.errors import FitError, ToolchainError
from dsam_assets.fit.model import PANEL_ADAPT_DELTA, sample_model
from dsam_assets.fit.runner import McmcSettings, StanDraws

SETTINGS = McmcSettings(chains=2, warmup=10, sampling=10, seed=1)


@dataclass
class Recorder:
    """Fails every call, after writing down what it was."""

    cannot_compile: tuple[str, ...] = ()
    calls: list[tuple[str, McmcSettings]] = field(default_factory=list)

    def sample(self, program: str, data: Any, settings: McmcSettings) -> StanDraws:
        self.calls.append((program, settings))
        if program in self.cannot_compile:
            raise ToolchainError("no compiler")
        raise FitError("recorded")

    def optimise(self, program: str, data: Any, settings: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(("given", "used"), [(None, PANEL_ADAPT_DELTA), (0.8, 0.8), (0.99, 0.99)])
def test_panels_take_small_steps_unless_told(given: float | None, used: float) -> None:
    runner = Recorder()
    with pytest.raises(FitError, match="recorded"):
        sample_model(case("nested"), replace(SETTINGS, adapt_delta=given), runner)
    assert [(program, settings.adapt_delta) for program, settings in runner.calls] == [("hierarchical_adjoint", used)]


def test_the_plain_program_is_the_fall_back() -> None:
    runner = Recorder(cannot_compile=("hierarchical_adjoint",))
    with pytest.raises(FitError, match="recorded"):
        sample_model(case("nested"), SETTINGS, runner)
    assert [program for program, _ in runner.calls] == ["hierarchical_adjoint", "hierarchical"]
    nothing = Recorder(cannot_compile=("hierarchical_adjoint", "hierarchical"))
    with pytest.raises(ToolchainError, match="no compiler"):
        sample_model(case("nested"), SETTINGS, nothing)
