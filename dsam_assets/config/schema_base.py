"""What every section of the config has in common: closed, frozen, strict."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

SEED_MAX = 2**32 - 1

_INFINITY = re.compile(r"([+-]?)\.?(?:inf|Inf|INF)")


@dataclass(frozen=True)
class Unit:
    """What a number counts, as `docs/config.md` says it: `Annotated[PositiveInt, Unit("weeks")]`."""

    text: str


class Section(BaseModel):
    """A part of the config: unknown keys are refused, types are not coerced, nothing changes after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, raw: Any) -> Any:
        """`overrides:` with nothing (or only comments) below it is an empty list, `fit:` a section of defaults."""
        if not isinstance(raw, dict):
            return raw
        containers = {
            name
            for name, field in cls.model_fields.items()
            if field.default_factory is not None or isinstance(field.default, tuple)
        }
        return {key: value for key, value in raw.items() if value is not None or key not in containers}


def part(section: type[Section], description: str) -> Any:
    """A field that holds a section and defaults to that section's defaults."""
    return Field(default_factory=lambda: section.model_validate({}), description=description)


def infinity_token(value: object) -> float | None:
    """The infinity that `.inf`, `-.Inf`, `Inf` or `-Inf` spells, or None for anything else."""
    if isinstance(value, str) and (match := _INFINITY.fullmatch(value.strip())):
        return -math.inf if match.group(1) == "-" else math.inf
    return None


def _bound(value: object) -> object:
    token = infinity_token(value)
    if token is not None:
        return token
    if isinstance(value, float) and math.isnan(value):
        raise PydanticCustomError("dsam_rule", "must be a number, .Inf or -.Inf")
    return value


def _same_type(value: object, wanted: object, shown: str) -> object:
    # equality alone would take True and 1.0 for 1
    if type(value) is type(wanted) and value == wanted:
        return value
    raise PydanticCustomError("dsam_rule", "must be {shown}", {"shown": shown})


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _algorithm(value: object) -> object:
    lower = value.lower() if isinstance(value, str) else value
    if lower == "newton":
        raise PydanticCustomError(
            "dsam_rule", "must be lbfgs or bfgs: Stan's newton takes wrong steps and finds no optimum here"
        )
    return lower


def is_number(value: object) -> bool:
    """A finite int or float; a bool is not a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _init(value: object) -> float | str | None:
    if value is None:
        return None
    if value == "random":
        return "random"
    if isinstance(value, int | float) and is_number(value) and value >= 0:
        return float(value)
    raise PydanticCustomError("dsam_rule", 'must be null, "random", or a radius of at least 0')


def _spend(value: object) -> float:
    if isinstance(value, int | float) and is_number(value) and value >= 0:
        return float(value)
    raise PydanticCustomError(
        "dsam_rule", "must be a spend of at least 0, a list with one spend per channel, or a mapping channel: spend"
    )


def _reference_spend(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_spend(item) for item in value)
    if isinstance(value, Mapping):
        return {name: _spend(item) for name, item in value.items()}
    return None if value is None else _spend(value)


def _one_line(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1), BeforeValidator(_strip)]
Line = Annotated[str, Field(min_length=1), BeforeValidator(_one_line)]
"""Text that reports quote: line breaks become spaces."""

Seed = Annotated[int, Field(ge=0, le=SEED_MAX)]
PositiveInt = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Bound = Annotated[float, Field(allow_inf_nan=True), BeforeValidator(_bound)]
"""A number that may be infinite: `.Inf` and `-.Inf` mean "no bound"."""

Init = Annotated[float | Literal["random"] | None, PlainValidator(_init)]
ReferenceSpend = Annotated[
    float | tuple[float, ...] | Mapping[str, float] | None,
    PlainValidator(_reference_spend),
    PlainSerializer(lambda value: value, return_type=Any),
]
SchemaVersion = Annotated[Literal[1], BeforeValidator(lambda value: _same_type(value, 1, "1"))]
AlwaysTrue = Annotated[Literal[True], BeforeValidator(lambda value: _same_type(value, True, "true"))]
Algorithm = Annotated[Literal["lbfgs", "bfgs"], BeforeValidator(_algorithm)]

# YAML has lists, the frozen models hold tuples: only the container is converted, its items stay strict.
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
