"""Serving a folder of configs: registering its markets and starting the Dagster UI."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from typing import NamedTuple, NoReturn


class Synced(NamedTuple):
    """What was done to the registered markets.

    Attributes:
        added: markets.
        removed: markets.
        refused: messages about configs whose name cannot be a market.
        problems: a sentence for each file behind the folder's URL that a config names and that cannot be had.
    """

    added: list[str]
    removed: list[str]
    refused: list[str]
    problems: tuple[str, ...]


def sync_markets(configs: str | None = None) -> Synced:
    """Make the registered markets those of the folder."""
    import dagster as dg

    from resources.locations import locations, prepare_dagster_home
    from resources.places import require_configs, valid_markets

    places = locations(configs)
    problems = require_configs(places)
    wanted, refused = valid_markets(places.configs)
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(places.dagster_home))) as instance:
        present = set(instance.get_dynamic_partitions("market"))
        added, removed = sorted(set(wanted) - present), sorted(present - set(wanted))
        if added:
            instance.add_dynamic_partitions("market", added)
        for name in removed:
            instance.delete_dynamic_partition("market", name)
    return Synced(added, removed, [str(error) for error in refused], problems)


def serve(configs: str | None, port: int, *, tell: Callable[[str, str], object]) -> NoReturn:
    """Start Dagster's UI and daemon on the loopback interface, in place of this process.

    Args:
        configs: folder of configs, or its URL.
        port: where to listen.
        tell: says where the markets are and which link opens the UI.
    """
    from resources.locations import locations

    for problem in sync_markets(configs).problems:
        print(f"dsam: {problem}", file=sys.stderr)
    places = locations(configs)
    token = secrets.token_urlsafe(24)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(places.dagster_home),
        "DSAM_CONFIGS": places.named,
        "DSAM_UI_TOKEN": token,
    }
    command = [
        sys.executable, "-m", "resources.web.guarded_dev", "--host", "127.0.0.1", "--port", str(port),
        "-m", "dsam_assets.definitions",
    ]  # fmt: skip
    tell(places.named, f"http://127.0.0.1:{port}/?token={token}")
    sys.stdout.flush()
    # The UI takes over this process, so that whoever stops it stops the UI, and no server is left behind.
    os.execve(sys.executable, command, environment)  # noqa: S606
