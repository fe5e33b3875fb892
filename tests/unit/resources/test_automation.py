"""What the operator's environment says of sensors and schedules."""

from __future__ import annotations

import pytest

from dsam_assets.errors import ConfigError
from resources.automation import Automation, automation_of


def test_nothing_said_means_stopped() -> None:
    assert automation_of({}) == Automation()
    assert not Automation().sensors
    assert not Automation().schedules


def test_everything_said() -> None:
    found = automation_of(
        {
            "DSAM_SENSORS": "Running",
            "DSAM_SCHEDULES": "running",
            "DSAM_TICK_SECONDS": "5",
            "DSAM_SETTLE_SECONDS": "0.5",
            "DSAM_REFIT_CRON": "30 2 * * 0",
            "DSAM_WEBHOOK_URL": "https://hooks.example/x",
            "DSAM_OWNER": "team:modelling",
        }
    )
    assert found.webhook is not None
    assert found == Automation(True, True, 5, 0.5, "30 2 * * 0", found.webhook, "team:modelling")


@pytest.mark.parametrize(
    ("name", "text"),
    [("DSAM_SENSORS", "yes"), ("DSAM_SCHEDULES", "1"), ("DSAM_TICK_SECONDS", "0"), ("DSAM_TICK_SECONDS", "nan"),
     ("DSAM_TICK_SECONDS", "1e9"), ("DSAM_SETTLE_SECONDS", "-1"), ("DSAM_SETTLE_SECONDS", "soon"),
     ("DSAM_REFIT_CRON", "weekly"), ("DSAM_REFIT_CRON", "99 5 * * 1"), ("DSAM_WEBHOOK_URL", "http://x.example"),
     ("DSAM_OWNER", "somebody"), ("DSAM_OWNER", "team:"), ("DSAM_OWNER", "a@b")],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        automation_of({name: text})
    assert name in str(raised.value)
