"""Stan as a Dagster resource."""

import logging
from collections.abc import Mapping
from typing import Any

import dagster as dg

from dsam_assets.fit.runner import McmcSettings, OptimiseSettings, StanDraws, StanMode

PROGRESS = logging.getLogger("dsam.stan")


class StanResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Samples and optimises Stan programs with the Stan home of this machine; satisfies the core's `StanRunner`."""

    progress: bool = False

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        from resources.stan_runner import CmdStanRunner

        return CmdStanRunner(progress=self.progress, notify=PROGRESS.info).sample(program, data, settings)

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        from resources.stan_runner import CmdStanRunner

        return CmdStanRunner(notify=PROGRESS.info).optimise(program, data, settings)

    def describe_home(self) -> dict[str, str]:
        """Version and origin of the Stan home in use."""
        from resources.toolchain.home import find_home

        home = find_home(progress=PROGRESS.info)
        return {"version": home.version, "origin": home.origin}
