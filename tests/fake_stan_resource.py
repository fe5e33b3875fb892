"""The stand-in for Stan as a Dagster resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from fake_stan import FakeRunner

from dsam_assets.fit.runner import McmcSettings, OptimiseSettings, StanDraws, StanMode


class FakeStan(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The Dagster resource `stan`, without Stan."""

    progress: bool = False
    stuck: bool = False
    converges: bool = True
    version: str = "0.0.0"

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        return FakeRunner(stuck=self.stuck).sample(program, data, settings)

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        return FakeRunner(converges=self.converges).optimise(program, data, settings)

    def describe_home(self) -> dict[str, str]:
        return {"version": self.version, "origin": "a stand-in for tests"}
