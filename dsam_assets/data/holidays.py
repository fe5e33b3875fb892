"""Holiday features: how many days of each holiday every week of the data has.

The steps are those of the specification's generation pipeline: expand windows, floor to weeks, aggregate, join.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from dsam_assets.config.schema_data import HolidaySection, TimeComponentsSection, WeekDay
from dsam_assets.data.calendar import KEY, Calendar, load_calendar, normalise_label
from dsam_assets.data.weeks import require_week_starts, week_floor
from dsam_assets.errors import ConfigError, DataError

FEATURES, MANIFEST = "holiday_features", "holiday_feature_manifest"
MAX_WINDOW = 366
_REST_OF_WEEK = timedelta(days=6)


@dataclass(frozen=True)
class HolidayFeatures:
    """Generated columns.

    Attributes:
        frame_columns: the features by name, one row per row of the data, in its order and with its index.
        names: their names, sorted.
        manifest: one row per feature that the calendar could give, see the table `holiday_feature_manifest`.
    """

    frame_columns: pd.DataFrame
    names: tuple[str, ...]
    manifest: pd.DataFrame

    @property
    def formula_names(self) -> tuple[str, ...]:
        """The features that are appended to the formula."""
        return tuple(self.manifest.loc[self.manifest["in_formula"].astype(bool), "feature"])

    def on(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The data with the features; columns that they overwrite are replaced.

        Raises:
            DataError: the features were made for other rows.
        """
        if len(frame) != len(self.frame_columns):
            raise DataError(
                "Holiday features and data have different numbers of rows.",
                where=FEATURES,
                got=f"{len(self.frame_columns):,} and {len(frame):,} rows",
                fix="Materialise holiday_features again.",
            )
        kept = frame.drop(columns=[name for name in self.names if name in frame.columns])
        return pd.concat([kept, self.frame_columns.set_axis(frame.index)], axis=1)

    def tables(self) -> dict[str, pd.DataFrame]:
        """The features as tables to store; `from_tables` is the inverse."""
        rows = pd.DataFrame({"row": np.arange(len(self.frame_columns))})
        return {
            FEATURES: pd.concat([rows, self.frame_columns.reset_index(drop=True)], axis=1),
            MANIFEST: self.manifest,
        }


def no_tables() -> dict[str, pd.DataFrame]:
    """What is stored when holidays are switched off."""
    return {FEATURES: pd.DataFrame({"row": np.arange(0)})}


def from_tables(tables: Mapping[str, pd.DataFrame]) -> HolidayFeatures | None:
    """The features of stored tables; `None` when holidays are switched off."""
    if MANIFEST not in tables:
        return None
    columns = tables[FEATURES].drop(columns="row")
    return HolidayFeatures(columns, tuple(map(str, columns.columns)), tables[MANIFEST])


def market_holidays(
    frame: pd.DataFrame, date_var: str | None, section: TimeComponentsSection
) -> HolidayFeatures | None:
    """The holiday features that a config asks for; `None` when they are switched off.

    Args:
        frame: the data, with a parsed date column; panels repeat each date per group.
        date_var: its date column.
        section: the config's `time_components`.

    Raises:
        DataError, ConfigError: see `load_calendar` and `build_holiday_features`.
    """
    if not (section.enabled and section.holidays.enabled):
        return None
    if date_var is None:
        raise ConfigError("Holidays need the data's date column.", where="data.date_var", fix="Set data.date_var.")
    return build_holiday_features(load_calendar(section.holidays), frame, date_var, section.holidays)


def build_holiday_features(
    calendar: Calendar, frame: pd.DataFrame, date_var: str, section: HolidaySection
) -> HolidayFeatures:
    """Weekly features of a calendar for the rows of the data.

    A label without an event day in any week of the data gets no column, since a column of zeros cannot be estimated;
    the manifest lists it with the reason.

    Raises:
        DataError: dates that begin no week, two labels with one name, a column of the data with a feature's name, or
            no event in the data's weeks.
        ConfigError: a window longer than a year.
    """
    dates = frame[date_var]
    require_week_starts(dates, section.week_start, column=date_var, key=f"{KEY}.week_start")
    events = calendar.events.assign(feature=_feature_names(calendar, section.prefix))
    weeks = dates.dt.normalize()
    days = event_days(events, section)
    counts = weekly_counts(days, pd.Index(weeks.unique()), section.week_start)
    names = tuple(map(str, counts.columns))
    if not names:
        raise _no_event(calendar, weeks)
    overwritten = _overwritten(names, frame, date_var, section)
    values = (counts > 0).astype("int64") if section.aggregation_rule == "any" else counts
    columns = values.reindex(weeks).set_axis(frame.index)
    return HolidayFeatures(columns, names, _manifest(events, counts, weeks, overwritten, section))


def event_days(events: pd.DataFrame, section: HolidaySection) -> pd.DataFrame:
    """Every event repeated over its window [date − before, date + after]: `feature` and `date`, one row per event day.

    Under `dedupe_label_date`, a day that a label has several times (a repeated event, overlapping windows) is kept
    once.
    """
    before, after = section.window_before, section.window_after
    if before + after >= MAX_WINDOW:
        raise ConfigError(
            "A holiday window is longer than a year.",
            where=f"{KEY}.window_before",
            got=f"{before} days before and {after} days after",
            wanted=f"at most {MAX_WINDOW} days together with the event",
        )
    shifts = np.arange(-before, after + 1)
    days = pd.DataFrame(
        {
            "feature": np.repeat(events["feature"].to_numpy(), shifts.size),
            "date": np.repeat(events["date"].to_numpy(), shifts.size)
            + np.tile(shifts, len(events)).astype("timedelta64[D]"),
        }
    )
    return days.drop_duplicates(ignore_index=True) if section.overlap_policy == "dedupe_label_date" else days


def weekly_counts(days: pd.DataFrame, weeks: pd.Index, week_start: WeekDay) -> pd.DataFrame:
    """Event days by week (rows, as given) and feature (columns, sorted).

    Features without an event day in these weeks are left out.
    """
    by_week = days.assign(week=week_floor(days["date"], week_start))
    inside = by_week[by_week["week"].isin(weeks)]
    counts = inside.groupby(["week", "feature"]).size().unstack(fill_value=0)
    return counts.reindex(index=weeks, fill_value=0).rename_axis(index=None, columns=None).astype("int64")


def _feature_names(calendar: Calendar, prefix: str) -> pd.Series:
    """The feature of each event; two labels must not share one."""
    labels = calendar.events["label"]
    names = {label: prefix + normalise_label(label) for label in sorted(labels.unique())}
    owner: dict[str, str] = {}
    for label, name in names.items():
        if name in owner:
            raise DataError(
                f"Two labels of the calendar give the same feature name {name}.",
                where=str(calendar.path),
                got=f'"{owner[name]}" and "{label}"',
                wanted="labels that differ in more than case, accents and punctuation",
                fix="Give both the same label if they are the same holiday, or rename one.",
            )
        owner[name] = label
    return labels.map(names)


def _no_event(calendar: Calendar, weeks: pd.Series) -> DataError:
    first, last = calendar.events["date"].min(), calendar.events["date"].max()
    return DataError(
        "No event of the calendar falls in a week of the data.",
        where=str(calendar.path),
        got=f"events from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
        wanted=f"events between {weeks.min():%Y-%m-%d} and {weeks.max() + _REST_OF_WEEK:%Y-%m-%d}",
        fix=f"Extend the calendar, correct {KEY}.date_format, or switch holidays off.",
    )


def _overwritten(names: tuple[str, ...], frame: pd.DataFrame, date_var: str, section: HolidaySection) -> frozenset[str]:
    taken = frozenset(names) & {str(name) for name in frame.columns}
    if date_var in taken or (taken and not section.overwrite_existing):
        raise DataError(
            "Generated holiday features have the names of columns of the data.",
            where=f"{KEY}.prefix",
            got=", ".join(sorted(taken)),
            fix=f"Choose another prefix, drop the columns, or set {KEY}.overwrite_existing: true.",
        )
    return taken


def _manifest(
    events: pd.DataFrame,
    counts: pd.DataFrame,
    weeks: pd.Series,
    overwritten: frozenset[str],
    section: HolidaySection,
) -> pd.DataFrame:
    by_feature = events.groupby("feature", sort=True)
    active = counts.gt(0)
    dates = by_feature["date"]
    table = pd.DataFrame({"label": by_feature["label"].first(), "events": dates.size()}).reset_index()
    names = table["feature"]
    generated = names.isin(counts.columns)
    reason = f"no event day in the weeks of the data ({weeks.min():%Y-%m-%d} to {weeks.max():%Y-%m-%d})"
    return table.assign(
        label=table["label"].astype(object),
        generated=generated,
        reason=np.where(generated, "", reason),
        in_formula=generated & section.add_to_formula,
        overwrites_column=names.isin(overwritten),
        event_days=names.map(counts.sum()).fillna(0).astype("int64"),
        active_weeks=names.map(active.sum()).fillna(0).astype("int64"),
        first_event=dates.min().to_numpy(),
        last_event=dates.max().to_numpy(),
        first_active_week=names.map(active.idxmax()).to_numpy(dtype="datetime64[ns]"),
        last_active_week=names.map(active[::-1].idxmax()).to_numpy(dtype="datetime64[ns]"),
        window_before=section.window_before,
        window_after=section.window_after,
        aggregation_rule=section.aggregation_rule,
        overlap_policy=section.overlap_policy,
        week_start=section.week_start,
        timezone=section.timezone,
    )
