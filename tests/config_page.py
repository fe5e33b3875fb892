"""docs/config.md, made from the config schema: every key with its values, unit, default and meaning.

What a key means, an example of its value and the unit of its numbers stand in the schema alone. What belongs to no
single key, such as the words about a section, is here. Refusals are quoted from the product, which is given the config.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from config_words import CONFLICTS, GROUPS, HEAD, RULES_HEAD, Conflict, Group
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dsam_assets.config.load import load_config
from dsam_assets.config.schema import Config
from dsam_assets.config.schema_base import SEED_MAX, Bound, Section, Unit
from dsam_assets.config.templates import template
from dsam_assets.errors import ConfigError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "config.md"
MASTER = Path(__file__).resolve().parents[1] / "dsam_assets" / "config" / "templates" / "master.yaml"
PLAIN = {str: "text", bool: "`true` or `false`", int: "whole number", float: "number"}
LIMITS = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}
COLUMNS = {"data": "date,kpi,m_tv,market\n2024-01-01,1,2,north\n"}


@dataclass(frozen=True)
class Key:
    """A key of the schema.

    Attributes:
        path: as the schema writes it, such as `allocation.channels[].term`.
        field: its default, description and examples.
        hint: its type with everything that is annotated.
    """

    path: str
    field: FieldInfo
    hint: Any

    @property
    def name(self) -> str:
        """The key itself."""
        return self.path.rpartition(".")[2]

    @property
    def unit(self) -> str:
        """What its number counts; empty for one without a unit."""
        extras = get_args(self.hint)[1:] if get_origin(self.hint) is Annotated else ()
        return next((extra.text for extra in extras if isinstance(extra, Unit)), "")

    @property
    def inner(self) -> type[Section] | None:
        """The section that it holds, alone, in a list or by name."""
        return _section_in(self.hint)

    @property
    def row(self) -> bool:
        """Whether it is a value, not a section."""
        return not (isinstance(self.hint, type) and issubclass(self.hint, Section))


def _section_in(hint: Any) -> type[Section] | None:
    if isinstance(hint, type) and issubclass(hint, Section):
        return hint
    return next((found for part in get_args(hint) if (found := _section_in(part))), None)


def keys(section: type[Section] = Config, prefix: str = "") -> Iterator[Key]:
    """Every key below a section, in the order of the schema."""
    hints = get_type_hints(section, include_extras=True)
    for name, field in section.model_fields.items():
        key = Key(f"{prefix}.{field.alias or name}".removeprefix("."), field, hints[name])
        yield key
        if key.inner is not None:
            below = "" if not key.row else ".<term>" if key.path == "data.dictionary" else "[]"
            yield from keys(key.inner, key.path + below)


def page() -> str:
    """The whole page."""
    parts = [HEAD, _contents(), *map(_group, GROUPS), RULES_HEAD, *_refusals()]
    return "\n".join(parts).rstrip() + "\n"


def _contents() -> str:
    named = {key.path: key for key in keys()}
    rows = [f"| [`{g.path}`](#{anchor(g.path)}) | {named[g.path].field.description} |" for g in GROUPS if g.top]
    return "\n".join(["| Section | What it says |", "|---|---|", "| `schema_version` | Always 1. |", *rows, ""])


def anchor(heading: str) -> str:
    """How GitHub links to a heading."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "_- ")
    return kept.replace(" ", "-")


def members(group: Group) -> list[Key]:
    """The keys directly below a section that are values."""
    prefix = f"{group.path}."
    below = [key for key in keys() if key.path.startswith(prefix)]
    return [key for key in below if key.row and "." not in key.path.removeprefix(prefix)]


def _group(group: Group) -> str:
    heading = f"{'##' if group.top else '###'} `{group.path}`"
    example = [f"```yaml\n{group.example.strip()}\n```"] if group.example else []
    table = "\n".join(["| Key | Values | Default | Meaning |", "|---|---|---|---|", *map(_line, members(group))])
    see = [f"See also: {group.see}."] if group.see else []
    return "".join(f"{part}\n\n" for part in (heading, wrapped(group.words), *example, table, *see)).rstrip("\n") + "\n"


def wrapped(text: str) -> str:
    """A paragraph in lines of the page's width; code with blanks in it stays together."""
    glued = re.sub(r"`[^`]*`", lambda found: found[0].replace(" ", "\0"), text)
    return textwrap.fill(glued, 120, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def _line(key: Key) -> str:
    example = f" For example {code(key.field.examples[0])}." if key.field.examples else ""
    cells = (f"`{key.name}`", values(key), default(key), meaning(key) + example)
    return f"| {' | '.join(map(_escaped, cells))} |"


def meaning(key: Key) -> str:
    """The description, ended like a sentence."""
    return f"{str(key.field.description).rstrip('.')}."


def values(key: Key) -> str:
    """What may be written, with the unit."""
    words = type_words(key.hint)
    return f"{words} ({key.unit})" if key.unit else words


def type_words(hint: Any, limits: Sequence[Any] = ()) -> str:
    """A type for a person."""
    if get_origin(hint) is Annotated:
        inner, *extras = (part for part in get_args(hint) if not isinstance(part, Unit))
        if (inner, *extras) == get_args(Bound):
            return "number, `.Inf` or `-.Inf`"
        found = [limit for extra in extras if isinstance(extra, FieldInfo) for limit in extra.metadata]
        return type_words(inner, found)
    if get_origin(hint) is Literal:
        return ", ".join(code(choice) for choice in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return _union(get_args(hint))
    if hint is types.NoneType:
        return "`null`"
    if hint in PLAIN:
        return f"{PLAIN[hint]}{_limit_words(limits)}"
    return _container(hint)


def _union(parts: Sequence[Any]) -> str:
    ordered = sorted(parts, key=lambda part: part is types.NoneType)
    return ", ".join(type_words(part) for part in ordered[:-1]) + f" or {type_words(ordered[-1])}"


def _limit_words(limits: Sequence[Any]) -> str:
    bounds = [(LIMITS[type(limit)], next(iter(vars_of(limit)))) for limit in limits if type(limit) in LIMITS]
    said = [f"{sign} {'4294967295' if bound == SEED_MAX else f'{bound:g}'}" for sign, bound in bounds]
    return " " + ", ".join(said) if said else ""


def vars_of(limit: Any) -> Iterator[float]:
    """The number of a limit."""
    yield next(getattr(limit, name) for name in ("ge", "gt", "le", "lt") if hasattr(limit, name))


def _container(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is tuple:
        item = get_args(hint)[0]
        return "list of rows" if _section_in(item) else f"list of {_plural(type_words(item))}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "by column" if _section_in(hint) else f"channel: {type_words(get_args(hint)[1])}"
    if hint.__name__ == "date":
        return "date"
    raise TypeError(f"no words for {hint}")


def _plural(words: str) -> str:
    return words if words == "text" else f"{words}s"


def default(key: Key) -> str:
    """The default as YAML would write it, or how it is found."""
    if key.field.default is PydanticUndefined and key.field.default_factory is None:
        said = "Default: " in str(key.field.description)
        return "see right" if said else "required"
    return code(key.field.get_default(call_default_factory=True, validated_data={}))


def code(value: object) -> str:
    """A value as inline YAML."""
    return f"`{flow(value)}`"


def flow(value: object) -> str:
    """A value in one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, float) and math.isinf(value):
        return ".Inf" if value > 0 else "-.Inf"
    if isinstance(value, str):
        plain = value.replace("_", "").replace("/", "").replace(".", "").replace(" ", "").replace("-", "")
        return value if plain.isalnum() else json.dumps(value, ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _escaped(text: str) -> str:
    """Text for a cell; outside of code, angle brackets would be taken for HTML."""
    pieces = text.replace("|", "\\|").split("`")
    return "`".join(piece if number % 2 else piece.replace("<", "&lt;") for number, piece in enumerate(pieces))


def _refusals() -> Iterator[str]:
    yield "| Written | What `dsam validate` says |"
    yield "|---|---|"
    for conflict in CONFLICTS:
        what, fix = refusal(conflict)
        advice = f" → {fix}" if fix else ""
        yield f"| `{_escaped(conflict.written)}` | {_escaped(what)}{_escaped(advice)} |"
    yield ""


def refusal(conflict: Conflict) -> tuple[str, str]:
    """What the product says of a config: the rule and the advice.

    Raises:
        AssertionError: it says nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in COLUMNS.items():
            (Path(folder) / f"{name}.csv").write_text(text)
        path = Path(folder) / "uk.yaml"
        path.write_text(conflict.yaml)
        try:
            load_config(path)
        except ConfigError as error:
            return error.what.replace(str(Path(folder).resolve()), "…"), error.fix or ""
    raise AssertionError(f"accepted: {conflict.written}")


def master(text: str | None = None) -> str:
    """The template with every key, each comment being the schema's description."""
    named = {key.path: key for key in keys()}
    lines, place = [], []
    for line in (template("master") if text is None else text).splitlines():
        bare = line.lstrip(" ")
        if not bare or bare.startswith("#"):
            lines.append(line)
            continue
        depth, name = (len(line) - len(bare)) // 2, bare.partition(":")[0]
        place = [*place[:depth], name]
        written = line.partition(" # ")[0]
        lines.append(f"{written} # {meaning(named['.'.join(place)])}")
    return "\n".join(lines) + "\n"
