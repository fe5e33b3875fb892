"""The folder of configs that the markets are: one YAML file, one partition."""

from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from dsam_assets.errors import ConfigError, DsamError
from resources.config_files import SUFFIXES, config_files
from resources.locations import UNSAFE_SETTING, unsafe_formulas_allowed
from resources.mirror import Mirror
from resources.mirroring import refresh_mirror

if TYPE_CHECKING:
    from dsam_assets.config.load import LoadedConfig


class ConfigCatalogue(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Finds and loads the configs of a folder.

    `data_roots` limits what the configs may read; empty means no limit (a person running their own file). With a `url`,
    the folder is its mirror, and is looked at anew for each run, tick and observation.
    """

    folder: str
    url: str = ""
    data_roots: list[str] = Field(default_factory=list)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Fetch what changed behind the URL; raises `ConfigError` when it cannot be read."""
        if self.url:
            for problem in refresh_mirror(Mirror(self.url, Path(self.folder))):
                (context.log or getLogger(__name__)).warning(problem)

    @property
    def named(self) -> str:
        """The folder as its user calls it."""
        return self.url or self.folder

    def path(self, market: str) -> Path:
        """The market's config file; raises `ConfigError` when there is none, or two, or its name cannot be a market."""
        from dsam_assets.config.load import market_key

        files = config_files(Path(self.folder))
        if market not in files:
            raise ConfigError(
                f"There is no config for market {market}.",
                where=self.named,
                got="configs for " + (", ".join(files) or "no market"),
                fix="Add the file, or run `dsam sync` to drop markets whose config is gone.",
            )
        market_key(files[market])
        twins = [path.name for path in Path(self.folder).iterdir() if path.stem == market and path.suffix in SUFFIXES]
        if len(twins) > 1:
            raise ConfigError(
                f"Two configs claim the market {market}.",
                where=self.named,
                got=", ".join(sorted(twins)),
                fix="Keep one of them, or rename one.",
            )
        return files[market]

    def problem(self, market: str) -> str:
        """Why the market's config cannot be used, on one line; empty when it can."""
        try:
            self.load(market)
        except DsamError as error:
            return error.brief
        return ""

    def load(self, market: str) -> "LoadedConfig":
        """The market's config, checked against schema and rules.

        Raises:
            ConfigError: also for a served config whose formulas may run Python, unless the operator lets them.
        """
        from dsam_assets.preflight import load_checked

        roots = tuple(Path(root) for root in self.data_roots) or None
        loaded = load_checked(self.path(market), data_roots=roots)
        if roots and loaded.config.security.allow_unsafe_formula and not unsafe_formulas_allowed():
            raise ConfigError(
                "A served config may not run Python in its formulas.",
                where=f"{loaded.path}: security.allow_unsafe_formula",
                got="true",
                fix=f"Use `dsam run`, or serve with {UNSAFE_SETTING}=1 if you trust everybody who writes configs.",
            )
        return loaded
