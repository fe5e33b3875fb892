"""The day by which waivers are judged."""

import datetime as dt


def utc_today() -> dt.date:
    """The date in UTC, so that one waiver ends everywhere at once."""
    return dt.datetime.now(dt.UTC).date()


class Clock:
    """The Dagster resource `clock`: that of this machine. Nothing configures it, so no run can choose its day."""

    def today(self) -> dt.date:
        return utc_today()
