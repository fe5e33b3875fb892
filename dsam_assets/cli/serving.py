"""Serving a folder of configs: registering its markets and starting the Dagster UI."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from typing import NoReturn


def sync_markets(configs: str | None = None) -> tuple[list[str], list[str], list[str]]:
    """Make the registered markets those of the folder.

    Returns:
        Markets added, markets removed, and messages about configs whose name cannot be a market.
    """
    import dagster as dg

    from resources.locations import locations, prepare_dagster_home
    from resources.places import require_configs, valid_markets

    places = locations(configs)
    require_configs(places)
    wanted, refused = valid_markets(places.configs)
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(places.dagster_home))) as instance:
        present = set(instance.get_dynamic_partitions("market"))
        added, removed = sorted(set(wanted) - present), sorted(present - set(wanted))
        if added:
            instance.add_dynamic_partitions("market", added)
        for name in removed:
            instance.delete_dynamic_partition("market", name)
    return added, removed, [str(error) for error in refused]


def serve(configs: str | None, port: int, *, tell: Callable[[str, str], object]) -> NoReturn:
    """Start Dagster's UI and daemon on the loopback interface, in place of this process.

    Args:
        configs: folder of configs, or its URL.
        port: where to listen.
        tell: says where the markets are and which link opens the UI.
    """
    from resources.locations import locations

    sync_markets(configs)
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
