"""Everything that can be checked before Stan runs: config, data, formula, design and budget.

`dsam validate` is this module; `dsam run` starts with it, so that a bad input ends in one message and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from dsam_assets.config.availability import check_available
from dsam_assets.config.load import LoadedConfig, load_config
from dsam_assets.config.schema import Config
from dsam_assets.data.dictionary import data_dictionary
from dsam_assets.data.load import Dataset, load_csv
from dsam_assets.design.checks import design_checks, require_usable
from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.errors import DataError, DesignError


@dataclass(frozen=True)
class Preflight:
    """What a config amounts to, once its inputs have been read and checked."""

    loaded: LoadedConfig
    dataset: Dataset
    formula: Formula
    design: LinearDesign


def load_checked(path: Path, *, data_roots: tuple[Path, ...] | None = None) -> LoadedConfig:
    """Load a config; schema, cross-field rules, formula safety and availability are checked."""
    loaded = load_config(path, data_roots=data_roots, check_formula=lambda text: parse_formula(text) and None)
    check_available(loaded)
    return loaded


def preflight(loaded: LoadedConfig) -> Preflight:
    """Read the data and build the design; raises the first problem it meets."""
    config = loaded.config
    dataset = load_csv(Path(config.data.path), date_var=config.data.date_var, date_format=config.data.date_format)
    formula = parse_formula(config.model.formula)
    data_dictionary([str(name) for name in dataset.frame.columns], formula.variables, config.data.dictionary)
    matrix = build_model_matrix(
        formula, dataset.frame, date_var=config.data.date_var, na_action=config.data.na_action
    )
    require_usable(design_checks(matrix))
    design = build_linear_design(
        matrix, scale=config.model.scale, priors=config.priors.overrides, boundaries=config.boundaries.overrides
    )
    if config.allocation.enabled:
        require_channels(config, dataset.frame, matrix.terms)
    return Preflight(loaded, dataset, formula, design)


def require_channels(config: Config, frame: pd.DataFrame, terms: Sequence[str]) -> None:
    """Every allocation channel must name a term of the model, and columns of the data."""
    columns = [str(name) for name in frame.columns]
    for position, channel in enumerate(config.allocation.channels):
        where = f"allocation.channels[{position}]"
        if channel.term not in terms:
            raise DesignError(
                f"A channel's term is not in the model: {channel.term}.",
                where=f"{where}.term",
                wanted="one of " + ", ".join(terms),
                fix=_nearest(channel.term, terms),
            )
        needed = {"currency_col": channel.currency_col}
        if config.allocation.reference_spend is None:
            needed["spend_col"] = channel.spend_col
        for key, name in needed.items():
            if name is not None and name not in columns:
                raise DataError(
                    f"A channel's column is not in the data: {name}.",
                    where=f"{where}.{key}",
                    fix=_nearest(name, columns),
                )


def _nearest(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, list(names), n=1)
    return f"Did you mean {near[0]}?" if near else "Use one of: " + ", ".join(names)
