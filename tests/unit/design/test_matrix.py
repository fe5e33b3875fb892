"""Design matrices against NumPy by hand, formulaic on the full data, and R's column names."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.formula import parse_formula
from dsam_assets.design.matrix import ModelMatrix, build_model_matrix
from dsam_assets.errors import DataError, DesignError, FormulaError


def frame(rows: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "y": rng.uniform(1, 9, rows),
            "x": rng.normal(size=rows),
            "z": np.arange(rows) + 1,
            "my col": rng.normal(size=rows),
            "region": np.resize(["North", "east", "South"], rows),
            "brand": pd.Categorical(np.resize(["B", "B", "A", "A"], rows), categories=["B", "A", "unused"]),
            "flag": np.arange(rows) % 5 == 0,
            "week": pd.date_range("2024-01-01", periods=rows, freq="7D"),
        }
    )


def build(text: str, data: pd.DataFrame | None = None, **options: Any) -> ModelMatrix:
    return build_model_matrix(parse_formula(text), frame() if data is None else data, **options)


R_COLUMNS = [
    # colnames(model.matrix(y ~ <left>, data)); region is character, brand factor(levels = c("B", "A")), flag logical
    ("x", ["(Intercept)", "x"]),
    ("1", ["(Intercept)"]),
    ("0 + x", ["x"]),
    ("x - 1 + I(x^2)", ["x", "I(x^2)"]),
    ("x*z", ["(Intercept)", "x", "z", "x:z"]),
    ("log(z):x", ["(Intercept)", "log(z):x"]),
    ("`my col`", ["(Intercept)", "`my col`"]),
    ("region", ["(Intercept)", "regionNorth", "regionSouth"]),
    ("0 + region", ["regioneast", "regionNorth", "regionSouth"]),
    ("0 + region + brand", ["regioneast", "regionNorth", "regionSouth", "brandA"]),
    ("brand", ["(Intercept)", "brandA"]),
    ("flag", ["(Intercept)", "flagTRUE"]),
    ("0 + x + flag", ["x", "flagFALSE", "flagTRUE"]),
    ("x + x:region", ["(Intercept)", "x", "x:regionNorth", "x:regionSouth"]),
    ("x:region", ["(Intercept)", "x:regioneast", "x:regionNorth", "x:regionSouth"]),
    ("brand*x", ["(Intercept)", "brandA", "x", "brandA:x"]),
    (
        "region*brand",
        ["(Intercept)", "regionNorth", "regionSouth", "brandA", "regionNorth:brandA", "regionSouth:brandA"],
    ),
    (
        "brand/region",
        ["(Intercept)", "brandA", *(f"brand{b}:region{r}" for r in ("North", "South") for b in ("B", "A"))],
    ),
    ("`my col`:flag", ["(Intercept)", "`my col`:flagFALSE", "`my col`:flagTRUE"]),
    ("x + offset(z) + (1 | brand)", ["(Intercept)", "x"]),
]


@pytest.mark.parametrize(("right", "columns"), R_COLUMNS)
def test_column_names_are_those_of_r(right: str, columns: list[str]) -> None:
    assert list(build(f"y ~ {right}").terms) == columns


def test_numeric_matrix_equals_numpy() -> None:
    data = frame()
    x, z = data["x"].to_numpy(), data["z"].to_numpy(dtype=float)
    result = build("y ~ x*z + log(z) + I(x^2):z")
    np.testing.assert_array_equal(result.values, np.column_stack([np.ones(12), x, z, np.log(z), x * z, x**2 * z]))
    assert result.terms == ("(Intercept)", "x", "z", "log(z)", "x:z", "z:I(x^2)")
    assert result.values.dtype == np.float64
    np.testing.assert_array_equal(result.response, data["y"])
    np.testing.assert_array_equal(result.offset, np.zeros(12))
    np.testing.assert_array_equal(result.rows, np.arange(12))
    assert (result.response_name, result.response_scale, dict(result.dropped)) == ("y", "identity", {})


def test_factor_columns_by_hand() -> None:
    data = frame()
    result = dict(
        zip(build("y ~ x:region + brand + flag").terms, build("y ~ x:region + brand + flag").values.T, strict=True)
    )
    np.testing.assert_array_equal(result["x:regionNorth"], data["x"] * (data["region"] == "North"))
    np.testing.assert_array_equal(result["brandA"], data["brand"] == "A")
    np.testing.assert_array_equal(result["flagTRUE"], data["flag"])


FACTORS = ["x", "z", "region", "brand", "flag"]


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_columns_equal_formulaic_on_the_full_data(degree: int) -> None:
    from formulaic import model_matrix

    data = frame(60)
    data["region"] = pd.Categorical(data["region"], categories=["east", "North", "South"])
    data["flag"] = pd.Categorical(data["flag"])
    data["brand"] = data["brand"].cat.remove_unused_categories()
    for chosen in itertools.combinations(FACTORS, degree):
        for right in ("*".join(chosen), ":".join(chosen), "0 + " + "*".join(chosen), "0 + " + ":".join(chosen)):
            expected = np.asarray(model_matrix(right, data), dtype=float)
            np.testing.assert_allclose(build(f"y ~ {right}", data).values, expected, err_msg=right)


def test_formulaic_sees_generated_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import formulaic

    seen: list[object] = []
    original = formulaic.Formula

    def spy(spec: list[str], **options: Any) -> Any:
        seen.append(spec)
        return original(spec, **options)

    monkeypatch.setattr(formulaic, "Formula", spy)
    hostile = "__import__('os').system('id')"
    data = frame().rename(columns={"my col": hostile})
    data["region"] = data["region"].replace("North", "{__import__('os')}]:v0[T.1")
    result = build(f"y ~ `{hostile}`*region", data)
    assert seen == [["1", "v0", "v1", "v0:v1"]]
    first, second = "{__import__('os')}]:v0[T.1", "South"
    levels = sorted([first, second, "east"], key=str.casefold)[1:]
    assert list(result.terms[2:4]) == [f"region{level}" for level in levels]
    assert result.terms[4] == f"`{hostile}`:region{levels[0]}"


def test_log_response_and_offsets() -> None:
    data = frame()
    result = build("log(y) ~ x + offset(log(z)) + offset(x)")
    np.testing.assert_array_equal(result.response, np.log(data["y"]))
    np.testing.assert_allclose(result.offset, np.log(data["z"]) + data["x"])
    assert (result.response_name, result.response_scale) == ("y", "log")


def test_rows_with_missing_values_are_dropped_and_counted() -> None:
    data = frame()
    data.loc[[0, 3], "x"] = np.nan
    data.loc[3, "y"] = np.nan
    data.loc[5, "region"] = None
    data.loc[7, "my col"] = np.nan
    data.loc[9, "z"] = np.nan
    data.loc[10, "brand"] = np.nan
    result = build("y ~ I(x^2):region + offset(z) + (1 | brand)", data)
    assert dict(result.dropped) == {"x": 2, "y": 1, "region": 1, "z": 1, "brand": 1}
    np.testing.assert_array_equal(result.rows, [1, 2, 4, 6, 7, 8, 11])
    np.testing.assert_array_equal(result.response, data["y"].to_numpy()[result.rows])
    assert result.values.shape[0] == result.offset.size == 7


def test_missing_values_can_be_refused() -> None:
    data = frame()
    data.loc[[2, 4], "x"] = np.nan
    with pytest.raises(DataError, match=r"x: 2 missing, rows 2, 4"):
        build("y ~ x", data, na_action="error")
    build("y ~ z", data, na_action="error")


def test_a_lag_is_taken_before_rows_are_dropped() -> None:
    data = frame(5)
    data.loc[2, "z"] = np.nan
    result = build("y ~ lag(z)", data, date_var="week")
    assert dict(result.dropped) == {"lag(z)": 2}
    np.testing.assert_array_equal(result.rows, [1, 2, 4])
    np.testing.assert_array_equal(result.values[:, 1], [1, 2, 4])


def test_lag_by_group() -> None:
    data = frame(6).assign(region=list("abaabb"))
    data["week"] = data["week"].iloc[[0, 0, 1, 2, 1, 2]].to_numpy()
    result = build("y ~ lag(z)", data, date_var="week", groups=("region",))
    np.testing.assert_array_equal(result.values[:, 1], [1, 3, 2, 5])


def test_levels_without_rows_are_left_out() -> None:
    data = frame()
    data.loc[data["region"] == "east", "x"] = np.nan
    result = build("y ~ region + x", data)
    assert result.terms == ("(Intercept)", "regionSouth", "x")
    np.testing.assert_array_equal(result.values[:, 1], data["region"].to_numpy()[result.rows] == "South")


def test_text_levels_sort_without_regard_to_case() -> None:
    data = frame(4).assign(region=["b", "C", "a", "b"])
    result = build("y ~ region", data)
    assert result.terms == ("(Intercept)", "regionb", "regionC")
    np.testing.assert_array_equal(result.values[:, 1:], [[1, 0], [0, 1], [0, 0], [1, 0]])


def test_many_terms_beside_a_factor_keep_their_order() -> None:
    columns = {f"x{i}": np.arange(12) + i for i in range(12)}
    right = " + ".join(["flag", *columns])
    assert build(f"y ~ {right}", frame().assign(**columns)).terms == ("(Intercept)", "flagTRUE", *columns)


def test_rows_in_messages_are_rows_of_the_frame() -> None:
    data = frame()
    data.loc[:3, "x"] = np.nan
    data.loc[[1, 6], "y"] = 0
    with pytest.raises(DesignError, match=r"1 value of 0 or less .* in row 6 "):
        build("log(y) ~ x", data)


@pytest.mark.parametrize(
    ("text", "change", "error", "words"),
    [
        ("y ~ x + regoin", {}, FormulaError, "no column `regoin`\n\n    y ~ x + regoin\n            ^"),
        ("y ~ x + regoin", {}, FormulaError, "did you mean region?"),
        ("y ~ (1 | brnd)", {}, FormulaError, "did you mean brand?"),
        ("y ~ x", {"x": np.inf}, DataError, "non-finite"),
        ("y ~ x", {"y": -np.inf}, DataError, "column y holds non-finite"),
        ("y ~ x", {"y": True}, DataError, "response y is not numeric"),
        ("y ~ x", {"y": "high"}, DataError, '"high" in 12 rows'),
        ("y ~ x", {"x": np.nan}, DataError, "x: 12 missing"),
        ("y ~ x", {"x": ["1"] * 11 + ["na"]}, DataError, '"na" in 1 row'),
        ("y ~ x", {"x": ["1"] * 2 + ["na"] * 10}, DataError, '"na" in 10 rows'),
        ("y ~ x", {"x": ["1"] * 11 + ["oops"]}, DataError, '"oops" in 1 row'),
        ("y ~ x", {"x": [1] * 11 + ["na"]}, DataError, '"na" in 1 row'),
        ("log(y) ~ x", {"y": [0.0, 1.0] * 6}, DesignError, "6 values of 0 or less (lowest 0) in rows 0, 2, 4, 6, 8"),
        ("y ~ region", {"region": [f"r{i}" for i in range(12)]}, DataError, "12 values in 12 rows"),
        ("y ~ region", {"region": "North"}, DataError, "only one value"),
        ("y ~ flag", {"flag": False}, DataError, "only one value"),
        ("y ~ week", {}, DataError, "datetime64"),
        ("y ~ 0", {}, DesignError, "no predictors"),
        ("y ~ x:z", {"x": 1e200, "z": 1e200}, DesignError, "interaction x:z is too large"),
        ("y ~ a*b*c", {n: pd.Categorical([f"l{i}" for i in range(12)]) for n in "abc"}, DesignError, "2,196 columns"),
        ("y ~ x", {"y": [True, None] * 6}, DataError, "response y is not numeric"),
        ("y ~ region + regionNorth", {"regionNorth": range(12)}, DesignError, "same name"),
        ("y ~ log(x)", {"x": [1.0] * 11 + [-1.0]}, DesignError, "x is -1 in row 11"),
        ("y ~ lag(x)", {}, FormulaError, "date column"),
    ],
)
def test_bad_data_is_named(text: str, change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        build(text, frame().assign(**change))
    assert words in str(caught.value)


def test_text_with_many_levels_is_an_identifier() -> None:
    data = frame(200).assign(region=[f"r{i % 51}" for i in range(200)])
    with pytest.raises(DataError, match="51 values in 200 rows"):
        build("y ~ region", data)
    assert len(build("y ~ region", data.assign(region=pd.Categorical(data["region"]))).terms) == 51
    assert len(build("y ~ region", data[data["region"] != "r50"]).terms) == 50


def test_no_rows_and_repeated_columns_are_refused() -> None:
    with pytest.raises(DataError, match="No rows are left"):
        build("y ~ x", frame(0))
    with pytest.raises(DataError, match="occurs 2 times"):
        build("y ~ x", pd.concat([frame(), frame()[["x"]]], axis=1))


def test_the_frame_is_not_changed_and_not_shared() -> None:
    data = frame()
    before = data.copy(deep=True)
    result = build("y ~ x*region + I(x^2)", data)
    result.values[:] = 0
    result.response[:] = 0
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.slow
def test_a_million_rows_in_seconds() -> None:
    import time
    import tracemalloc

    rng = np.random.default_rng(1)
    data = pd.DataFrame({f"x{i}": rng.normal(size=1_000_000) for i in range(12)}).assign(y=rng.normal(size=1_000_000))
    formula = parse_formula("y ~ " + " + ".join(f"x{i}" for i in range(12)))
    start = time.perf_counter()
    assert build_model_matrix(formula, data).values.shape == (1_000_000, 13)
    assert time.perf_counter() - start < 5
    tracemalloc.start()
    build_model_matrix(formula, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6
