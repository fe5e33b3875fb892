"""Sections about the model and its fit: formula, transforms, priors, boundaries, sampler, optimiser."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from dsam_assets.config.schema_base import (
    Algorithm,
    AlwaysTrue,
    Bound,
    Count,
    Init,
    Positive,
    PositiveInt,
    Section,
    Seed,
    Share,
    Text,
    part,
)

ModelType = Literal["auto", "blm", "re", "cre", "pooled"]


class ModelSection(Section):
    """`model`: what is fitted. After resolution `type` is never `auto`."""

    name: Text = Field(description="Name in run folders and reports. Default: this file's name without extension.")
    formula: Text = Field(description="Model formula, response ~ terms. Required.")
    type: ModelType = Field(
        default="auto", description="auto, blm, re, cre or pooled; auto decides from formula, cre and pooling."
    )
    kpi_type: Literal["revenue", "subscriptions"] = Field(
        default="revenue", description="revenue reports return on spend, subscriptions reports cost per KPI."
    )
    scale: bool = Field(default=True, description="Standardise inside the fit; results stay in original units.")
    force_recompile: bool = Field(default=False, description="Compile the Stan program even if a cached one fits.")


class SensitivityScenario(Section):
    """One alternative formula of the transform sensitivity run."""

    name: Text = Field(description="Unique name; not base.")
    formula: Text = Field(description="Alternative model formula.")


class SensitivitySection(Section):
    """`transforms.sensitivity`: refits under alternative transforms."""

    enabled: bool = Field(default=False, description="Refit under alternative formulas. Requires fit.method: optimise.")
    scenarios: Annotated[tuple[SensitivityScenario, ...], Field(strict=False)] = Field(
        default=(), description="Alternative formulas as {name, formula}. Required when enabled."
    )


class TransformsSection(Section):
    """`transforms`: how media transforms enter."""

    mode: Literal["fixed_formula"] = Field(
        default="fixed_formula", description="Transforms are written in the formula."
    )
    sensitivity: SensitivitySection = part(SensitivitySection, "Transform sensitivity.")


class PriorOverride(Section):
    """One prior on the original scale of the data."""

    parameter: Text = Field(description="Parameter as named in the prior table, for example m_tv or noise_sd.")
    family: Literal["normal", "lognormal_ms"] = Field(
        default="normal", description="normal, or lognormal_ms for noise_sd and sd_*."
    )
    mean: float = Field(description="Prior mean, in original units.")
    sd: Positive = Field(description="Prior standard deviation, in original units, > 0.")


class PriorsSection(Section):
    """`priors`: weak defaults plus sparse overrides."""

    use_defaults: AlwaysTrue = Field(default=True, description="Must be true: overrides replace single default priors.")
    overrides: Annotated[tuple[PriorOverride, ...], Field(strict=False)] = Field(
        default=(), description="Rows {parameter, family, mean, sd}; only the listed parameters change."
    )


class BoundaryOverride(Section):
    """Bounds of one parameter on the original scale of the data."""

    parameter: Text = Field(description="Parameter as named in the boundary table.")
    lower: Bound = Field(default=-math.inf, description="Lower bound, in original units; -.Inf for none.")
    upper: Bound = Field(default=math.inf, description="Upper bound, in original units; .Inf for none.")


class BoundariesSection(Section):
    """`boundaries`: structural signs and limits; none by default."""

    overrides: Annotated[tuple[BoundaryOverride, ...], Field(strict=False)] = Field(
        default=(), description="Rows {parameter, lower, upper}; only the listed parameters change."
    )


class OptimiseSection(Section):
    """`fit.optimise`: maximum a posteriori from several starts."""

    n_runs: PositiveInt = Field(default=10, description="Number of starts.")
    iter: PositiveInt = Field(default=2000, description="Iterations at most, per start.")
    seed: Seed | None = Field(default=None, description="Seed of the starts; null uses fit.seed.")
    init: Init = Field(
        default="random",
        description="random (close to zero, near the bulk), a radius >= 0 around zero, or null for Stan's own (2).",
    )
    algorithm: Algorithm = Field(default="lbfgs", description="lbfgs or bfgs.")
    hessian: bool = Field(default=False, description="Also give standard deviations, from the Hessian at the optimum.")
    as_vector: bool = Field(
        default=True, description="Table of starts: a column per parameter; false: a row per start and parameter."
    )


class ControlSection(Section):
    """`fit.mcmc.control`: how the sampler adapts; null leaves the choice to Stan."""

    adapt_delta: Share | None = Field(
        default=None,
        description="Target acceptance rate, between 0 and 1; raise it against divergences. null: 0.8, panels 0.95.",
    )
    max_treedepth: Annotated[int, Field(ge=1, le=20)] = Field(
        default=10, description="Trajectories end after 2^this steps; 1 to 20."
    )
    stepsize: Positive | None = Field(default=None, description="Initial step size; null lets Stan choose.")
    metric: Literal["diag_e", "dense_e"] = Field(default="diag_e", description="Mass matrix: diag_e or dense_e.")
    adapt_init_buffer: Count | None = Field(
        default=None, description="Warmup iterations before the first adaptation window."
    )
    adapt_term_buffer: Count | None = Field(
        default=None, description="Warmup iterations after the last adaptation window."
    )
    adapt_window: PositiveInt | None = Field(
        default=None, description="Warmup iterations in the first adaptation window."
    )


class ParameterizationSection(Section):
    """`fit.mcmc.parameterization`."""

    positive_priors: Literal["centered", "noncentered"] = Field(
        default="centered", description="How lognormal_ms priors are parameterised: centered or noncentered."
    )


class McmcSection(Section):
    """`fit.mcmc`: sampling; counts are per chain."""

    chains: PositiveInt = Field(default=4, description="Number of chains.")
    iter: PositiveInt = Field(default=2000, description="Iterations per chain, warmup included.")
    warmup: PositiveInt = Field(default=1000, description="Warmup iterations per chain; fewer than iter.")
    thin: PositiveInt = Field(default=1, description="Keep every thin-th draw; must divide iter - warmup.")
    cores: PositiveInt = Field(default=1, description="Chains that run at the same time.")
    refresh: Count = Field(default=0, description="Progress line every this many iterations; 0 is silent.")
    seed: Seed | None = Field(default=None, description="Seed of the sampler; null uses fit.seed.")
    init: Init = Field(default=None, description="null for Stan's own choice, random, or a radius >= 0 around zero.")
    control: ControlSection = part(ControlSection, "Adaptation of the sampler.")
    parameterization: ParameterizationSection = part(
        ParameterizationSection, "Parameterisation of positive parameters."
    )


class FitSection(Section):
    """`fit`: how the posterior is computed."""

    method: Literal["mcmc", "optimise"] = Field(default="mcmc", description="mcmc (full posterior) or optimise (MAP).")
    seed: Seed | None = Field(default=None, description="Seed of the fit, 0 to 4294967295.")
    optimise: OptimiseSection = part(OptimiseSection, "Settings of fit.method: optimise.")
    mcmc: McmcSection = part(McmcSection, "Settings of fit.method: mcmc.")
