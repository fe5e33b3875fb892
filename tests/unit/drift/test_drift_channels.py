"""Returns, places, shares and stories of channels, from tables made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from drift_fits import RETURNS, SHARES, channels, normal_draws, snapshot

from dsam_assets.drift.channels import swaps
from dsam_assets.drift.compare import refresh_drift
from dsam_assets.drift.snapshot import FitSnapshot

DRAWS = normal_draws({"(Intercept)": 0.0, "m_tv": 1.0, "m_search": 1.0}, sd=0.2)


def fit(
    returns: Mapping[str, float] = RETURNS, shares: Mapping[str, float] = SHARES, metric: str = "roi", **parts: Any
) -> FitSnapshot:
    tables = {"decomp_channels": channels(returns, shares, metric)}
    return snapshot(draws=parts.pop("draws", DRAWS), tables=tables, **parts)


def table_of(old: FitSnapshot, new: FitSnapshot) -> pd.DataFrame:
    return refresh_drift(old, new)["drift_channels"].set_index("channel")


def test_a_fit_that_is_the_same_tells_the_same_story() -> None:
    table = table_of(fit(), fit())
    assert not table["story_changed"].any()
    assert (table["why"] == "").all()
    assert (table[["return_change", "marginal_change", "share_change", "shift"]] == 0).all().all()
    assert table["rank"].to_dict() == table["rank_previous"].to_dict() == {"tv": 1, "search": 2}


def test_returns_margins_and_shares_change_by_their_differences() -> None:
    new = fit({"m_tv": 1.5, "m_search": 1.25}, {"m_tv": 0.55, "m_search": 0.45})
    row = table_of(fit(), new).loc["tv"]
    assert row["return_change"] == pytest.approx(-0.5)
    assert row["marginal_change"] == pytest.approx(-0.4)
    assert row["share_change"] == pytest.approx(-0.05)
    assert (row["return_previous"], row["return_q05"]) == (2.0, pytest.approx(1.35))
    assert not row["story_changed"]


def test_the_total_is_no_channel() -> None:
    assert list(table_of(fit(), fit()).index) == ["tv", "search"]


@pytest.mark.parametrize(("share", "changed"), [(0.69, False), (0.71, True)])
def test_a_share_that_moves_ten_points_changes_the_story(share: float, changed: bool) -> None:
    table = table_of(fit(), fit(shares={"m_tv": share, "m_search": 1 - share}))
    assert table["story_changed"].to_dict() == {"tv": changed, "search": changed}
    if changed:
        assert table.loc["tv", "why"] == "its share of the media effect changed by +11 percentage points"


@pytest.mark.parametrize(("mean", "changed"), [(1.19, False), (1.22, True), (0.78, True)])
def test_a_coefficient_that_moves_one_sd_beyond_its_error_changes_the_story(mean: float, changed: bool) -> None:
    """sd 0.2; twice the Monte Carlo error of the difference is 2 · √2 · 0.2 / √4000 = 0.009."""
    new = fit(draws=normal_draws({"(Intercept)": 0.0, "m_tv": mean, "m_search": 1.0}, sd=0.2))
    table = table_of(fit(), new)
    assert table["story_changed"].to_dict() == {"tv": changed, "search": False}
    if mean > 1.2:
        assert table.loc["tv", "why"] == "its coefficient moved by +1.1 sd of the previous posterior"


@pytest.mark.parametrize(("mean", "changed"), [(0.02, False), (-0.15, True)])
def test_an_effect_that_changes_sign_changes_the_story(mean: float, changed: bool) -> None:
    """From P(positive) = 0.84, for sd 0.2: to 0.54, a flip of 0.47; and to 0.23, a flip of 0.69. Neither is a shift
    of more than the new coefficient's spread, which is five times the old one's."""
    old = normal_draws({"(Intercept)": 0.0, "m_tv": 0.2, "m_search": 1.0}, sd=0.2)
    new = normal_draws({"(Intercept)": 0.0, "m_tv": mean, "m_search": 1.0}, sd=0.2)
    row = table_of(fit(draws=old), fit(draws=new)).loc["tv"]
    assert ("its effect has probably changed sign" in row["why"]) is changed


def test_channels_that_change_places_change_their_stories() -> None:
    table = table_of(fit(), fit({"m_tv": 1.0, "m_search": 1.5}))
    assert table["why"].to_dict() == {
        "tv": "its return has changed places with that of search",
        "search": "its return has changed places with that of tv",
    }
    assert table["rank"].to_dict() == {"tv": 2, "search": 1}


@pytest.mark.parametrize(
    ("before", "after", "swapped"),
    [
        ((2.0, 1.0), (1.0, 1.2), True),
        ((2.0, 1.0), (1.0, 1.1), False),  # now too close to say
        ((1.05, 1.0), (1.0, 2.0), False),  # too close to say before
        ((2.0, 1.0), (3.0, 1.0), False),
        ((-1.0, 1.0), (1.0, -1.0), True),
    ],
)
def test_only_a_clear_order_can_be_reversed(
    before: tuple[float, float], after: tuple[float, float], swapped: bool
) -> None:
    names = ("m_tv", "m_search")
    table = table_of(fit(dict(zip(names, before, strict=True))), fit(dict(zip(names, after, strict=True))))
    assert bool(swaps(table.reset_index())) is swapped


def test_a_lower_cost_is_the_better_rank() -> None:
    table = table_of(fit(metric="cpa"), fit(metric="cpa"))
    assert table["rank"].to_dict() == {"tv": 2, "search": 1}


def test_returns_of_another_kind_have_no_difference() -> None:
    table = table_of(fit(), fit(metric="cpa"))
    assert table[["return_change", "marginal_change"]].isna().all().all()
    assert table["share_change"].notna().all()
    assert not swaps(table.reset_index())


def test_channels_that_come_or_go_change_the_story() -> None:
    new = fit({"m_tv": 2.0, "m_radio": 1.0}, {"m_tv": 0.6, "m_radio": 0.4})
    table = table_of(fit(), new)
    assert table["why"].to_dict() == {
        "tv": "", "radio": "it is new in the model", "search": "it is no longer in the model",
    }  # fmt: skip
    assert table.loc["search", "return_previous"] == 1.0


def test_a_model_without_media_has_no_such_table() -> None:
    old = snapshot(draws=DRAWS, tables={"decomp_channels": None})
    assert "drift_channels" not in refresh_drift(old, old)
    assert list(table_of(old, fit())["state"]) == ["added", "added"]


def test_a_panel_unit_has_the_coefficient_that_varies_with_it() -> None:
    rows = channels(RETURNS, SHARES)
    by_unit = pd.concat([rows, rows.assign(group="uk")], ignore_index=True)
    parameters = pd.DataFrame(
        [("", "all", "m_tv", 0.0), ("", "all", "m_search", 0.0), ("market", "uk", "m_tv", 3.0)],
        columns=["grouping", "group", "parameter", "shift_previous_sd"],
    ).assign(shift=lambda t: t["shift_previous_sd"], mcse=0.01, probability_sign_flip=0.0)
    from dsam_assets.drift.channels import channel_table

    fitted = snapshot(draws=DRAWS, tables={"decomp_channels": by_unit})
    table = channel_table(fitted, fitted, parameters)
    assert table is not None
    moved = table.set_index(["group", "channel"])["shift_previous_sd"].to_dict()
    assert moved == {("all", "tv"): 0, ("all", "search"): 0, ("uk", "tv"): 3, ("uk", "search"): 0}
