"""Markets × gates: order, worst status, ages, and a page that shows text as text."""

from __future__ import annotations

import json
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from run_folders import KPI, run_tables
from stored_markets import keep, store_market

from dsam_assets.report.fleet_page import status_preview
from dsam_assets.report.fleet_status import GATES, WORST_FIRST, FleetStatus, MarketNow, fleet_status, worst
from dsam_assets.report.fleet_tables import FLEET_TABLES
from dsam_assets.report.tables import TABLES
from dsam_assets.stale_causes import Cause
from dsam_assets.staleness import AssetState, MarketState
from dsam_assets.stored_status import market_now
from dsam_assets.tables import validate
from dsam_assets.verdict import Status
from resources.codecs import CODECS
from resources.store import Problem, Store

NOW = datetime(2024, 6, 15, 12, 30)
GOOD = {"g2": ["pass"], "g3": ["pass", "pass"], "p1": ["pass", "skipped"]}
BAD_SCRIPT = "<script>alert(1)</script>"


def made(*markets: MarketNow) -> FleetStatus:
    status = fleet_status(markets, NOW)
    validate(TABLES["fleet_status"], status.table)
    json.dumps(status.document(), allow_nan=False)
    return status


def order(*markets: MarketNow) -> list[str]:
    return list(made(*markets).table["market"])


@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [
        (["pass", "fail", "warn"], "fail"),
        (["pass", "not_computed", "warn"], "not_computed"),
        (["pass", "warn", "skipped"], "warn"),
        (["skipped", "pass"], "pass"),
        (["skipped"], "skipped"),
        ([], None),
    ],
)
def test_a_gate_is_as_good_as_its_worst_check(statuses: list[str], wanted: str | None) -> None:
    assert worst(statuses) == wanted


def test_every_status_has_its_place() -> None:
    assert set(WORST_FIRST) == set(Status.__args__)


def test_the_worst_comes_first() -> None:
    warn = {**GOOD, "p1": ["warn"]}
    fail = {**GOOD, "p1": ["fail"]}
    assert order(
        MarketNow("a_good", "current", overall="pass", gates=GOOD),
        MarketNow("b_stale", "stale", overall="pass", gates=GOOD),
        MarketNow("c_warns", "current", overall="warn", gates=warn),
        MarketNow("d_fails", "current", overall="fail", gates=fail),
        MarketNow("e_fails_twice", "current", overall="fail", gates={**fail, "g2": ["fail"]}),
        MarketNow("f_new", "never_run"),
        MarketNow("g_halted", "halted", overall="fail", gates=fail),
        MarketNow("h_broken", "broken"),
        MarketNow("i_gone", "gone"),
    ) == ["h_broken", "i_gone", "g_halted", "f_new", "e_fails_twice", "d_fails", "c_warns", "b_stale", "a_good"]


def test_equals_are_in_order_of_their_names() -> None:
    assert order(MarketNow("uk", "current"), MarketNow("de", "current")) == ["de", "uk"]


def test_ages_count_whole_days_to_the_look() -> None:
    (row,) = made(
        MarketNow("uk", "current", last_date=datetime(2024, 6, 10), fitted_at=datetime(2024, 6, 14, 13, 0))
    ).table.to_dict("records")
    assert (row["data_age_days"], row["fit_age_days"]) == (5, 0)


def test_counts_and_facts() -> None:
    status = made(
        MarketNow("uk", "stale", overall="pass", last_date=datetime(2024, 6, 10)),
        MarketNow("de", "broken"),
        MarketNow("fr", "current", overall="warn", gates={"g5": ["not_computed", "warn"]}),
    )
    assert status.counts() == {"broken": 1, "stale": 1, "current": 1}
    assert status.facts() == {
        "markets": 3, "need_attention": 1, "stale": 1, "fail": 0, "warn": 1, "pass": 1, "story_changed": 0,
        "oldest_fit_days": "none", "oldest_data_days": 5,
    }  # fmt: skip
    rows = {row["market"]: row for row in status.table.to_dict("records")}
    assert (rows["fr"]["n_not_computed"], rows["fr"]["n_warn"], rows["fr"]["n_fail"]) == (1, 1, 0)
    assert pd.isna(rows["de"]["n_fail"])  # nothing was judged: not the same as no failure
    assert [row["market"] for row in status.document()["markets"]] == ["de", "fr", "uk"]


def test_an_infinite_number_is_told_in_words() -> None:
    (row,) = made(MarketNow("uk", "current", efficiency={"value_reference": float("inf")})).document()["markets"]
    assert row["efficiency"] == "inf"


class Cells(HTMLParser):
    """Text of the table's cells, and every tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.inside = False
        self.rows: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.inside = self.inside or tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data.strip()


def test_the_page_shows_every_market_and_gate_and_needs_no_other_file() -> None:
    page = made(
        MarketNow(
            "uk", "stale", overall="warn", reliability="provisional", gates={**GOOD, "g6": ["warn"]},
            stale="data file changed", stale_since=datetime(2024, 6, 12), kpi_elpd_loo=-1234.56,
            efficiency={
                "metric": "roi", "value_reference": 1.5, "value_reference_lower": 1.1, "value_reference_upper": 2.0,
                "metric_unit": "kpi per currency",
            },
        ),
        MarketNow("de", "broken", problem="no such column"),
    ).pages["fleet_status.html"]  # fmt: skip
    cells = Cells(page)
    head, broken, stale = cells.rows
    assert head[4:13] == list(GATES)
    assert broken[:3] == ["de", "broken", "–"]
    assert broken[-1] == "no such column"
    assert stale[:4] == ["uk", "stale", "warn", "provisional"]
    assert stale[4:13] == ["–", "–", "pass", "pass", "–", "–", "warn", "–", "pass"]
    assert "-1,234.6" in stale
    assert "ROI 1.501.10 to 2.00" in stale
    assert stale[-1] == "data file changed, since 2024-06-12"
    assert not {"script", "link", "img", "iframe"} & set(cells.tags)
    assert "http" not in page


def test_a_market_with_a_report_leads_to_it() -> None:
    page = made(
        MarketNow("uk", "current", report="../uk/80_interpretation/report.html"), MarketNow("de", "broken")
    ).pages
    text = page["fleet_status.html"]
    assert '<a href="../uk/80_interpretation/report.html">uk</a>' in text
    assert text.count("<a ") == 1


def test_text_of_configs_and_errors_is_never_markup() -> None:
    status = made(MarketNow("uk", "broken", problem=BAD_SCRIPT, stale=BAD_SCRIPT))
    page = status.pages["fleet_status.html"]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<script" not in status_preview(status)


def test_a_fleet_without_markets() -> None:
    status = made()
    assert "No market is registered." in status.pages["fleet_status.html"]
    assert status_preview(status) == "No market is registered."


def test_the_preview_has_a_row_per_market() -> None:
    text = status_preview(made(MarketNow("uk", "current", overall="pass", gates={"g2": ["fail"]})))
    assert "| uk | current | pass |" in text
    assert "🟥" in text.splitlines()[-1]


def test_columns_of_gates_are_those_of_the_schema() -> None:
    (table,) = FLEET_TABLES
    assert [column.name for column in table.columns if column.name in GATES] == list(GATES)


# What is read of a store.


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "store"))
    store_market(store, "uk", [-1.0, -2.0], kpi=KPI[:2])
    keep(store, "uk", "posterior", {}, made="2024-06-01T08:00:00+02:00")
    loo = run_tables([-1.0, -2.0], kpi=KPI[:2])["50_model_selection/loo_summary.csv"]
    scores = loo.assign(kpi_elpd_loo=-3.0, se_kpi_elpd_loo=0.5)
    keep(store, "uk", "loo", CODECS["tables"].encode("loo", {"loo_summary": scores}))
    return store


def test_what_the_store_holds_of_a_market(store: Store) -> None:
    dates = pd.to_datetime(["2024-05-20", "2024-05-27"])
    keep(store, "uk", "observed", CODECS["tables"].encode("observed", {"observed": pd.DataFrame({"date": dates})}))
    checks = pd.DataFrame({"gate": ["g2", "p1", "p1"], "status": ["pass", "warn", "pass"]})
    keep(
        store, "uk", "diagnostics_report", CODECS["table"].encode("diagnostics_report", checks),
        shown={"overall": "warn", "reliability": "provisional"},
    )  # fmt: skip
    now = market_now(store, MarketState("uk", "current"))
    assert now.fitted_at == datetime(2024, 6, 1, 6, 0)
    assert now.last_date == datetime(2024, 5, 27)
    assert (now.overall, now.reliability) == ("warn", "provisional")
    assert now.gates == {"g2": ["pass"], "p1": ["warn", "pass"]}
    assert (now.kpi_elpd_loo, now.se_kpi_elpd_loo, now.n_rows) == (-3.0, 0.5, 2)
    assert now.efficiency == {}
    assert now.problem == ""


def test_the_efficiency_is_that_of_a_current_plan(store: Store) -> None:
    table = pd.DataFrame({"channel": ["TV", "TOTAL"], "is_total": [False, True], "value_reference": [9.0, 1.5]})
    files = CODECS["table"].encode("budget_roi_cpa", table)
    posterior = store.record("uk", "posterior")
    assert posterior is not None
    keep(store, "uk", "allocation", files, inputs={"posterior": posterior.data_version})
    assert market_now(store, MarketState("uk", "current")).efficiency["value_reference"] == 1.5
    keep(store, "uk", "allocation", files, inputs={"posterior": "of an older fit"})
    assert market_now(store, MarketState("uk", "stale")).efficiency == {}


def test_damaged_results_are_the_markets_own_problem(store: Store) -> None:
    (Path(store.root) / "uk" / "30_post_run" / "observed.parquet").write_bytes(b"")
    now = market_now(store, MarketState("uk", "current"))
    assert "does not match its checksum" in now.problem


def test_tables_of_another_version_are_the_markets_own_problem(store: Store) -> None:
    keep(store, "uk", "loo", CODECS["tables"].encode("loo", {"loo_summary": pd.DataFrame({"status": ["ok"]})}))
    assert "kpi_elpd_loo" in market_now(store, MarketState("uk", "current")).problem


def test_what_is_stale_and_what_failed_last_is_told(store: Store) -> None:
    cause = Cause("data file changed", "2024-06-02T00:00:00+00:00", ("model_frame",))
    state = AssetState("model_frame", "stale", {cause.what: cause})
    failure = Problem("posterior", "The chains are stuck.\n  do this: look", "2024-06-03T00:00:00+00:00")
    now = market_now(store, MarketState("uk", "stale", (state,), failures=(failure,)))
    assert (now.stale, now.stale_since) == ("data file changed", datetime(2024, 6, 2))
    assert now.problem == "posterior: The chains are stuck."


def test_a_market_that_was_never_run_has_no_numbers(store: Store) -> None:
    now = market_now(store, MarketState("fr", "never_run"))
    assert (now.overall, now.fitted_at, now.last_date, now.kpi_elpd_loo) == ("", None, None, None)
    assert now.stale == ""
