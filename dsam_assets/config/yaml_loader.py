"""A strict YAML reader: data only, nothing that can surprise.

Refused: tags, anchors, aliases, merges, duplicate keys, directives, several documents, control characters, anything but
UTF-8, and whatever exceeds the limits below. Values are built from parse events; no YAML constructor ever runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from dsam_assets.config.yaml_scalars import plain_scalar
from dsam_assets.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 20_000

# libyaml reads a thousand configs in the time that the pure parser needs for fifty; both give the same events.
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Control characters, YAML's exotic line breaks, non-characters, and marks that make text look unlike what it says.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlDocument:
    """A parsed file.

    Attributes:
        value: the top-level mapping, made of dict, list, str, int, float, bool and None.
        lines: path of every key and list item → its line, counted from 1.
        text: the file's text without byte order mark.
    """

    value: dict[str, Any]
    lines: Mapping[Path, int]
    text: str


@dataclass
class _Builder:
    name: str
    text: str
    events: Iterator[Any]
    lines: dict[Path, int] = field(default_factory=dict)
    nodes: int = 0

    def fail(self, what: str, line: int, column: int, fix: str | None = None) -> ConfigError:
        return yaml_error(self.name, self.text, what, line, column, fix)

    def refuse(self, event: Any, what: str, fix: str | None = None) -> ConfigError:
        return self.fail(what, event.start_mark.line, event.start_mark.column, fix)

    def next(self) -> Any:
        event = next(self.events)
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(event, "aliases (*name) are not allowed", "write the value out")
        if getattr(event, "anchor", None) is not None:
            raise self.refuse(event, "anchors (&name) are not allowed", "write the value out where it is needed")
        if getattr(event, "tag", None) is not None:
            raise self.refuse(event, "tags (!name) are not allowed", "remove the tag; quotes make a value text")
        return event

    def node(self, event: Any, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.refuse(event, f"the file has more than {MAX_NODES:,} values")
        if len(path) > MAX_DEPTH:
            raise self.refuse(event, f"the file is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.scalar(event)

    def mapping(self, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            key = self.key(event)
            if key in result:
                first = self.lines[(*path, key)]
                raise self.refuse(event, f"the key {key} is written twice; first on line {first}", "keep one of them")
            self.lines[(*path, key)] = event.start_mark.line + 1
            result[key] = self.node(self.next(), (*path, key))
        return result

    def key(self, event: Any) -> str:
        value = self.scalar(event) if isinstance(event, yaml.ScalarEvent) else None
        if not isinstance(value, str):
            raise self.refuse(event, "a key must be text", "put quotes around the key")
        if value == "<<" and not event.style:
            raise self.refuse(event, "merges (<<) are not allowed", "write the keys out")
        return value

    def sequence(self, path: Path) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            here = (*path, len(result))
            self.lines[here] = event.start_mark.line + 1
            result.append(self.node(event, here))
        return result

    def scalar(self, event: Any) -> Any:
        # escapes such as "\0" come out of the parser as characters that the text itself may not contain
        if match := _FORBIDDEN.search(event.value):
            raise self.refuse(event, f"the value contains the control character U+{ord(match.group()):04X}")
        if event.style:
            return event.value
        try:
            return plain_scalar(event.value)
        except ValueError as error:
            raise self.refuse(event, str(error)) from None

    def document(self) -> dict[str, Any]:
        next(self.events)  # start of stream
        start = next(self.events)
        if isinstance(start, yaml.StreamEndEvent):
            raise ConfigError("the config is empty", where=self.name, fix="start from a template: dsam init --out FILE")
        if start.version or start.tags:
            raise self.fail("YAML directives (%) are not allowed", 0, 0, "remove the line that starts with %")
        first = self.next()
        if not isinstance(first, yaml.MappingStartEvent):
            raise self.refuse(first, "the config must be a mapping of sections", "start with `data:` and `model:`")
        value: dict[str, Any] = self.node(first, ())
        next(self.events)  # end of document
        if not isinstance(extra := next(self.events), yaml.StreamEndEvent):
            raise self.refuse(extra, "the file holds more than one document", "remove the line `---` and what follows")
        return value


def yaml_error(name: str, text: str, what: str, line: int, column: int, fix: str | None = None) -> ConfigError:
    """An error that shows the line with a caret below the place; `line` and `column` count from 0."""
    rows = text.split("\n")
    row = rows[line] if line < len(rows) else ""
    start = max(0, column - 60)
    shown = row[start : start + 100].replace("\t", " ")
    excerpt = f"{shown}\n           {' ' * (column - start)}^"
    return ConfigError(what, where=f"{name}, line {line + 1}, column {column + 1}", got=excerpt, fix=fix)


def _decode(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigError(
            "the config is too large", where=name, got=f"{len(data):,} bytes", wanted=f"at most {MAX_BYTES:,}"
        )
    if data.startswith(_WIDE_MARKS):
        raise ConfigError("the config is saved as UTF-16", where=name, wanted="UTF-8", fix="save it again as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "the config is not UTF-8 text",
            where=f"{name}, line {line}",
            got=f"byte 0x{data[error.start]:02X}",
            fix="save the file with UTF-8 encoding",
        ) from None
    if match := _FORBIDDEN.search(text):
        line = text.count("\n", 0, match.start())
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1)
        character = f"U+{ord(match.group()):04X}"
        raise yaml_error(
            name, _FORBIDDEN.sub("�", text), f"the file contains the control character {character}", line, column
        )
    return text


def _explain(error: yaml.MarkedYAMLError, name: str, text: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    rows = text.split("\n")
    row = rows[line] if line < len(rows) else ""
    problem = (error.problem or "cannot be read").replace(
        "found character that cannot start any token", "unexpected character"
    )
    fix = None
    if "\t" in row[: column + 1]:
        problem, fix = "a tab is used for indentation", "use spaces: YAML does not allow tabs there"
    elif "mapping values are not allowed" in problem:
        problem, fix = "a second `:` on this line", "put quotes around a text that contains `: `"
    elif "unexpected character" in problem:
        fix = "put quotes around a text that starts with this character"
    return yaml_error(name, text, f"the config is not valid YAML: {problem}", line, column, fix)


def parse_yaml(data: bytes, name: str) -> YamlDocument:
    """Parse the bytes of a config file.

    Args:
        data: the file's content.
        name: how messages call the file.

    Raises:
        ConfigError: with line, column and a caret, for anything that is not plain, unambiguous YAML.
    """
    original = _decode(data, name)
    text = original.replace("\r\n", "\n").replace("\r", "\n")
    try:
        builder = _Builder(name, text, iter(yaml.parse(text, Loader=_PARSER)))
        value = builder.document()
    except yaml.MarkedYAMLError as error:
        raise _explain(error, name, text) from None
    except yaml.YAMLError as error:
        raise ConfigError("the config is not valid YAML", where=name, got=str(error)) from None
    return YamlDocument(value, builder.lines, original)
