"""Commented config templates, shipped as files next to this module."""

from __future__ import annotations

from importlib import resources

from dsam_assets.config.suggestions import nearest
from dsam_assets.errors import ConfigError

AVAILABLE = ("blm", "re", "cre", "pooled", "hierarchical", "master")


EDIT = "# Edit first: "


def to_edit(text: str) -> str:
    """What the header of a template says to edit first."""
    return next(line.removeprefix(EDIT).rstrip(".") for line in text.splitlines() if line.startswith(EDIT))


def template(name: str) -> str:
    """The text of a template.

    Raises:
        ConfigError: for an unknown name.
    """
    if name in AVAILABLE:
        return resources.files(__package__).joinpath("templates", f"{name}.yaml").read_text(encoding="utf-8")
    choices = ", ".join(AVAILABLE)
    close = nearest(name, AVAILABLE)
    fix = f"did you mean {close}?" if close else "start from blm"
    raise ConfigError("there is no template of this name", got=name, wanted=f"one of {choices}", fix=fix)
