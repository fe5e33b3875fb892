"""What the served catalogue does by itself, as the operator's environment says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dsam_assets.errors import ConfigError
from resources.webhook import Webhook, webhook_of

OWNER = re.compile(r"[^@\s:]+@[^@\s:]+\.[^@\s:]+|team:\w+")
SWITCH = {"running": True, "stopped": False, "": False}


@dataclass(frozen=True)
class Automation:
    """Sensors and schedules; both can be started and stopped in the UI, whatever they begin with.

    Attributes:
        sensors: whether sensors begin running.
        schedules: whether schedules begin running.
        tick_seconds: time between two looks of a sensor.
        settle_seconds: time for which a file must look the same before it is read.
        refit_cron: when the weekly refit is due, in UTC.
        webhook: where notifications go besides the log.
        owner: who is asked about the assets: an e-mail address or `team:name`; empty for nobody.
    """

    sensors: bool = False
    schedules: bool = False
    tick_seconds: int = 30
    settle_seconds: float = 10.0
    refit_cron: str = "0 5 * * 1"
    webhook: Webhook | None = None
    owner: str = ""


def automation_of(environment: Mapping[str, str]) -> Automation:
    """The settings of an environment.

    Raises:
        ConfigError: a variable has a value that it cannot have.
    """
    default = Automation()
    return Automation(
        sensors=_switch(environment, "DSAM_SENSORS"),
        schedules=_switch(environment, "DSAM_SCHEDULES"),
        tick_seconds=round(_seconds(environment, "DSAM_TICK_SECONDS", default.tick_seconds, 1)),
        settle_seconds=_seconds(environment, "DSAM_SETTLE_SECONDS", default.settle_seconds, 0),
        refit_cron=_cron(environment, "DSAM_REFIT_CRON", default.refit_cron),
        webhook=webhook_of(environment.get("DSAM_WEBHOOK_URL", ""), environment.get("DSAM_WEBHOOK_TOKEN", "")),
        owner=_owner(environment.get("DSAM_OWNER", "").strip()),
    )


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip().lower()
    if text not in SWITCH:
        raise ConfigError(f"The variable {name} is neither on nor off.", got=text, wanted="running or stopped")
    return SWITCH[text]


def _seconds(environment: Mapping[str, str], name: str, default: float, least: float) -> float:
    text = environment.get(name, "").strip()
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = -1.0
    if not least <= seconds <= 86_400:
        raise ConfigError(
            f"The variable {name} is no time in seconds.", got=text, wanted=f"a number from {least:g} to 86400"
        )
    return seconds


def _cron(environment: Mapping[str, str], name: str, default: str) -> str:
    from dagster._utils.schedules import is_valid_cron_string

    text = environment.get(name, "").strip() or default
    if not is_valid_cron_string(text):
        raise ConfigError(
            f"The variable {name} is no cron expression.", got=text, wanted=f"five fields, for example {default}"
        )
    return text


def _owner(text: str) -> str:
    if text and not OWNER.fullmatch(text):
        raise ConfigError(
            "The variable DSAM_OWNER names nobody.",
            got=text,
            wanted="an e-mail address, or team:name (letters, digits, _)",
        )
    return text
