"""What is declared of an asset, in the graph's own words: for running it, and for asking what a run would do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Declaration:
    """One asset of a market.

    Attributes:
        name: asset key as `prefix/name`.
        codec: name in `resources.codecs.CODECS`.
        code_version: version of all the code behind it.
        code: version of each part of that code.
        inputs: parameters of its function, after the context.
        after: further assets that it reads from the store itself.
        sources: files outside of the store that it reads.
        always_run: never reused, except in a refresh.
        runs_stan: whether it needs Stan.
        draws_images: whether it draws figures, which a machine with a browser does better than one without.
        function: what makes it, from a context and the inputs.
    """

    name: str
    codec: str
    code_version: str
    code: Mapping[str, str]
    inputs: tuple[str, ...]
    after: tuple[str, ...]
    sources: tuple[str, ...]
    always_run: bool
    runs_stan: bool
    draws_images: bool
    function: Callable[..., Any] = field(repr=False)

    @property
    def upstream(self) -> tuple[str, ...]:
        """Names of the assets that it is made from."""
        return tuple(dict.fromkeys([*map(asset_name, self.inputs), *self.after]))


DECLARED: dict[str, Declaration] = {}  # every asset of a market, once its module is imported


def code_parts(function: Callable[..., Any], code: Sequence[str]) -> dict[str, str]:
    """Version of each part of the code behind an asset: its own module, shared leaves, and what it declares."""
    from dsam_assets.assets.code_version import code_version

    own = f"assets/{function.__module__.rsplit('.', 1)[-1]}"
    return {part: code_version(part) for part in (own, "errors", "scales", "verdict", *code)}


def code_version_of(parts: Mapping[str, str]) -> str:
    """One version for all parts."""
    return hashlib.sha256("".join(f"{part}\0{version}\n" for part, version in parts.items()).encode()).hexdigest()[:16]


def asset_key(parameter: str) -> list[str]:
    """`config_fit` → `config/fit`; anything else is its own key."""
    prefix, _, rest = parameter.partition("_")
    return [prefix, rest] if prefix == "config" else parameter.split("/")


def asset_name(parameter: str) -> str:
    return "/".join(asset_key(parameter))
