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
    Unit,
    part,
)

ModelType = Literal["auto", "blm", "re", "cre", "pooled"]


class ModelSection(Section):
    """`model`: what is fitted. After resolution `type` is never `auto`."""

    name: Text = Field(
        examples=["uk"], description="Name in run folders and reports. Default: this file's name without extension."
    )
    formula: Text = Field(
        examples=["kpi ~ trend + m_tv + m_search"], description="Model formula, response ~ terms. Required."
    )
    type: ModelType = Field(
        default="auto", description="auto, blm, re, cre or pooled; auto decides from formula, cre and pooling."
    )
    kpi_type: Literal["revenue", "subscriptions"] = Field(
        default="revenue", description="revenue is judged by return on spend, subscriptions by cost per KPI unit."
    )
    scale: bool = Field(
        default=True, description="Standardise inside the fit; inputs and results stay in the units of the data."
    )
    force_recompile: bool = Field(
        default=False, description="Compile the Stan program again at the start of a run, even if a cached one fits."
    )


class SensitivityScenario(Section):
    """One alternative formula of the transform sensitivity run."""

    name: Text = Field(examples=["slower_tv"], description="Unique name; not base, which is the model's own formula.")
    formula: Text = Field(examples=["kpi ~ trend + m_tv_slow + m_search"], description="Alternative model formula.")


class SensitivitySection(Section):
    """`transforms.sensitivity`: refits under alternative transforms."""

    enabled: bool = Field(default=False, description="Refit under alternative formulas. Requires fit.method: optimise.")
    scenarios: Annotated[tuple[SensitivityScenario, ...], Field(strict=False)] = Field(
        default=(),
        examples=[[{"name": "slower_tv", "formula": "kpi ~ trend + m_tv_slow + m_search"}]],
        description="Alternative formulas as {name, formula}. Required when enabled.",
    )


class TransformsSection(Section):
    """`transforms`: how media transforms enter."""

    mode: Literal["fixed_formula"] = Field(
        default="fixed_formula", description="Transforms are written in the formula, or are in the data already."
    )
    sensitivity: SensitivitySection = part(SensitivitySection, "Transform sensitivity.")


class PriorOverride(Section):
    """One prior on the original scale of the data."""

    parameter: Text = Field(
        examples=["m_tv"],
        description="Parameter as named in prior_table.csv: a term, noise_sd, or in panels sd_1[m_tv].",
    )
    family: Literal["normal", "lognormal_ms"] = Field(
        default="normal",
        description="normal, or lognormal_ms for noise_sd and sd_*: a lognormal given by its own mean and sd.",
    )
    mean: Annotated[float, Unit("response per unit of the term")] = Field(examples=[0.5], description="Prior mean.")
    sd: Annotated[Positive, Unit("response per unit of the term")] = Field(
        examples=[0.2], description="Prior standard deviation."
    )


class PriorsSection(Section):
    """`priors`: weak defaults plus sparse overrides."""

    use_defaults: AlwaysTrue = Field(default=True, description="Must be true: overrides replace single default priors.")
    overrides: Annotated[tuple[PriorOverride, ...], Field(strict=False)] = Field(
        default=(),
        examples=[[{"parameter": "m_tv", "mean": 0.5, "sd": 0.2}]],
        description="Rows {parameter, family, mean, sd} in the units of the data; only the listed parameters change.",
    )


class BoundaryOverride(Section):
    """Bounds of one parameter on the original scale of the data."""

    parameter: Text = Field(examples=["m_tv"], description="Parameter as named in prior_table.csv.")
    lower: Annotated[Bound, Unit("response per unit of the term")] = Field(
        default=-math.inf, description="Lower bound; -.Inf for none."
    )
    upper: Annotated[Bound, Unit("response per unit of the term")] = Field(
        default=math.inf, description="Upper bound; .Inf for none."
    )


class BoundariesSection(Section):
    """`boundaries`: structural signs and limits; none by default."""

    overrides: Annotated[tuple[BoundaryOverride, ...], Field(strict=False)] = Field(
        default=(),
        examples=[[{"parameter": "m_tv", "lower": 0}]],
        description="Rows {parameter, lower, upper} in the units of the data; only the listed parameters change.",
    )


class OptimiseSection(Section):
    """`fit.optimise`: maximum a posteriori from several starts."""

    n_runs: Annotated[PositiveInt, Unit("starts")] = Field(
        default=10, description="Number of starts; the best mode is kept."
    )
    iter: Annotated[PositiveInt, Unit("iterations")] = Field(default=2000, description="Iterations at most, per start.")
    seed: Seed | None = Field(default=None, examples=[123], description="Seed of the starts; null uses fit.seed.")
    init: Init = Field(
        default="random",
        description=(
            "Where starts lie on Stan's unconstrained scale: within this radius of zero; random stands for 0.1,"
            " null for Stan's own 2."
        ),
    )
    algorithm: Algorithm = Field(default="lbfgs", description="How to climb: lbfgs or bfgs.")
    hessian: bool = Field(
        default=False,
        description="Also give approximate standard deviations in optimisation_best.csv, from the Hessian at the mode.",
    )
    as_vector: bool = Field(
        default=True,
        description="optimisation_runs.csv: a column per parameter; false: a row per start and parameter.",
    )


class ControlSection(Section):
    """`fit.mcmc.control`: how the sampler adapts; null leaves the choice to Stan."""

    adapt_delta: Share | None = Field(
        default=None,
        examples=[0.99],
        description="Target acceptance rate; raise it against divergences. null: 0.8, panels 0.95.",
    )
    max_treedepth: Annotated[int, Field(ge=1, le=20)] = Field(
        default=10, description="Trajectories end after 2^this steps."
    )
    stepsize: Positive | None = Field(
        default=None, examples=[0.1], description="Initial step size; null lets Stan choose."
    )
    metric: Literal["diag_e", "dense_e"] = Field(default="diag_e", description="Mass matrix: diag_e or dense_e.")
    adapt_init_buffer: Annotated[Count | None, Unit("iterations")] = Field(
        default=None, examples=[75], description="Warmup iterations before the first adaptation window."
    )
    adapt_term_buffer: Annotated[Count | None, Unit("iterations")] = Field(
        default=None, examples=[50], description="Warmup iterations after the last adaptation window."
    )
    adapt_window: Annotated[PositiveInt | None, Unit("iterations")] = Field(
        default=None, examples=[25], description="Warmup iterations in the first adaptation window."
    )


class ParameterizationSection(Section):
    """`fit.mcmc.parameterization`."""

    positive_priors: Literal["centered", "noncentered"] = Field(
        default="centered",
        description=(
            "How the sampler sees parameters with lognormal_ms priors: centered, or noncentered when such a prior says"
            " more than the data. The model is the same."
        ),
    )


class McmcSection(Section):
    """`fit.mcmc`: sampling; counts are per chain."""

    chains: Annotated[PositiveInt, Unit("chains")] = Field(default=4, description="Number of chains.")
    iter: Annotated[PositiveInt, Unit("iterations")] = Field(
        default=2000, description="Iterations per chain, warmup included."
    )
    warmup: Annotated[PositiveInt, Unit("iterations")] = Field(
        default=1000, description="Warmup iterations per chain; fewer than iter."
    )
    thin: Annotated[PositiveInt, Unit("draws")] = Field(
        default=1, description="Keep every thin-th draw; must divide iter - warmup."
    )
    cores: Annotated[PositiveInt, Unit("chains")] = Field(default=1, description="Chains that run at the same time.")
    refresh: Annotated[Count, Unit("iterations")] = Field(
        default=0, description="How often Stan reports where it is, which moves the progress bar; 0: every 100."
    )
    seed: Seed | None = Field(default=None, examples=[123], description="Seed of the sampler; null uses fit.seed.")
    init: Init = Field(
        default=None,
        examples=[0.5],
        description="Radius around zero of the starts, on Stan's unconstrained scale; null and random: Stan's own 2.",
    )
    control: ControlSection = part(ControlSection, "Adaptation of the sampler.")
    parameterization: ParameterizationSection = part(
        ParameterizationSection, "Parameterisation of positive parameters."
    )


class FitSection(Section):
    """`fit`: how the posterior is computed."""

    method: Literal["mcmc", "optimise"] = Field(
        default="mcmc", description="mcmc (full posterior) or optimise (its mode, MAP)."
    )
    seed: Seed | None = Field(
        default=None,
        examples=[123],
        description="Seed of everything random in the fit; null is 1, so that a run can be repeated in any case.",
    )
    optimise: OptimiseSection = part(OptimiseSection, "Settings of fit.method: optimise.")
    mcmc: McmcSection = part(McmcSection, "Settings of fit.method: mcmc.")
