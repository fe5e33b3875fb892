"""Rules between keys. Each function looks at a valid config and yields what is wrong; `violations` runs them all."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator

from dsam_assets.config.defaults import has_bar_terms, split_formula
from dsam_assets.config.key_paths import KeyPath
from dsam_assets.config.problems import Problem
from dsam_assets.config.rules_allocation import allocation_rules
from dsam_assets.config.schema import Config
from dsam_assets.config.suggestions import nearest
from dsam_assets.verdict import CHECKS

Rule = Callable[[Config], Iterator[Problem]]

_GROUP_SD = re.compile(r"sd_\d+\[.+\]")
# Stan's own warmup phases, used for those that the config leaves out
_STAN_BUFFERS = {"adapt_init_buffer": 75, "adapt_term_buffer": 50, "adapt_window": 25}


def repeated(values: Iterable[Hashable]) -> Iterator[tuple[int, Hashable]]:
    """Position and value of every repetition after the first occurrence."""
    seen: Counter[Hashable] = Counter()
    for position, value in enumerate(values):
        if seen[value]:
            yield position, value
        seen[value] += 1


def _formula(path: KeyPath, formula: str) -> Iterator[Problem]:
    sides = split_formula(formula)
    if sides is None or not all(sides):
        yield Problem(path, "must have the form response ~ terms", formula, "write for example kpi ~ trend + m_tv")


def _formulas(config: Config) -> Iterator[Problem]:
    yield from _formula(("model", "formula"), config.model.formula)
    for position, scenario in enumerate(config.transforms.sensitivity.scenarios):
        yield from _formula(("transforms", "sensitivity", "scenarios", position, "formula"), scenario.formula)


def _long_data(config: Config) -> Iterator[Problem]:
    if config.data.format != "long":
        return
    names = ("date_var", "long_id_col", "long_variable_col", "long_value_col")
    columns = {name: getattr(config.data, name) for name in names}
    for name, column in columns.items():
        if column is None:
            yield Problem(("data", name), "is required when data.format is long", fix="name the column")
    given = [(name, column) for name, column in columns.items() if column is not None]
    for position, column in repeated(column for _, column in given):
        name = given[position][0]
        yield Problem(("data", name), "must differ from the other long-format columns", column)


def _model_type(config: Config) -> Iterator[Problem]:
    kind, bars = config.model.type, has_bar_terms(config.model.formula)
    if kind in ("re", "cre") and not bars:
        yield Problem(
            ("model", "type"),
            f"{kind} needs bar terms in model.formula",
            kind,
            "add for example (1 | market), or use blm",
        )
    if kind in ("blm", "pooled") and bars:
        yield Problem(
            ("model", "type"), f"{kind} cannot be used with bar terms in model.formula", kind, "use re or cre, or auto"
        )


def _cre(config: Config) -> Iterator[Problem]:
    kind, cre = config.model.type, config.cre
    if cre.enabled and kind in ("blm", "pooled"):
        fix = "add bar terms such as (1 | market) and use model.type: cre, or switch cre off"
        yield Problem(("cre", "enabled"), f"cannot be true for model.type: {kind}", True, fix)
    if kind == "cre" and not cre.enabled:
        yield Problem(("cre", "enabled"), "must be true for model.type: cre", False, "use model.type: re without it")
    if cre.enabled and not cre.vars:
        yield Problem(("cre", "vars"), "must name at least one column when cre is enabled", fix="for example [m_tv]")
    for position, name in repeated(cre.vars):
        yield Problem(("cre", "vars", position), "is listed twice", name)


def _pooling(config: Config) -> Iterator[Problem]:
    kind, pooling = config.model.type, config.pooling
    if pooling.enabled and kind in ("re", "cre"):
        yield Problem(("pooling", "enabled"), f"cannot be true for model.type: {kind}", True, "switch one of them off")
    if kind == "pooled" and not pooling.enabled:
        yield Problem(
            ("pooling", "enabled"), "must be true for model.type: pooled", False, "use model.type: blm without it"
        )
    if not pooling.enabled:
        return
    if not pooling.grouping_vars:
        yield Problem(("pooling", "grouping_vars"), "must name at least one column when pooling is enabled")
    for position, name in repeated(pooling.grouping_vars):
        yield Problem(("pooling", "grouping_vars", position), "is listed twice", name)
    if pooling.map_path is None:
        yield Problem(("pooling", "map_path"), "is required when pooling is enabled", fix="name the pooling map file")
    elif pooling.map_format is None:
        fix = "write csv, rds or parquet"
        yield Problem(("pooling", "map_format"), "cannot be inferred from map_path", pooling.map_path, fix)


def _sensitivity(config: Config) -> Iterator[Problem]:
    base: KeyPath = ("transforms", "sensitivity")
    sensitivity = config.transforms.sensitivity
    if sensitivity.enabled and config.fit.method != "optimise":
        yield Problem(
            (*base, "enabled"), "requires fit.method: optimise", True, "set fit.method: optimise or switch it off"
        )
    if sensitivity.enabled and not sensitivity.scenarios:
        yield Problem((*base, "scenarios"), "must have at least one row when sensitivity is enabled")
    for position, scenario in enumerate(sensitivity.scenarios):
        if scenario.name == "base":
            yield Problem(
                (*base, "scenarios", position, "name"), "must not be base: that is the model's own formula", "base"
            )
    for position, name in repeated(scenario.name for scenario in sensitivity.scenarios):
        yield Problem((*base, "scenarios", position, "name"), "must be unique", name)


def _priors(config: Config) -> Iterator[Problem]:
    rows = config.priors.overrides
    for position, name in repeated(row.parameter for row in rows):
        yield Problem(
            ("priors", "overrides", position, "parameter"), "has two priors", name, "keep one row per parameter"
        )
    for position, row in enumerate(rows):
        path: KeyPath = ("priors", "overrides", position)
        if row.family != "lognormal_ms":
            continue
        if row.parameter != "noise_sd" and not _GROUP_SD.fullmatch(row.parameter):
            rule = "can be lognormal_ms only for noise_sd and sd_<index>[<term>]"
            yield Problem((*path, "family"), rule, row.parameter, "use family: normal")
        if row.mean <= 0:
            yield Problem((*path, "mean"), "must be greater than 0 for lognormal_ms", row.mean)


def _boundaries(config: Config) -> Iterator[Problem]:
    rows = config.boundaries.overrides
    for position, name in repeated(row.parameter for row in rows):
        rule = "has two boundary rows"
        yield Problem(("boundaries", "overrides", position, "parameter"), rule, name, "keep one row per parameter")
    for position, row in enumerate(rows):
        path: KeyPath = ("boundaries", "overrides", position)
        if row.lower == row.upper:
            fix = "to fix a coefficient, use offset() in the formula; to remove it, drop the term"
            yield Problem((*path, "upper"), "must be greater than lower", row.upper, fix)
        elif row.lower > row.upper:
            yield Problem((*path, "lower"), f"must not exceed upper ({row.upper:g})", row.lower, "swap lower and upper")


def _holidays(config: Config) -> Iterator[Problem]:
    if not (config.time_components.enabled and config.time_components.holidays.enabled):
        return
    if config.time_components.holidays.calendar_path is None:
        path = ("time_components", "holidays", "calendar_path")
        yield Problem(path, "is required when holidays are enabled", fix="name the calendar file")
    if config.data.date_var is None:
        yield Problem(("data", "date_var"), "is required when holidays are enabled", fix="name the date column")


def _forecast(config: Config) -> Iterator[Problem]:
    if not config.forecast.enabled:
        return
    if config.forecast.data_path is None:
        yield Problem(
            ("forecast", "data_path"), "is required when forecast is enabled", fix="name the future data file"
        )
    if config.data.date_var is None:
        yield Problem(("data", "date_var"), "is required when forecast is enabled", fix="name the date column")


def _iterations(config: Config) -> Iterator[Problem]:
    mcmc, base = config.fit.mcmc, ("fit", "mcmc")
    kept = mcmc.iter - mcmc.warmup
    if kept <= 0:
        rule = f"must be less than iter ({mcmc.iter}), which counts warmup and sampling together"
        yield Problem((*base, "warmup"), rule, mcmc.warmup, f"for example warmup: {max(1, mcmc.iter // 2)}")
    elif kept % mcmc.thin:
        yield Problem((*base, "thin"), f"must divide iter - warmup = {kept}", mcmc.thin, "use 1 unless memory is short")


def _adaptation(config: Config) -> Iterator[Problem]:
    given = {name: getattr(config.fit.mcmc.control, name) for name in _STAN_BUFFERS}
    if all(value is None for value in given.values()):
        return
    total = sum(_STAN_BUFFERS[name] if value is None else value for name, value in given.items())
    if total > config.fit.mcmc.warmup:
        # Stan would quietly replace all three
        rule = f"– the adaptation phases add up to {total}, more than warmup ({config.fit.mcmc.warmup})"
        fix = "raise fit.mcmc.warmup, or give all three of " + ", ".join(_STAN_BUFFERS)
        yield Problem(("fit", "mcmc", "control"), rule, fix=fix)


def _model_selection(config: Config) -> Iterator[Problem]:
    base: KeyPath = ("diagnostics", "model_selection")
    section = config.diagnostics.model_selection
    thresholds = {"pareto_k_warn": section.pareto_k_warn, "pareto_k_fail": section.pareto_k_fail}
    for name, value in thresholds.items():
        if value != math.inf and not 0 <= value <= 1:
            yield Problem((*base, name), "must lie between 0 and 1, or be .Inf", value)
    if section.pareto_k_fail != math.inf and section.pareto_k_fail <= section.pareto_k_warn:
        warn = ".Inf" if section.pareto_k_warn == math.inf else f"{section.pareto_k_warn:g}"
        yield Problem((*base, "pareto_k_fail"), f"must be greater than pareto_k_warn ({warn})", section.pareto_k_fail)


def _time_series_selection(config: Config) -> Iterator[Problem]:
    base: KeyPath = ("diagnostics", "time_series_selection", "enabled")
    if not config.diagnostics.time_series_selection.enabled:
        return
    if config.fit.method != "mcmc":
        yield Problem(base, "requires fit.method: mcmc", True)
    if config.data.date_var is None:
        yield Problem(("data", "date_var"), "is required for time-series selection", fix="name the date column")


def _identifiability(config: Config) -> Iterator[Problem]:
    base: KeyPath = ("diagnostics", "identifiability")
    section = config.diagnostics.identifiability
    fail = section.abs_corr_fail
    if fail != math.inf and not section.abs_corr_warn < fail <= 1:
        rule = f"must be greater than abs_corr_warn ({section.abs_corr_warn:g}) and at most 1, or .Inf"
        yield Problem((*base, "abs_corr_fail"), rule, fail)
    for position, pattern in enumerate(section.baseline_regex):
        try:
            re.compile(pattern)
        except re.error as error:
            yield Problem((*base, "baseline_regex", position), f"is not a regular expression: {error}", pattern)
    for name in sorted(set(section.media_terms) & set(section.baseline_terms)):
        yield Problem((*base, "media_terms"), "must not share terms with baseline_terms", name)


def _waivers(config: Config) -> Iterator[Problem]:
    base: KeyPath = ("diagnostics", "waivers")
    waivers = config.diagnostics.waivers
    for position, waiver in enumerate(waivers):
        if waiver.check not in CHECKS:
            close = nearest(waiver.check, CHECKS)
            fix = f"did you mean {close}?" if close else f"write one of {', '.join(CHECKS)}"
            yield Problem((*base, position, "check"), "is not a check", waiver.check, fix)
    for position, _ in repeated((waiver.check, waiver.subject) for waiver in waivers):
        check = waivers[position].check
        yield Problem((*base, position, "check"), "is waived twice", check, "keep one row per check and subject")


RULES: tuple[Rule, ...] = (
    _formulas,
    _long_data,
    _model_type,
    _cre,
    _pooling,
    _sensitivity,
    _priors,
    _boundaries,
    _holidays,
    _iterations,
    _adaptation,
    allocation_rules,
    _forecast,
    _model_selection,
    _time_series_selection,
    _identifiability,
    _waivers,
)


def violations(config: Config) -> list[Problem]:
    """Every cross-field rule that a config breaks."""
    return [problem for rule in RULES for problem in rule(config)]
