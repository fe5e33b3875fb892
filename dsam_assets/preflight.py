"""Everything that can be checked before Stan runs: config, data, formula, design and budget.

`dsam validate` is this module; `dsam run` starts with it, so that a bad input ends in one message and leaves nothing
behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.allocation.levels import level_terms
from dsam_assets.config.key_paths import KeyPath, dotted
from dsam_assets.config.load import LoadedConfig, load_config
from dsam_assets.config.problems import line_of
from dsam_assets.config.schema import Config
from dsam_assets.config.slices import formula_slice, priors_slice
from dsam_assets.data.dictionary import market_dictionary
from dsam_assets.data.holidays import HolidayFeatures, market_holidays
from dsam_assets.data.load import Dataset, load_dataset
from dsam_assets.data.pooling_map import PoolingMap, load_pooling_map
from dsam_assets.design.additions import model_inputs
from dsam_assets.design.build import matrix_from_slices
from dsam_assets.design.checks import require_usable
from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign, design_prior_table, model_checks, model_design
from dsam_assets.diagnostics.prefit import pre_run_gates
from dsam_assets.errors import DataError, DesignError, DsamError, FormulaError
from dsam_assets.fit.refits import RefitInputs
from dsam_assets.fit.sensitivity import scenario_design
from dsam_assets.forecast.future_data import load_future
from dsam_assets.forecast.future_rows import FutureRows, future_rows
from dsam_assets.forecast.joined import ModelSource
from dsam_assets.verdict import GateResult

if TYPE_CHECKING:
    from dsam_assets.allocation.problem import Problem

FORMULA: KeyPath = ("model", "formula")
# Places that an error names by section, and the section's key.
SECTIONS: Mapping[str, KeyPath] = {
    "model formula": FORMULA,
    "model.formula": FORMULA,
    "data.date_var": ("data", "date_var"),
    "priors.overrides": ("priors", "overrides"),
    "boundaries.overrides": ("boundaries", "overrides"),
}
# Places that are keys already, by how they begin.
KEYED = ("allocation", "forecast", "time_components", "data.", "transforms.")
_NAMES_SHOWN = 12


@dataclass(frozen=True)
class Preflight:
    """What a config amounts to, once its inputs have been read and checked.

    Attributes:
        loaded, dataset, formula, design: the config, its data and its model.
        gates: the judged P0 checks.
        future: the rows that will be forecast; `None` when the config asks for no forecast.
    """

    loaded: LoadedConfig
    dataset: Dataset
    formula: Formula
    design: ModelDesign
    gates: tuple[GateResult, ...]
    future: FutureRows | None = None


def load_checked(path: Path, *, data_roots: tuple[Path, ...] | None = None) -> LoadedConfig:
    """Load a config; schema, cross-field rules and formulas are checked."""
    return load_config(
        path, data_roots=data_roots, check_formula=lambda text, unsafe: parse_formula(text, unsafe=unsafe)
    )


def preflight(loaded: LoadedConfig) -> Preflight:
    """Read the data and build the design; raises the first problem it meets, with the file that it is in."""
    config, section = loaded.config, formula_slice(loaded.config)
    with _located(loaded):
        dataset = load_dataset(config.data)
        holidays = market_holidays(dataset.frame, config.data.date_var, config.time_components)
        inputs = model_inputs(section, dataset.frame, holidays, date_var=config.data.date_var)
        columns = [str(name) for name in inputs.frame.columns]
        market_dictionary(config.data, columns, inputs.formula.variables, holidays)
        pooling = load_pooling_map(config.pooling) if config.pooling.enabled else None
        matrix = matrix_from_slices(inputs, section, config.data, pooling).matrix
        require_usable(model_checks(matrix))
        design = model_design(matrix, priors_slice(config))
        if config.transforms.sensitivity.enabled:
            _require_scenarios(config, dataset.frame, holidays, pooling)
        if config.allocation.enabled:
            require_channels(config, dataset.frame, level_terms(config.allocation.level, matrix))
            _require_budget(config, dataset.frame, matrix, design)
        gates = pre_run_gates(
            matrix,
            dataset.frame,
            date_var=config.data.date_var,
            variables=inputs.formula.variables,
            channels=config.allocation.channels,
            mode=config.diagnostics.policy_mode,
        )
        future = _future(config, ModelSource(dataset.frame, section, config.data, matrix, holidays, pooling))
    return Preflight(loaded, dataset, inputs.formula, design, gates, future)


def _require_scenarios(
    config: Config, frame: pd.DataFrame, holidays: HolidayFeatures | None, pooling: PoolingMap | None
) -> None:
    """Every alternative formula must make a design; only its fit may fail later."""
    section = formula_slice(config)
    inputs = RefitInputs(frame, section, config.data, priors_slice(config), config.fit, holidays, pooling)
    for position, scenario in enumerate(section.transforms.sensitivity.scenarios):
        try:
            scenario_design(inputs, scenario.formula)
        except DsamError as error:
            error.where = f"transforms.sensitivity.scenarios[{position}].formula"
            raise


def require_channels(config: Config, frame: pd.DataFrame, terms: Sequence[str]) -> None:
    """Every allocation channel must name a term of the model, and columns of the data."""
    columns = [str(name) for name in frame.columns]
    for position, channel in enumerate(config.allocation.channels):
        where = f"allocation.channels[{position}]"
        if channel.term not in terms:
            raise DesignError(
                f"A channel's term is not in the model: {channel.term}.",
                where=f"{where}.term",
                wanted="a term of model.formula",
                fix=_nearest(channel.term, [term for term in terms if term != "(Intercept)"]),
            )
        needed = {"currency_col": channel.currency_col}
        if config.allocation.reference_spend is None:
            needed["spend_col"] = channel.spend_col
        for key, name in needed.items():
            if name is not None and name not in columns:
                raise DataError(
                    f"A channel's column is not in the data: {name}.",
                    where=f"{where}.{key}",
                    wanted=f"a column of {config.data.path}",
                    fix=_nearest(name, columns),
                )


def _require_budget(config: Config, frame: pd.DataFrame, matrix: ModelMatrix, design: ModelDesign) -> None:
    """The budget problem must be well posed; its coefficients do not matter for that."""
    from dsam_assets.allocation.efficiency_target import require_reachable
    from dsam_assets.allocation.feasibility import MIN_DRAWS
    from dsam_assets.allocation.from_config import UnitData, panel_problem
    from dsam_assets.allocation.levels import decision_units
    from dsam_assets.allocation.scenarios import named_budgets, require_budgets

    level, modelled = config.allocation.level, frame.iloc[matrix.rows]
    terms = level_terms(level, matrix)
    draws = np.ones((1 if config.fit.method == "optimise" else MIN_DRAWS, len(terms)))
    units = [UnitData(unit.name, draws, modelled.iloc[unit.rows]) for unit in decision_units(level, matrix)]
    problem = panel_problem(
        config.allocation,
        terms=terms,
        units=units,
        response_scale=matrix.response_scale,
        kpi_type=config.model.kpi_type,
    )
    require_budgets(problem, named_budgets(config.allocation))
    if problem.scenario == "target_efficiency":
        require_reachable(problem, _largest_coefficients(problem, design))


def _largest_coefficients(problem: Problem, design: ModelDesign) -> dict[str, float]:
    """The largest coefficient that the boundaries allow each channel's term; infinite without one."""
    largest = design_prior_table(design).set_index("parameter")["upper"].astype(float).to_dict()
    return {channel.term: largest.get(channel.term, math.inf) for channel in problem.channels}


def _future(config: Config, source: ModelSource) -> FutureRows | None:
    """The rows to forecast: the future data must say all that the model needs to know of them."""
    if not config.forecast.enabled:
        return None
    future = load_future(config.data, config.forecast, config.time_components, source.frame)
    return future_rows(source, future, config.forecast.horizon)


@contextmanager
def _located(loaded: LoadedConfig) -> Iterator[None]:
    """Say in which file an error is: the config with the line, or the data file."""
    try:
        yield
    except DsamError as error:
        error.where = _place(loaded, error)
        raise


def _place(loaded: LoadedConfig, error: DsamError) -> str:
    where, data = error.where or "", loaded.config.data.path
    others = (
        loaded.config.data.dictionary_path, loaded.config.time_components.holidays.calendar_path,
        loaded.config.forecast.data_path,
    )  # fmt: skip
    if any(path in where for path in (str(loaded.path), data, *others) if path is not None):
        return where
    key = _key_of(where, loaded)
    if key is None and isinstance(error, FormulaError):
        key = FORMULA
    if key is not None:
        line = line_of(key, loaded.lines)
        place = f"{loaded.path}, line {line}" if line else str(loaded.path)
        return f"{place}: {where if where.startswith(KEYED) else dotted(key)}"
    return data if where in ("", "data") else f"{data}, {where}"


def _key_of(where: str, loaded: LoadedConfig) -> KeyPath | None:
    """The key that an error's place names, if it names one."""
    if where in SECTIONS:
        return SECTIONS[where]
    if not where.startswith(KEYED):
        return None
    known = {dotted(key): key for key in loaded.lines}
    names = [name for name in known if where == name or where.startswith((f"{name}.", f"{name}["))]
    return known[max(names, key=len)] if names else (where.partition(".")[0],)


def _nearest(name: str, names: Sequence[str]) -> str:
    if near := get_close_matches(name, list(names), n=1):
        return f"Did you mean {near[0]}?"
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return "Use one of: " + ", ".join(names[:_NAMES_SHOWN]) + more
