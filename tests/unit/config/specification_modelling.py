"""The pages on models, priors, holidays, gates and budgets, and the how-to guides: every YAML fragment they show."""

from __future__ import annotations

from math import inf

from specification_page import Page
from specification_schema import FOLDS, IDENT, OBJECTIVE, PLAN, POOLING, TARGET

PAGES: list[Page] = []


def new_page(name: str) -> Page:
    PAGES.append(Page(name))
    return PAGES[-1]


page = new_page("Model Classes")
page.loads("model: {formula: kpi ~ m_tv + m_search + trend + seasonality}\n", model__type="blm")
page.loads("model: {formula: kpi ~ m_tv + m_search + trend + (1 + m_tv + m_search | market)}\n", model__type="re")
page.loads("model: {formula: 'kpi ~ m_tv + (1 | market:brand) + (1 | region)'}\n", model__type="re")
page.loads(
    "model: {formula: kpi ~ m_tv + m_search + trend + seasonality, type: pooled}\n" + POOLING, model__type="pooled"
)
# the original has no MAP for pooled models; design.md §4 says that ours has it
page.loads(
    "model: {formula: kpi ~ m_tv, type: pooled}\n" + POOLING + "fit: {method: optimise}\n", fit__method="optimise"
)
# nor time-series selection for them; design.md §4 again
page.loads(
    "model: {formula: kpi ~ m_tv, type: pooled}\n" + POOLING + FOLDS % "enabled: true",
    diagnostics__time_series_selection__enabled=True,
)

page = new_page("Priors and Boundaries")
PRIORS = """\
priors:
  use_defaults: true
  overrides:
    - { parameter: m_tv, mean: 0.5, sd: 0.2 }
    - { parameter: price_index, mean: -0.2, sd: 0.1 }
"""
BOUNDARIES = """\
boundaries:
  overrides:
    - { parameter: m_tv, lower: 0.0, upper: .Inf }
    - { parameter: competitor_discount, lower: -.Inf, upper: 0.0 }
"""
page.loads(
    PRIORS,
    priors__overrides__0__family="normal",
    priors__overrides__1__parameter="price_index",
    priors__overrides__1__mean=-0.2,
    priors__overrides__1__sd=0.1,
)
page.loads(
    BOUNDARIES,
    boundaries__overrides__0__lower=0.0,
    boundaries__overrides__0__upper=inf,
    boundaries__overrides__1__lower=-inf,
    boundaries__overrides__1__upper=0.0,
)
# "the default prior table is not generated" here; Config Schema refuses the same value, and so do we
page.refuses("priors: {use_defaults: false}\n", "priors.use_defaults must be true")

page = new_page("Minimal-Prior Policy")
page.loads(
    "priors:\n  use_defaults: true\n  overrides:\n    # none\n\nboundaries:\n  overrides:\n    # none\n",
    priors__overrides=(),
    boundaries__overrides=(),
)
page.loads(
    "priors:\n  overrides:\n    - { parameter: price_index, mean: -0.2, sd: 0.1 }\n"
    "    - { parameter: distribution, mean: 0.15, sd: 0.1 }\n"
    "boundaries:\n  overrides:\n    - { parameter: m_tv, lower: 0.0, upper: .Inf }\n"
    "    - { parameter: competitor_discount, lower: -Inf, upper: 0.0 }\n",
    priors__overrides__1__mean=0.15,
    boundaries__overrides__1__lower=-inf,
)

page = new_page("CRE / Mundlak")
CRE_MODEL = "model: {formula: kpi ~ m_tv + m_search + trend + (1 + m_tv + m_search | market)}\n"
CRE = "cre:\n  enabled: true\n  vars: [m_tv, m_search, m_social]\n  group: market\n  prefix: cre_mean_\n"
page.loads(CRE_MODEL + CRE, model__type="cre", cre__vars=("m_tv", "m_search", "m_social"), cre__group="market")
page.refuses(CRE, "model.type cre needs bar terms")

page = new_page("Time Components")
TIME_COMPONENTS = """\
time_components:
  enabled: true
  holidays:
    enabled: true
    calendar_path: data/holidays.csv
    date_col: null
    label_col: holiday
    date_format: null
    week_start: monday
    timezone: UTC
    prefix: holiday_
    window_before: 0
    window_after: 0
    aggregation_rule: count
    overlap_policy: count_all
    add_to_formula: true
    overwrite_existing: false
"""
page.loads(
    TIME_COMPONENTS,
    time_components__holidays__date_col=None,
    time_components__holidays__timezone="UTC",
    time_components__holidays__add_to_formula=True,
)
page.loads(
    TIME_COMPONENTS.replace("date_format: null", 'date_format: "%d/%m/%Y"'),
    time_components__holidays__date_format="%d/%m/%Y",
)
page.loads(
    TIME_COMPONENTS.replace("before: 0", "before: 7").replace("rule: count", "rule: any"),
    time_components__holidays__window_before=7,
)

page = new_page("Diagnostics Gates")
page.loads(
    "diagnostics:\n  identifiability:\n    enabled: true\n    media_terms: [m_tv, m_search, m_social]\n"
    '    baseline_terms: [trend, seasonality]\n    baseline_regex: ["^h_", "^sin", "^cos"]\n'
    "    abs_corr_warn: 0.80\n    abs_corr_fail: 0.95\n",
    diagnostics__identifiability__media_terms=("m_tv", "m_search", "m_social"),
    diagnostics__identifiability__abs_corr_fail=0.95,
)
page.loads(IDENT % "enabled: false", diagnostics__identifiability__enabled=False)
for _mode in ("explore", "publish", "strict"):
    page.loads(f"diagnostics: {{policy_mode: {_mode}}}\n", diagnostics__policy_mode=_mode)

page = new_page("Budget Optimisation")
page.refuses(PLAN.replace("max: 100", "min: 60, max: 100"), "allocation.budget.total must be at least the sum")
page.refuses(PLAN.replace("max: 100", "max: 40"), "allocation.budget.total must be at most the sum")
page.loads(
    PLAN.replace("{enabled", OBJECTIVE % "risk: {type: mean_minus_sd, lambda: 0.5}"),
    allocation__objective__risk__lambda_=0.5,
)
page.loads(
    PLAN.replace("{enabled", OBJECTIVE % "risk: {type: quantile, quantile: 0.1}"),
    allocation__objective__risk__quantile=0.1,
)
page.loads(TARGET, allocation__scenario="target_efficiency", allocation__target_value=2)
page.loads(PLAN.replace("{enabled", "{reference_spend: {m_tv: 20}, enabled"), allocation__reference_spend={"m_tv": 20})

page = new_page("How-to guides and FAQ")
page.loads("diagnostics:\n  policy_mode: explore\n", diagnostics__policy_mode="explore")
page.loads("fit: {mcmc: {iter: 200, warmup: 100}}\n", fit__mcmc__iter=200, fit__mcmc__warmup=100)
page.loads("model: {formula: kpi ~ trend, force_recompile: true}\n", model__force_recompile=True)
page.loads("fit: {mcmc: {control: {adapt_delta: 0.99}}}\n", fit__mcmc__control__adapt_delta=0.99)
page.refuses("model: {formula: kpi ~ (trend}\n", "Expected `)`")
