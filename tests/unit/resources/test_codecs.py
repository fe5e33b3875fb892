"""Codecs: a value survives its files, and the same value always gives the same bytes."""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dsam_assets.allocation.around_plan import EfficientFrontier, ResponseCurves
from dsam_assets.allocation.plan import BudgetPlan
from dsam_assets.config.schema import Config
from dsam_assets.config.schema_diagnostics import Waiver
from dsam_assets.config.slices import SLICES, config_slices
from dsam_assets.data.findings import Finding
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.build import BuiltMatrix
from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics.report import build_report
from dsam_assets.diagnostics.verdicts import Verdict
from dsam_assets.diagnostics.waivers import apply_waivers
from dsam_assets.fit.container import model_container
from dsam_assets.fit.draws import Draws, GroupDeviations
from dsam_assets.fit.model import FitResult
from dsam_assets.forecast.forecast import Forecast
from dsam_assets.report.figures.gallery import Gallery
from dsam_assets.report.fleet_status import MarketNow, fleet_status
from dsam_assets.selection.compare import RunEvidence
from dsam_assets.selection.fleet_comparison import compare_markets
from dsam_assets.verdict import GateResult
from resources.codecs import CODECS, csv_bytes, json_bytes, netcdf_bytes, parquet_bytes, read_netcdf
from resources.store import file_hashes, fingerprint


def round_trip(codec: str, value: Any, asset: str = "thing") -> Any:
    files = CODECS[codec].encode(asset, value)
    return CODECS[codec].decode(asset, tuple(files), files.__getitem__)


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "term": ["(Intercept)", "m_tv", "=1+1"],
            "value": [0.1, 1 / 3, -math.inf],
            "count": [1, 2, 3],
            "flag": [True, False, True],
            "date": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-15"]),
            "gap": [1.0, np.nan, 3.0],
        }
    )


def draws(seed: int = 1) -> Draws:
    rng = np.random.default_rng(seed)
    shape = (2, 5)
    return Draws(
        terms=("(Intercept)", "m_tv"),
        coef=rng.normal(size=(*shape, 2)),
        noise_sd=rng.gamma(2, size=shape),
        sampler={"diverging": rng.random(shape) < 0.5, "energy": rng.normal(size=shape), "n_steps": np.full(shape, 7)},
        max_treedepth=12,
        attributes={"seed": 7, "stan_version": "2.39.0", "ratio": 0.5},
    )


def matrix() -> ModelMatrix:
    rng = np.random.default_rng(2)
    return ModelMatrix(
        terms=("(Intercept)", "m tv", "x0"),
        values=np.asfortranarray(rng.normal(size=(4, 3))),
        response=rng.normal(size=4),
        offset=np.zeros(4),
        response_name="kpi",
        response_scale="log",
        rows=np.array([0, 2, 3, 5]),
        dropped={"m tv": 2},
    )


def row(value: float | None, status: Any) -> GateResult:
    return GateResult(
        gate="g2", check_id="sampler_rhat_max", phase="P1", severity="important", metric="max_rhat", value=value,
        threshold="fail > 1", status=status, subject="model", message="m", advice="a",
    )  # fmt: skip


def assert_same_draws(left: Draws, right: Draws) -> None:
    assert left.terms == right.terms
    assert left.max_treedepth == right.max_treedepth
    assert dict(left.attributes) == dict(right.attributes)
    np.testing.assert_array_equal(left.coef, right.coef)
    np.testing.assert_array_equal(left.noise_sd, right.noise_sd)
    assert set(left.sampler) == set(right.sampler)
    for name, values in left.sampler.items():
        np.testing.assert_array_equal(values, right.sampler[name])
        assert values.dtype == right.sampler[name].dtype, name


def config(changes: Mapping[str, Any] | None = None) -> Config:
    raw: dict[str, Any] = {"data": {"path": "data.csv"}, "model": {"name": "uk", "formula": "kpi ~ m_tv"}}
    return Config.model_validate({**raw, **(changes or {})})


VALUES: dict[str, Any] = {
    "table": frame(),
    "bulk_table": frame(),
    "tables": {"first": frame(), "second": frame()[["term"]]},
    "bulk_tables": {"first": frame()},
    "figures": Gallery({"fit_scatter": go.Figure(layout_title_text="ü")}, {"fit_scatter": b"png"}, b"small"),
    "forecast": Forecast({}, "provisional", "warn", ("a reason",)),
    "json": {"a": [1, 2.5, None], "b": "ü"},
    "text": {"a.txt": "line\nü\n", "b.txt": ""},
    "matrix": BuiltMatrix(matrix()),
    "draws": FitResult(draws()),
    "report": Verdict(build_report([row(1.5, "fail")], "publish", "strict", True), {}),
    "slice": config_slices(config())["fit"],
    "allocation": BudgetPlan({"budget_allocation": frame()[["term", "value"]].head(2)}, "final", "pass", ()),
    "response_curves": ResponseCurves({}, "provisional", "warn", ("a reason",)),
    "efficient_frontier": EfficientFrontier({}, "provisional", "warn", ("a reason",)),
    "fleet_status": fleet_status([MarketNow("uk", "never_run")], datetime(2024, 6, 1)),
    "comparison": compare_markets([RunEvidence("uk", "", {"market": "uk"}, gap="not fitted yet")]),
}


def test_every_codec_is_tested() -> None:
    assert set(VALUES) == set(CODECS)


@pytest.mark.parametrize("codec", VALUES)
def test_the_same_value_gives_the_same_bytes(codec: str) -> None:
    asset = "config/fit" if codec == "slice" else "thing"
    first = CODECS[codec].encode(asset, VALUES[codec])
    assert first
    assert CODECS[codec].encode(asset, VALUES[codec]) == first


def test_netcdf_bytes_do_not_depend_on_the_clock() -> None:
    first = CODECS["draws"].encode("posterior", FitResult(draws()))
    time.sleep(1.1)  # time stamps in HDF5 have whole seconds
    assert CODECS["draws"].encode("posterior", FitResult(draws())) == first
    assert CODECS["draws"].encode("posterior", FitResult(draws(seed=2))) != first


def test_a_decoded_value_encodes_to_the_same_bytes() -> None:
    again = {
        "matrix": BuiltMatrix,
        "draws": FitResult,
        "report": lambda value: Verdict(value, {}),
    }  # what is read back of these is their main part
    for codec in ("table", "tables", "json", "text", "matrix", "draws", "report"):
        files = CODECS[codec].encode("thing", VALUES[codec])
        back = round_trip(codec, VALUES[codec])
        assert CODECS[codec].encode("thing", again.get(codec, lambda value: value)(back)) == files, codec


@pytest.mark.parametrize("codec", ["table", "bulk_table"])
def test_tables_come_back(codec: str) -> None:
    pd.testing.assert_frame_equal(round_trip(codec, frame()), frame())
    files = CODECS[codec].encode("thing", frame())
    assert set(files) == ({"thing.parquet", "thing.csv"} if codec == "table" else {"thing.parquet"})


def test_several_tables_come_back() -> None:
    back = round_trip("tables", VALUES["tables"])
    assert list(back) == ["first", "second"]
    pd.testing.assert_frame_equal(back["first"], frame())


def test_figures_come_back_as_json() -> None:
    files = CODECS["figures"].encode("thing", VALUES["figures"])
    assert set(files) == {"thing.json", "fit_scatter.plot.json", "fit_scatter.png", "thing.preview.png"}
    back = round_trip("figures", VALUES["figures"])
    assert {name: json.loads(text)["layout"]["title"]["text"] for name, text in back.items()} == {"fit_scatter": "ü"}


def test_json_and_text_come_back() -> None:
    assert round_trip("json", VALUES["json"]) == VALUES["json"]
    assert round_trip("text", VALUES["text"]) == VALUES["text"]


def test_json_takes_numpy_scalars_and_refuses_what_json_cannot_say() -> None:
    assert json.loads(json_bytes({"a": np.float64(0.5), "b": np.int64(2)})) == {"a": 0.5, "b": 2}
    with pytest.raises(ValueError, match="JSON compliant"):
        json_bytes({"a": math.nan})
    with pytest.raises(TypeError, match="set has no JSON form"):
        json_bytes({"a": {1}})


def test_a_matrix_comes_back() -> None:
    original, files = matrix(), CODECS["matrix"].encode("thing", BuiltMatrix(matrix()))
    del [np.full((4, 3), 9.0) for _ in range(100)][:]  # memory that is handed out again must not look like the answer
    back = CODECS["matrix"].decode("thing", tuple(files), files.__getitem__)
    for name in ("values", "response", "offset", "rows"):
        np.testing.assert_array_equal(getattr(back, name), getattr(original, name))
    for name in ("terms", "response_name", "response_scale"):
        assert getattr(back, name) == getattr(original, name)
    assert dict(back.dropped) == {"m tv": 2}
    assert back.rows.dtype.kind == "i"


def test_draws_come_back() -> None:
    assert_same_draws(round_trip("draws", FitResult(draws())), draws())


def test_a_panel_comes_back() -> None:
    """Group terms with names that no column could have, group means, findings; and the draws of such a model."""
    finding = Finding("cre_no_within_variation", "x", 0.0, 1e-8, "x hardly varies.")
    rng = np.random.default_rng(3)
    first = GroupTerm(
        1, ("market",), ("(Intercept)", "log(x)"), rng.normal(size=(4, 2)), np.array([0, 1, 1, 0]), ("ä b", "c")
    )
    second = GroupTerm(
        2, ("market", "brand"), ("x",), rng.normal(size=(4, 1)), np.array([0, 1, 2, 0]), ("a:b", "c:d", "e")
    )
    panel = replace(matrix(), groups=(first, second), group_means=("x0",), findings=(finding,))
    back = round_trip("matrix", BuiltMatrix(panel))
    assert (back.model_class, back.group_means, back.findings) == ("cre", ("x0",), (finding,))
    for found, made in zip(back.groups, panel.groups, strict=True):
        assert (found.index, found.group, found.terms, found.levels) == (
            made.index,
            made.group,
            made.terms,
            made.levels,
        )
        np.testing.assert_array_equal(found.values, made.values)
        np.testing.assert_array_equal(found.codes, made.codes)
    deviations = tuple(
        GroupDeviations(
            group.key, group.levels, group.terms, rng.normal(size=(2, 5, len(group.levels), len(group.terms)))
        )
        for group in panel.groups
    )
    made = replace(draws(), group_sd={"sd_1[(Intercept)]": rng.random((2, 5))}, deviations=deviations)
    found = round_trip("draws", FitResult(made))
    assert_same_draws(found, made)
    np.testing.assert_array_equal(found.group_sd["sd_1[(Intercept)]"], made.group_sd["sd_1[(Intercept)]"])
    for one, other in zip(found.deviations, deviations, strict=True):
        assert (one.key, one.levels, one.terms) == (other.key, other.levels, other.terms)
        np.testing.assert_array_equal(one.values, other.values)


def test_a_pooled_model_comes_back() -> None:
    labels = PoolingMap(("m tv", "x0"), ("channel",), (("tv",), ("=1+1",)))
    dropped = pd.DataFrame({"channel": ["radio"], "variables": ["m_radio"], "waves": [2], "min_waves": [5]})
    pooled = BuiltMatrix(replace(matrix(), pooling=labels), {"dropped_groups": dropped})
    assert round_trip("matrix", pooled).pooling == labels
    files = CODECS["matrix"].encode("design_matrix", pooled)
    assert files["dropped_groups.csv"].decode().splitlines() == [
        "channel,variables,waves,min_waves",
        "radio,m_radio,2,5",
    ]
    made = replace(draws(), label_coef={"channel[tv]": np.ones((2, 5))})
    np.testing.assert_array_equal(round_trip("draws", FitResult(made)).label_coef["channel[tv]"], np.ones((2, 5)))


def test_a_point_estimate_comes_back() -> None:
    point = replace(draws(), sampler={}, attributes={"method": "optimise"})
    assert round_trip("draws", FitResult(point)).is_point


def test_the_model_file_holds_draws_design_and_config() -> None:
    two = replace(matrix(), terms=("(Intercept)", "m_tv"), values=matrix().values[:, :2])
    tree = read_netcdf(netcdf_bytes(model_container(draws(), two, "data: {}\n")))
    assert set(tree.children) == {"posterior", "sample_stats", "model"}
    np.testing.assert_array_equal(tree["model"]["design"].values, two.values)
    np.testing.assert_array_equal(tree["model"]["row"].values, two.rows)
    assert tree["model"].attrs["config"] == "data: {}\n"
    assert tree["model"].attrs["response_scale"] == "log"


@pytest.mark.parametrize("value", [1.5, math.inf, None])
def test_a_report_comes_back(value: float | None) -> None:
    report = build_report([row(value, "fail" if value else "not_computed")], "strict", "off", True)
    assert round_trip("report", Verdict(report, {}), "diagnostics_report") == report


def test_a_report_with_waivers_comes_back_with_them() -> None:
    waiver = Waiver.model_validate(
        {"check": "loo_pareto_k", "who": "=SUM(A1)", "why": 'a, "b"', "expires": "2030-01-31"}
    )
    day = dt.date(2030, 1, 31)
    rows, waivers = apply_waivers(
        [replace(row(1.5, "fail"), check_id="loo_pareto_k")], [waiver], "publish", "warn", day
    )
    report = build_report(rows, "publish", "warn", False, waivers)
    assert report.waivers[0].state == "applied"
    assert round_trip("report", Verdict(report, {}), "diagnostics_report") == report
    files = CODECS["report"].encode("diagnostics_report", Verdict(report, {}))
    assert b",'=SUM(A1)," in files["waivers.csv"]  # no spreadsheet runs it
    assert json.loads(files["policy.json"]) == {"mode": "publish", "gating": "warn", "enforce_publish_gate": False}


def test_a_report_has_its_table_text_and_documents() -> None:
    files = CODECS["report"].encode("diagnostics_report", VALUES["report"])
    assert set(files) == {
        "diagnostics_report.parquet", "diagnostics_report.csv", "diagnostics_summary.txt", "convergence_report.json",
        "pareto_k_summary.json", "calibration_report.json", "policy.json",
    }  # fmt: skip


@pytest.mark.parametrize("name", SLICES)
def test_slices_come_back(name: str) -> None:
    overrides = [{"parameter": "m_tv", "lower": -math.inf, "upper": math.inf}]
    waiver = {"check": "loo_pareto_k", "who": "a", "why": "b", "expires": "2030-01-31"}
    changes = {
        "boundaries": {"overrides": overrides},
        "diagnostics": {"model_selection": {"pareto_k_fail": math.inf}, "waivers": [waiver]},
        "allocation": {"objective": {"risk": {"lambda": 0.5}}},
    }
    value = config_slices(config(changes))[name]
    assert round_trip("slice", value, f"config/{name}") == value


def test_infinite_bounds_are_written_as_the_config_writes_them() -> None:
    boundaries = {"overrides": [{"parameter": "m_tv", "lower": 0}, {"parameter": "trend", "upper": 2}]}
    files = CODECS["slice"].encode("config/priors", config_slices(config({"boundaries": boundaries}))["priors"])
    (content,) = files.values()
    assert list(files) == ["config.priors.json"]
    assert json.loads(content)["boundaries"]["overrides"] == [
        {"parameter": "m_tv", "lower": 0.0, "upper": ".Inf"},
        {"parameter": "trend", "lower": "-.Inf", "upper": 2.0},
    ]


def test_an_allocation_is_its_tables_and_a_stamped_document() -> None:
    files = CODECS["allocation"].encode("allocation", VALUES["allocation"])
    assert set(files) == {"budget_allocation.parquet", "budget_allocation.csv", "budget_optimisation.json"}
    document = json.loads(files["budget_optimisation.json"])
    assert document["reliability"] == "final"
    assert [row["term"] for row in document["budget_allocation"]] == ["(Intercept)", "m_tv"]
    assert [row["value"] for row in document["budget_allocation"]] == pytest.approx([0.1, 1 / 3])


def test_an_allocation_keeps_every_digit_as_document_and_as_table() -> None:
    plan = replace(VALUES["allocation"], tables={"budget_impact": pd.DataFrame({"value": [1 / 3, 1e-12]})})
    files = CODECS["allocation"].encode("allocation", plan)
    assert json.loads(files["budget_optimisation.json"])["budget_impact"] == [{"value": 1 / 3}, {"value": 1e-12}]
    back = round_trip("allocation", plan, "allocation")
    assert back.tables["budget_impact"]["value"].tolist() == [1 / 3, 1e-12]


@pytest.mark.parametrize("codec", ["allocation", "response_curves", "efficient_frontier"])
def test_the_stamp_of_stored_tables_is_read_back(codec: str) -> None:
    value = replace(VALUES[codec], reliability="provisional", overall="fail", reasons=("first", "second"))
    back = round_trip(codec, value, codec)
    assert (back.reliability, back.overall, back.reasons) == ("provisional", "fail", ("first", "second"))
    assert set(back.tables) == set(value.tables)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_text_cannot_become_a_spreadsheet_formula(start: str) -> None:
    table = pd.DataFrame({"term": [f"{start}cmd", "safe"], "value": [-1.5, 2.0]})
    text = csv_bytes(table).decode()
    assert f"'{start}cmd" in text
    assert "safe,2.0" in text
    assert "-1.5" in text
    assert "'-1.5" not in text
    assert table["term"][0] == f"{start}cmd"  # the frame itself is left alone
    assert start + "cmd" in parquet_bytes(table).decode("latin-1")


def test_csv_text_of_other_text_types_is_guarded_too() -> None:
    table = pd.DataFrame({"a": pd.array(["=1"], dtype="string"), "b": pd.Categorical(["=2"])})
    assert csv_bytes(table).decode() == "a,b\n'=1,'=2\n"


def test_csv_floats_come_back_exactly() -> None:
    values = np.random.default_rng(3).normal(size=50) * 10.0 ** np.arange(-25, 25)
    text = csv_bytes(pd.DataFrame({"value": values})).decode()
    np.testing.assert_array_equal([float(line) for line in text.splitlines()[1:]], values)


def test_a_fingerprint_sees_names_and_contents() -> None:
    def version(files: dict[str, bytes]) -> str:
        return fingerprint(file_hashes(files))

    base = version({"a": b"1", "b": b"2"})
    assert version({"b": b"2", "a": b"1"}) == base
    others = [{"a": b"1", "c": b"2"}, {"a": b"12", "b": b""}, {"a": b"1"}, {"a": b"1", "b": b"3"}]
    assert len({base, *map(version, others)}) == 5
