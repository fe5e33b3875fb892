"""What a formula may not say, where the caret stands, and that nothing in it is ever executed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.errors import FormulaError

# Formula, the text that the caret must stand under (its last occurrence), and words of the message.
REFUSED = [
    ("y ~ x + __import__('os')", "__import__", "underscore"),
    ("y ~ system(x)", "system", "not an allowed call"),
    ("y ~ system('ls')", "'ls'", "quotes"),
    ("y ~ {x}", "{", "code"),
    ("y ~ x[1]", "[", "indexing"),
    ("y ~ df$x", "$", "not allowed"),
    ("y ~ 'x'", "'x'", "quotes"),
    ("y ~ a %in% b", "%in%", "%in%"),
    ("y ~ I(a > 0)", "> 0", "comparisons"),
    ("y ~ a**2", "**", "power"),
    ("y ~ .", ".", "all other columns"),
    ("y ~ a – b", "–", "EN DASH"),
    ("y ~ TRUE", "TRUE", "reserved"),
    ("y ~ lgo(x)", "lgo", "did you mean log?"),
    ("y ~ poly(x, 2)", "poly", "x + I(x^2)"),
    ("y ~ base::log(x)", "base", "base::log"),
    ("y ~ dplyr::filter(x)", "dplyr", "dplyr::lead"),
    ("y ~ stats::lag(x)", "stats", "stats::lag"),
    ("y ~ lag(x, 0)", "0", "whole number"),
    ("y ~ dplyr:::lag(x)", ":::", "package"),
    ("y ~ `log`(x)", "`log`", "called"),
    ("y ~ log(x, 2)", "log", "takes 1 argument"),
    ("y ~ pmax(x)", "pmax", "2 to 20"),
    ("y ~ log()", ")", "needs an argument"),
    ("y ~ lag(x, k)", "k)", "whole number"),
    ("y ~ lag(x, 1.5)", "1.5", "whole number"),
    ("y ~ lag(x, m = 1)", "m = 1", "named"),
    ("y ~ I(a:b)", ":", "arithmetic"),
    ("y ~ log(a | b)", "|", "inside a call"),
    ("y ~ log(offset(a))", "offset", "another call"),
    ("y ~ a:offset(b)", "offset", "term of its own"),
    ("y ~ a - offset(b)", "offset", "only be added"),
    ("y ~ 2", "2", "1 or 0"),
    ("y ~ a:1", "1", "interaction"),
    ("y ~ -a:b", "-a", "minus"),
    ("y ~ (a + b)^7", "7", "1 to 6"),
    ("y ~ (a + b)^2.5", "2.5", "1 to 6"),
    ("y ~ (a + b)^a", "a", "1 to 6"),
    ("y ~ I(x * 1e999)", "1e999", "represented"),
    ("y ~ I(x * 1e-999)", "1e-999", "represented"),
    ("y ~ a b", "b", "operator"),
    ("y ~ 2x", "x", "operator"),
    ("y ~ (a + b", "", "Expected `)`"),
    ("y ~ a) + b", ") + b", "never opened"),
    ("y ~ a +", "", "end of the formula"),
    ("y ~ `a", "`a", "never closed"),
    ("y ~ a ~ b", "~ b", "one `~`"),
    ("y + x", "", "`~`"),
    ("~ x", "~", "no response"),
    ("", "", "no response"),
    ("sqrt(y) ~ x", "sqrt", "not supported on the response"),
    ("log(y + 1) ~ x", "log", "not supported as a response"),
    ("y1 + y2 ~ x", "y1", "one column"),
    ("y ~ x + log(y)", "y)", "also used as a predictor"),
    ("y ~ x | g", "|", "parentheses"),
    ("y ~ (1 | g) - (1 | h)", "| h", "only be added"),
    ("y ~ (1 | g):x", "|", "only be added"),
    ("y ~ (0 | g)", "|", "no effects"),
    ("y ~ (1 || g)", "||", "single |"),
    ("y ~ (1 | g + h)", "g + h", "one group term"),
    ("y ~ (1 | g) + (1 + x | g)", "| g)", "twice"),
    ("y ~ (offset(a) | g)", "offset", "only be added"),
]


@pytest.mark.parametrize(("text", "under", "words"), REFUSED)
def test_refusals_point_at_the_place_and_say_why(text: str, under: str, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    message = str(caught.value)
    assert words in message
    lines = message.splitlines()
    column = lines[3].index("^") - 4
    assert lines[2][4:] == text
    assert column == (text.rindex(under) if under else len(text))


def test_caret_stands_in_the_right_line_and_long_lines_are_cut() -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula("y ~ a +\n  b + ;\n + c")
    assert str(caught.value).splitlines()[2:4] == ["      b + ;", "          ^"]
    with pytest.raises(FormulaError) as caught:
        parse_formula("y ~ " + " + ".join(f"column_{i}" for i in range(100)) + " ; rest")
    shown, caret = str(caught.value).splitlines()[2:4]
    assert len(shown) < 120
    assert shown[caret.index("^")] == ";"


def test_wide_characters_do_not_shift_the_caret() -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula("y ~ 销量 ;")
    assert str(caught.value).splitlines()[3] == " " * (4 + len("y ~ ") + 2 * 2 + 1) + "^"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y ~ " + "x" * 10_000, "too long"),
        ("y ~ " + "(" * 60 + "x" + ")" * 60, "nested"),
        ("y ~ " + "log(" * 60 + "x" + ")" * 60, "nested"),
        ("y ~ I(" + "-" * 5000 + "x)", "nested"),
        ("y ~ I(" + "x^" * 2000 + "x)", "nested"),
        ("y ~ " + "+".join(f"x{i}" for i in range(501)), "501 terms"),
        ("y ~ (" + "+".join(f"x{i}" for i in range(60)) + ")^6", "terms here"),
        ("y ~ " + "*".join(f"x{i}" for i in range(40)), "terms here"),
        ("y ~ (" + "+".join("abcdefghijklmnopqrstuvwxz") + "):(" + "+".join("ABCDEFGHIJKLMNOPQRSTUVWXZ") + ")", "625"),
        ("y ~ I(x * 0." + "1" * 40 + ")", "represented"),
    ],
)
def test_limits(text: str, words: str) -> None:
    with pytest.raises(FormulaError, match=words):
        parse_formula(text)


def test_just_inside_the_limits() -> None:
    assert len(parse_formula("y ~ " + "+".join(f"x{i}" for i in range(500))).terms) == 500
    assert len(parse_formula("y ~ (" + "+".join(f"x{i}" for i in range(30)) + ")^2").terms) == 465
    assert parse_formula("y ~ " + "(" * 49 + "x" + ")" * 49).labels == ("x",)
    assert parse_formula("y ~ I(" + "x+" * 4000 + "x)").intercept


def test_only_text_is_a_formula() -> None:
    with pytest.raises(FormulaError, match="not text"):
        parse_formula(None)  # type: ignore[arg-type]


# What an attacker would try, plus all operators and odd characters.
FRAGMENTS = [
    *"~+-*/^:|(),.`'\"{}[]$%&!<>=;@#\\?_0159 \n\t\0\u2212\u00a0\ud800é销",
    *("y ~ ", "x", "a", "b", "I(", "log(", "lag(", "offset(", "(1 | g)", "dplyr::lag(", "1e9", "1e999", "0x1F", "2L"),
    *("__import__('os').system('id')", "{__import__('os')}", "open('/etc/passwd')", "exec('1')", "eval(", "lambda: 0"),
    *(
        "`__import__('os')`",
        "x.__class__",
        "system(",
        "::",
        "Q('x')",
        "C(",
        "print",
        "%in%",
        "import os",
        "${HOME}",
        "$(id)",
    ),
]
WATCHED = {
    "exec",
    "compile",
    "import",
    "open",
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "ctypes.dlopen",
}
_seen: list[str] = []
_watching = [False]


def _watch(event: str, _: tuple[object, ...]) -> None:
    if _watching[0] and event in WATCHED:
        _seen.append(event)


@pytest.fixture(scope="session")
def audit() -> list[str]:
    """Names of the watched interpreter events seen so far (a hook cannot be removed, so it is installed once)."""
    sys.addaudithook(_watch)
    return _seen


def _parse_hostile(count: int, seed: int) -> int:
    """Parse random hostile text with the interpreter's audit hook listening; returns how many were legal."""
    rng = np.random.default_rng(seed)
    lengths, legal = rng.integers(1, 9, count), 0
    picks = rng.integers(0, len(FRAGMENTS), (count, 9))
    texts = ["y ~ " * (i % 2) + "".join(FRAGMENTS[j] for j in picks[i, : lengths[i]]) for i in range(count)]
    _watching[0] = True
    try:
        for text in texts:
            try:
                legal += isinstance(parse_formula(text), Formula)
            except FormulaError as refused:
                str(refused).encode()  # printable everywhere, whatever the text held
    finally:
        _watching[0] = False
    return legal


def test_hostile_text_is_never_executed_and_only_refused(audit: list[str]) -> None:
    legal = _parse_hostile(20_000, seed=7)
    assert audit == []
    assert 50 < legal < 5_000


@pytest.mark.slow
def test_hostile_text_at_length(audit: list[str]) -> None:
    _parse_hostile(500_000, seed=8)
    assert audit == []


def test_the_audit_hook_would_notice(audit: list[str]) -> None:
    _watching[0] = True
    compile("1", "probe", "exec")
    _watching[0] = False
    assert "compile" in audit
    audit.clear()
