"""The specification's examples on data: run end to end with a stand-in for Stan, or validated where it has none.

The stand-in knows the linear program, which serves blm, pooled and MAP; hierarchical models are read, checked and
designed, up to the sampler.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_stan_resource import FakeStan
from specification_modelling import BOUNDARIES, CRE, CRE_MODEL, PRIORS, TIME_COMPONENTS
from specification_page import Example
from specification_schema import MINIMAL

import dsam_assets.definitions
from dsam_assets.design.model_design import design_prior_table
from dsam_assets.errors import DsamError
from dsam_assets.preflight import Preflight, load_checked, preflight
from dsam_assets.running import run_from_yaml

MEDIA = ("m_tv", "m_search", "m_social", "m_display", "m_ooh", "m_email", "m_affiliate")
SHORT = "fit: {seed: 1, mcmc: {iter: 200, warmup: 100}}\n"  # the iterations of the page on debugging
MAP = "fit: {seed: 1, method: optimise, optimise: {n_runs: 10}}\n"
WEEKS = 80


def weekly() -> pd.DataFrame:
    """A market whose columns are those that the examples name; media columns are spends, too."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"date": pd.date_range("2023-01-02", periods=WEEKS, freq="7D")})
    frame["trend"] = frame["t_scaled"] = np.linspace(-1, 1, WEEKS)
    for number in (1, 2):
        turn = 2 * np.pi * number * np.arange(WEEKS) / 52
        frame[f"sin52_{number}"], frame[f"cos52_{number}"] = np.sin(turn), np.cos(turn)
    frame["seasonality"] = frame["sin52_1"] + 0.5 * frame["cos52_1"]
    for name in ("price_index", "distribution", "competitor_discount", "brand_metric", "x1", "x2"):
        frame[name] = rng.normal(size=WEEKS)
    for position, name in enumerate(("black_friday", "christmas", "new_year", "easter", "summer_sale")):
        frame[f"h_{name}"] = (np.arange(WEEKS) % 52 == 8 * position + 3).astype(int)
    for name in MEDIA:
        frame[name] = rng.gamma(2.0, 20.0, WEEKS)
    media = frame[list(MEDIA)] @ np.linspace(0.8, 0.2, len(MEDIA))
    frame["kpi"] = 300 + 20 * frame["trend"] - 3 * frame["competitor_discount"] + media + rng.normal(0, 5, WEEKS)
    frame["y"] = 5 + frame["x1"] - 2 * frame["x2"] + rng.normal(0, 0.3, WEEKS)
    return frame


def panel(markets: tuple[str, ...] = ("at", "be", "ch", "de", "fr")) -> pd.DataFrame:
    """The same for several markets, whose media differ in level."""
    parts = []
    for position, market in enumerate(markets):
        rows = weekly().iloc[10 * position : 10 * position + 40].assign(market=market)
        for name in MEDIA:
            rows[name] *= 1 + 0.3 * position
        rows["date"] = weekly()["date"].iloc[:40].to_numpy()
        parts.append(rows.assign(kpi=rows["kpi"] + 15 * position, kpi_value=rows["kpi"] * 2))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def market(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a config beside data, calendar and pooling map; returns its path."""
    folder = tmp_path / "configs"
    (folder / "data").mkdir(parents=True)
    weekly().to_csv(folder / "data.csv", index=False)
    weekly().to_csv(folder / "data" / "your_data.csv", index=False)
    panel().to_csv(folder / "panel.csv", index=False)
    (folder / "data" / "holidays.csv").write_text(
        "date,holiday\n2023-04-09,Easter\n2023-11-24,Black Friday\n2023-12-25,Christmas\n2024-01-01,New Year's Day\n"
    )
    labels = "variable,channel\nm_tv,offline\nm_search,online\nm_social,online\n"
    (folder / "map.csv").write_text(labels)
    (folder / "map_sparse.csv").write_text(labels + "h_easter,events\n")

    def write(text: str) -> Path:
        path = folder / "example.yaml"
        path.write_text(Example("", text).yaml)
        return path

    return write


@pytest.fixture(scope="module")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dagster")


@pytest.fixture
def run(
    market: Callable[[str], Path], dagster_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Runs a config through the whole graph; returns the run folder."""
    monkeypatch.setattr(dsam_assets.definitions, "StanResource", lambda progress: FakeStan(progress=progress))
    monkeypatch.setenv("DSAM_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))

    def complete(text: str) -> Path:
        result = run_from_yaml(market(text), run_dir=str(tmp_path / "run"))
        assert result.status == "complete", result.halted_by
        return tmp_path / "run"

    return complete


@pytest.fixture
def validated(market: Callable[[str], Path]) -> Callable[[str], Preflight]:
    return lambda text: preflight(load_checked(market(text)))


def parameters(folder: Path, stage: str = "30_post_run/posterior_summary.csv") -> list[str]:
    return list(pd.read_csv(folder / stage)["parameter"])


# --- run ------------------------------------------------------------------------------------------------------------


def test_config_schema_the_minimal_config_runs(run: Callable[[str], Path]) -> None:
    folder = run(MINIMAL + SHORT)
    assert parameters(folder)[:3] == ["(Intercept)", "x1", "x2"]
    resolved = (folder / "00_run_metadata" / "config.resolved.yaml").read_text()
    assert "formula: y ~ x1 + x2" in resolved
    assert "iter: 200" in resolved


FIRST_MODEL = (
    "model:\n  formula: kpi ~ t_scaled + sin52_1 + cos52_1 + sin52_2 + cos52_2 + h_black_friday + h_christmas + "
    "h_new_year + h_easter + h_summer_sale + price_index + distribution + " + " + ".join(MEDIA) + "\n"
)
SIGNS = "boundaries: {overrides: [" + ", ".join(f"{{parameter: {name}, lower: 0}}" for name in MEDIA) + "]}\n"
PRICE = "priors: {overrides: [{parameter: price_index, mean: -0.2, sd: 0.1}]}\n"


@pytest.mark.parametrize("fit", [SHORT, MAP], ids=["mcmc", "map"])
def test_your_first_blm_model_runs_by_mcmc_and_map(run: Callable[[str], Path], fit: str) -> None:
    folder = run(FIRST_MODEL + SIGNS + PRICE + fit)
    if fit == MAP:
        assert len(pd.read_csv(folder / "30_post_run" / "optimisation_runs.csv")) == 10
    else:
        assert set(MEDIA) < set(parameters(folder))
        summary = pd.read_csv(folder / "30_post_run" / "posterior_summary.csv").set_index("parameter")
        assert (summary.loc[list(MEDIA), "mean"] > 0).all()


def test_priors_and_boundaries_reach_the_model_in_the_units_of_the_data(run: Callable[[str], Path]) -> None:
    text = "model: {formula: kpi ~ trend + price_index + competitor_discount + m_tv}\n" + PRIORS + BOUNDARIES + SHORT
    folder = run(text)
    table = pd.read_csv(folder / "10_pre_run" / "prior_table.csv").set_index("parameter")
    assert table.loc["m_tv", ["mean", "sd", "lower", "is_default"]].tolist() == [0.5, 0.2, 0.0, False]
    assert table.loc["price_index", ["mean", "sd"]].tolist() == [-0.2, 0.1]
    assert table.loc["competitor_discount", ["lower", "upper"]].tolist() == [-np.inf, 0.0]
    assert bool(table.loc["trend", "is_default"])


def test_time_components_run_and_holidays_enter_the_formula(run: Callable[[str], Path]) -> None:
    folder = run(TIME_COMPONENTS + SHORT)
    names = {"holiday_easter", "holiday_black_friday", "holiday_christmas", "holiday_new_year_s_day"}
    assert names < set(parameters(folder))
    manifest = pd.read_csv(folder / "10_pre_run" / "holiday_feature_manifest.csv")
    assert set(manifest["feature"]) == names


POOLED = (
    "model: {formula: kpi ~ m_tv + m_search + m_social + trend + seasonality, type: pooled}\n"
    "pooling: {grouping_vars: [channel], map_path: map.csv}\n"
)


@pytest.mark.parametrize("fit", [SHORT, MAP], ids=["mcmc", "map"])
def test_model_classes_the_pooled_model_runs(run: Callable[[str], Path], fit: str) -> None:
    """By MAP with a media variable that is active in two weeks only, and too few of them."""
    sparse = POOLED.replace(" + trend", " + h_easter + trend").replace("map.csv", "map_sparse.csv, min_waves: 8")
    folder = run((POOLED if fit == SHORT else sparse) + fit) / "10_pre_run"
    table = pd.read_csv(folder / "prior_table.csv").set_index("parameter")
    assert {"channel[offline]", "channel[online]", "trend", "noise_sd"} < set(table.index)
    assert not {"m_tv", "h_easter", "channel[events]"} & set(table.index)
    assert table.loc[["channel[offline]", "channel[online]"], "scaled_sd"].tolist() == [5, 5]
    dropped = folder / "dropped_groups.csv"
    assert dropped.exists() == (fit == MAP)
    if fit == MAP:
        assert pd.read_csv(dropped)[["channel", "variables", "waves"]].to_numpy().tolist() == [
            ["events", "h_easter", 2]
        ]


def test_response_scale_a_log_model_reports_both_scales(run: Callable[[str], Path]) -> None:
    folder = run("model: {formula: log(kpi) ~ trend + m_tv + m_search}\n" + SHORT) / "30_post_run"
    observed, kpi = pd.read_csv(folder / "observed.csv"), pd.read_csv(folder / "observed_kpi.csv")
    np.testing.assert_allclose(observed["observed"], np.log(weekly()["kpi"]))
    np.testing.assert_allclose(kpi["observed"], weekly()["kpi"])
    assert set(kpi["conversion_method"]) == {"point_exp"}
    assert set(pd.read_csv(folder / "fitted_kpi.csv")["conversion_method"]) == {"conditional_mean"}


BUDGET = """\
allocation:
  enabled: true
  n_candidates: 50
  budget: {total: 160}
  channels:
    - {term: m_tv, bounds: {min: 5, max: 100}}
    - {term: m_search, name: Search, spend_col: m_search, bounds: {max: 100}, response: {type: atan, scale: 40}}
    - {term: m_social, bounds: {max: 100}, response: {type: log1p, scale: 40}}
    - {term: m_email, bounds: {max: 100}, response: {type: hill, k: 40, n: 1.5}}
"""
FOUR = "model: {formula: kpi ~ trend + m_tv + m_search + m_social + m_email}\n"


def test_budget_optimisation_runs_for_every_response(run: Callable[[str], Path]) -> None:
    table = pd.read_csv(run(FOUR + BUDGET + SHORT) / "60_optimisation" / "budget_allocation.csv")
    assert table["channel"].tolist() == ["m_tv", "Search", "m_social", "m_email"]
    assert table["spend_optimised"].sum() == pytest.approx(160)
    assert table["spend_optimised"].between(table["spend_min"] - 1e-9, table["spend_max"] + 1e-9).all()
    np.testing.assert_allclose(table["spend_reference"], weekly()[["m_tv", "m_search", "m_social", "m_email"]].mean())


# --- validate -------------------------------------------------------------------------------------------------------

PANEL_DATA = "data: {path: panel.csv, date_var: date}\n"
FIRST_HIERARCHICAL = (
    "model:\n  formula: kpi_value ~ trend + seasonality + brand_metric + m_tv + m_search + m_social + "
    "(1 + m_tv + m_search + m_social | market)\n"
)


def prior_rows(checked: Preflight) -> pd.DataFrame:
    return design_prior_table(checked.design).set_index("parameter")


def test_your_first_hierarchical_model(validated: Callable[[str], Preflight]) -> None:
    signs = "boundaries: {overrides: [{parameter: m_tv, lower: 0}, {parameter: m_search, lower: 0}]}\n"
    checked = validated(PANEL_DATA + FIRST_HIERARCHICAL + signs)
    assert checked.loaded.config.model.type == checked.design.matrix.model_class == "re"
    rows = prior_rows(checked)
    assert {"sd_1[(Intercept)]", "sd_1[m_tv]", "sd_1[m_search]", "sd_1[m_social]"} < set(rows.index)
    assert rows.loc["m_tv", "lower"] == 0
    assert rows.loc["m_social", "lower"] == -np.inf


def test_cre_means_are_population_terms_with_default_priors(validated: Callable[[str], Preflight]) -> None:
    checked = validated(PANEL_DATA + CRE_MODEL + CRE)
    means = ("cre_mean_m_tv", "cre_mean_m_search", "cre_mean_m_social")
    matrix = checked.design.matrix
    assert (matrix.model_class, matrix.group_means) == ("cre", means)
    assert matrix.terms == ("(Intercept)", "m_tv", "m_search", "trend", *means)
    assert set(matrix.groups[0].terms) == {"(Intercept)", "m_tv", "m_search"}
    expected = panel().groupby("market")["m_social"].transform("mean")
    np.testing.assert_allclose(matrix.values[:, matrix.terms.index("cre_mean_m_social")], expected)
    rows = prior_rows(checked).loc[list(means)]
    assert rows["is_default"].all()
    assert rows["boundary_is_default"].all()
    assert (rows["scaled_sd"] == 5).all()
    assert (rows[["lower", "upper"]].to_numpy() == [-np.inf, np.inf]).all()


def test_more_cre_variables_than_groups_warns_and_as_many_do_not(
    validated: Callable[[str], Preflight], market: Callable[[str], Path]
) -> None:
    text = PANEL_DATA + CRE_MODEL + CRE
    folder = market(text).parent
    for markets, status in ((("at", "be"), "warn"), (("at", "be", "ch"), "pass")):
        panel(markets).to_csv(folder / "panel.csv", index=False)
        (gate,) = [gate for gate in validated(text).gates if gate.check_id == "pre_identification"]
        assert gate.status == status
        assert ("3 CRE variables for 2 groups of market" in gate.message) == (status == "warn")


def test_two_groupings_need_the_group_to_be_named(validated: Callable[[str], Preflight]) -> None:
    crossed = CRE_MODEL.replace("}", " + (1 | seasonality)}")
    assert validated(PANEL_DATA + crossed + CRE).design.matrix.group_means
    with pytest.raises(DsamError, match=r"cre\.group does not say which"):
        validated(PANEL_DATA + crossed + CRE.replace("  group: market\n", ""))
    with pytest.raises(DsamError, match="not a grouping of the formula: region"):
        validated(PANEL_DATA + crossed + CRE.replace("group: market", "group: region"))


def test_the_way_out_of_constant_means_is_to_switch_cre_off(
    validated: Callable[[str], Preflight], market: Callable[[str], Path]
) -> None:
    """`model.type: re` alone is not it: an enabled `cre` section makes the model a cre again."""
    constant = PANEL_DATA + CRE_MODEL.replace("}", ", type: re}") + CRE.replace("m_social", "week")
    write_bad_inputs(market(constant).parent)
    with pytest.raises(DsamError, match="Constant CRE mean terms") as caught:
        validated(constant)
    assert "cre.enabled: false and model.type: re" in str(caught.value)
    assert validated(constant.replace("enabled: true", "enabled: false")).design.matrix.model_class == "re"


BAD = [
    ("Config Schema: long data with a repeated key",
     "data: {path: long.csv, format: long, date_var: date, long_id_col: id, long_variable_col: variable, "
     "long_value_col: value}\nmodel: {formula: kpi ~ m_tv}\n", "rows repeat a unit, date and variable"),
    ("Config Schema: the prior's parameter exists",
     "priors: {overrides: [{parameter: m_tvv, mean: 0, sd: 1}]}\n", "priors.overrides names a parameter that"),
    ("Config Schema: the boundary's parameter exists",
     "boundaries: {overrides: [{parameter: m_tvv, lower: 0}]}\n", "boundaries.overrides names a parameter that"),
    ("Config Schema: formula variables exist in the data", "model: {formula: kpi ~ trendd}\n", "no column `trendd`"),
    ("Config Schema: missing values under error", "data: {path: gaps.csv, date_var: date, na_action: error}\n",
     "missing values"),
    ("Config Schema: the map has a column variable", POOLED.replace("map.csv", "map_without_variable.csv"),
     "The pooling map has no column variable"),
    ("Config Schema: the map has the grouping columns", POOLED.replace("[channel]", "[platform]"),
     "The pooling map has no column platform"),
    ("Config Schema: the map's variables are unique", POOLED.replace("map.csv", "map_twice.csv"),
     "The pooling map has a variable twice"),
    ("Config Schema: log response without a baseline", FOUR.replace("kpi ~", "log(kpi) ~") + BUDGET, "kpi_baseline"),
    ("Budget Optimisation: a channel's term is in the model",
     FOUR.replace(" + m_email", "") + BUDGET, "A channel's term is not in the model: m_email"),
    ("Debug Run Failures: constant column", "model: {formula: kpi ~ trend + I(0*m_tv + 3)}\n", "constant"),
    ("Debug Run Failures: non-finite values", "model: {formula: log(x1) ~ trend}\n", "needs values above 0"),
    ("CRE: constant means", PANEL_DATA + CRE_MODEL + CRE.replace("m_social", "week"), "Constant CRE mean terms"),
    ("CRE: variables are in the data", PANEL_DATA + CRE_MODEL + CRE.replace("m_social", "m_radio"),
     "not in the data: m_radio"),
    ("CRE: variables are numeric", PANEL_DATA + CRE_MODEL + CRE.replace("m_social", "tier"), "tier is not numeric"),
    ("CRE: means do not vary by group",
     PANEL_DATA + CRE_MODEL.replace("1 + m_tv", "1 + cre_mean_m_tv") + CRE, "CRE means cannot vary by group"),
    ("CRE: one group", "data: {path: one.csv, date_var: date}\n" + CRE_MODEL + CRE, "Constant CRE mean terms"),
    ("Model Classes: one group", "data: {path: one.csv, date_var: date}\n" + CRE_MODEL, "only one group"),
    ("Time Components: no date column", TIME_COMPONENTS.replace("holidays.csv", "no_date.csv"),
     "no date column of a known name"),
    ("Time Components: weeks begin on another day", TIME_COMPONENTS.replace("start: monday", "start: sunday"),
     "not every date of the data is the Sunday"),
    ("Time Components: a generated name is taken", TIME_COMPONENTS.replace("prefix: holiday_", "prefix: h_"),
     "names of columns of the data"),
    ("Time Components: two labels, one name", TIME_COMPONENTS.replace("holidays.csv", "collision.csv"),
     "same feature name holiday_black_friday"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_examples_that_the_data_refuse(market: Callable[[str], Path], text: str, words: str) -> None:
    path = market(text)
    write_bad_inputs(path.parent)
    with pytest.raises(DsamError) as caught:
        preflight(load_checked(path))
    assert words in str(caught.value)


def write_bad_inputs(folder: Path) -> None:
    """Data, maps and calendars that break one rule each; the panel gets a week number and a text column."""
    rows = panel()
    rows.assign(week=rows.groupby("market").cumcount(), tier="a").to_csv(folder / "panel.csv", index=False)
    panel(("at",)).to_csv(folder / "one.csv", index=False)
    frame = weekly()
    frame.loc[3, "trend"] = np.nan
    frame.to_csv(folder / "gaps.csv", index=False)
    repeated = [f"a,2024-01-0{day},{name},{day}\n" for day in (1, 8) for name in ("kpi", "m_tv", "kpi")]
    (folder / "long.csv").write_text("id,date,variable,value\n" + "".join(repeated))
    (folder / "map_without_variable.csv").write_text("term,channel\nm_tv,offline\n")
    (folder / "map_twice.csv").write_text("variable,channel\nm_tv,offline\nm_tv,online\n")
    (folder / "data" / "no_date.csv").write_text("day,holiday\n2023-12-25,Christmas\n")
    (folder / "data" / "collision.csv").write_text("ds,holiday\n2023-11-24,Black Friday\n2023-11-24,black-friday\n")


def test_priors_of_a_pooled_model_are_those_of_labels_and_noise(validated: Callable[[str], Preflight]) -> None:
    rows = prior_rows(
        validated(
            POOLED + "priors: {overrides: [{parameter: noise_sd, family: lognormal_ms, mean: 10, sd: 4}]}\n"
            "boundaries: {overrides: [{parameter: 'channel[online]', lower: 0}]}\n"
        )
    )
    assert rows.loc["noise_sd", ["family", "mean", "sd"]].tolist() == ["lognormal_ms", 10, 4]
    assert rows.loc[["channel[online]", "channel[offline]"], "lower"].tolist() == [0, -np.inf]


def test_a_log_response_may_go_without_a_baseline_where_relative_uplift_is_allowed(
    validated: Callable[[str], Preflight],
) -> None:
    log = FOUR.replace("kpi ~", "log(kpi) ~")
    for objective in ("allow_relative_log_uplift: true", "kpi_baseline: 400"):
        validated(log + BUDGET.replace("  channels:", f"  objective: {{{objective}}}\n  channels:"))


@pytest.mark.parametrize(("formula", "scale"), [("kpi ~ trend + m_tv", "identity"), ("log(kpi) ~ trend + m_tv", "log")])
def test_response_scale_is_read_from_the_left_side(
    validated: Callable[[str], Preflight], formula: str, scale: str
) -> None:
    matrix = validated(f"model: {{formula: {formula}}}\n").design.matrix
    assert (matrix.response_name, matrix.response_scale) == ("kpi", scale)


@pytest.mark.parametrize("scale", ["true", "false"])
def test_zero_and_infinite_bounds_are_the_same_on_either_scale(
    validated: Callable[[str], Preflight], scale: str
) -> None:
    text = f"model: {{formula: kpi ~ price_index + competitor_discount + m_tv, scale: {scale}}}\n" + BOUNDARIES
    rows = prior_rows(validated(text))
    assert rows.loc["m_tv", ["lower", "scaled_lower", "upper", "scaled_upper"]].tolist() == [0, 0, np.inf, np.inf]
    assert rows.loc["competitor_discount", ["scaled_lower", "scaled_upper"]].tolist() == [-np.inf, 0]


def test_finite_bounds_and_prior_sds_are_scaled_by_the_spreads(validated: Callable[[str], Preflight]) -> None:
    bounds = "boundaries: {overrides: [{parameter: m_tv, lower: -0.5, upper: 2}]}\n"
    checked = validated("model: {formula: kpi ~ price_index + m_tv}\n" + PRIORS + bounds)
    ratio = weekly()["m_tv"].std() / weekly()["kpi"].std()
    rows = prior_rows(checked)
    assert rows.loc["m_tv", ["scaled_lower", "scaled_upper"]].tolist() == pytest.approx([-0.5 * ratio, 2 * ratio])
    assert rows.loc["m_tv", ["scaled_mean", "scaled_sd"]].tolist() == pytest.approx([0.5 * ratio, 0.2 * ratio])
