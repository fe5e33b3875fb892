"""The strict YAML reader, against values typed from the YAML 1.2 core schema and a corpus of hostile files."""

from __future__ import annotations

import math

import pytest
import yaml

from dsam_assets.config import yaml_loader
from dsam_assets.config.templates import template
from dsam_assets.config.yaml_loader import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_yaml
from dsam_assets.errors import ConfigError


def read(text: str) -> object:
    return parse_yaml(f"x: {text}".encode(), "c.yaml").value["x"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("Off", "Off"),
        ("y", "y"),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("1e-5", 1e-5),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("Inf", "Inf"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("kpi ~ a:b + (1 | g)", "kpi ~ a:b + (1 | g)"),
        ("[1, [2, {a: b}]]", [1, [2, {"a": "b"}]]),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = read(text)
    assert found == value
    assert type(found) is type(value)


BILLION_LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

HOSTILE = {
    "alias": ("x: *a", "aliases"),
    "anchor": ("x: &a 1", "anchors"),
    "billion laughs": (BILLION_LAUGHS, "anchors"),
    "python tag": ("x: !!python/object/apply:os.system ['true']", "tags"),
    "plain tag": ("x: !!str 1", "tags"),
    "local tag": ("x: !foo 1", "tags"),
    "tag on section": ("!!map\nx: 1", "tags"),
    "tag on key": ("!!str x: 1", "tags"),
    "merge": ("<<: {a: 1}", "merges"),
    "duplicate key": ("x: 1\ny: 2\nx: 3", "written twice; first on line 1"),
    "nested duplicate": ("x: {a: 1, a: 1}", "written twice"),
    "deep flow": ("x: " + "[" * 5000, "nested deeper"),
    "deep block": ("\n".join(" " * level + "a:" for level in range(MAX_DEPTH + 2)), "nested deeper"),
    "many nodes": ("x: [" + "1," * (MAX_NODES + 1) + "]", "more than 20,000"),
    "escaped nul": ('x: "a\\0b"', "control character U+0000"),
    "huge float": ("x: 1e999", "too large"),
    "huge integer": ("x: " + "9" * 6000, "too large"),
    "not a number": ("x: .nan", "not-a-number"),
    "tab": ("x:\n\t- 1", "a tab is used"),
    "number as key": ("1: 2", "a key must be text"),
    "list as key": ("? [a]\n: 1", "a key must be text"),
    "null key": ("~: 1", "a key must be text"),
    "two documents": ("x: 1\n---\ny: 2", "more than one document"),
    "directive": ("%YAML 1.1\n---\nx: 1", "directives"),
    "tag directive": ("%TAG ! tag:x,2000:\n---\nx: 1", "directives"),
    "list": ("- 1", "must be a mapping"),
    "scalar": ("hello", "must be a mapping"),
    "empty": ("", "empty"),
    "only comments": ("# nothing\n", "empty"),
    "unclosed": ("x: [1, 2\ny: 3", "not valid YAML"),
    "two colons": ("x: a: b", "second `:`"),
    "at sign": ("x: @a", "unexpected character"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_ends_in_one_clear_error(name: str) -> None:
    text, message = HOSTILE[name]
    with pytest.raises(ConfigError, match=r"c\.yaml") as caught:
        parse_yaml(text.encode(), "c.yaml")
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x: \x00", "U+0000"),
        (b"x: \x1b[31m", "U+001B"),
        ("x: a\u202eb".encode(), "U+202E"),
        ("x: a\u200bb".encode(), "U+200B"),
        (b"x: 1\ny: \xff", "line 2"),
        ("x: 1".encode("utf-16"), "UTF-16"),
        (b"x: " + b"a" * MAX_BYTES, "too large"),
    ],
)
def test_only_clean_utf8_of_bounded_size(data: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(data, "c.yaml")
    assert message in str(caught.value)


def test_limits_are_not_off_by_one() -> None:
    inside = "{a: " * (MAX_DEPTH - 1) + "1" + "}" * (MAX_DEPTH - 1)
    assert read(inside)
    with pytest.raises(ConfigError, match="nested"):
        read("{a: " + inside + "}")
    assert len(parse_yaml(b"x: [" + b"1," * (MAX_NODES - 2) + b"]", "c").value["x"]) == MAX_NODES - 2
    with pytest.raises(ConfigError, match="more than"):
        parse_yaml(b"x: [" + b"1," * (MAX_NODES - 1) + b"]", "c")


def test_byte_order_mark_and_windows_line_ends_are_tolerated() -> None:
    document = parse_yaml(b"\xef\xbb\xbfx: 1\r\ny: {z: 2}\r\n", "c.yaml")
    assert document.value == {"x": 1, "y": {"z": 2}}
    assert document.lines[("y", "z")] == 2


def test_lines_of_keys_and_items() -> None:
    document = parse_yaml(b"# c\na:\n  b: 1\n  c:\n    - d: 2\n    - 3\n", "c.yaml")
    assert document.lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 0, "d"): 5,
        ("a", "c", 1): 6,
    }


def test_an_error_points_at_the_place_with_a_caret() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(b"a: 1\nbb: &x 2\n", "c.yaml")
    assert caught.value.where == "c.yaml, line 2, column 5"
    shown, caret = str(caught.value).split("got:", 1)[1].split("\n")[:2]
    assert shown.strip() == "bb: &x 2"
    assert caret.index("^") - len("  got:     ") == 4


def test_without_libyaml_the_same_is_read_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = template("master").encode()
    fast = parse_yaml(text, "c.yaml")
    monkeypatch.setattr(yaml_loader, "_PARSER", yaml.SafeLoader)
    slow = parse_yaml(text, "c.yaml")
    assert (slow.value, slow.lines) == (fast.value, fast.lines)
    for hostile, _ in HOSTILE.values():
        with pytest.raises(ConfigError):
            parse_yaml(hostile.encode(), "c.yaml")
