"""What docs/config.md says beside the schema: words about whole sections, examples, and configs that are refused."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """\
# Config reference

<!-- Written by tests/write_docs.py from the config schema; a test compares it. -->

One YAML file describes one market: its data, its model, and what is wanted from it. This page lists every key. You
need few of them: this is a whole config, and everything else keeps its default.

```yaml
data:
  path: data/my_market.csv
  date_var: date
model:
  formula: revenue ~ trend + sin52_1 + cos52_1 + price + m_tv + m_search
```

`dsam init --template blm --out configs/uk.yaml` writes a commented start (`re`, `cre`, `pooled`, `hierarchical` for
other models, `master` for a file with every key). `dsam validate --config configs/uk.yaml` checks a config in a second
or two, without fitting. [Getting started](getting-started.md) walks through a first one.

## How a config is read

- **The file's name is the market's name**: lower-case letters, digits, `_` and `-`.
- **Paths** are relative to the folder of the config. They name regular files: no web addresses, no `~`.
- **A key that is left out has its default**; so does a section or list with nothing below it.
- **An unknown key is refused**, with the nearest key that exists. So are values of the wrong kind: `"4"` is not `4`.
- **All problems are reported at once**, each with its line, and what to do.
- **YAML is the plain part of it**: `true` and `false` are the only booleans (`yes` is text); no anchors, tags or
  merged keys; no key twice. `.Inf` and `-.Inf` are accepted where a bound may be missing.
- **Units are those of your data**, everywhere: priors, bounds, spends. Standardisation happens inside.

`config.resolved.yaml` in a run folder is the config with every default filled in. It can be run again as it is.

## Sections
"""

RULES_HEAD = """\
## Keys that need, or exclude, each other

These are refused before anything is computed. The right column is what the program says.
"""


@dataclass(frozen=True)
class Group:
    """A section of the config on the page.

    Attributes:
        path: as the schema writes it.
        words: what it is for.
        example: YAML of the whole section; only top sections have one.
        see: links.
        top: whether it is a section of the first level.
    """

    path: str
    words: str
    example: str = ""
    see: str = ""
    top: bool = False


@dataclass(frozen=True)
class Conflict:
    """Lines of a config that cannot be served; `data` and `model` are added where they are not among them."""

    lines: tuple[str, ...]

    @property
    def written(self) -> str:
        """The lines as inline code."""
        return "` and `".join(self.lines)

    @property
    def yaml(self) -> str:
        """The whole config."""
        head = {
            "data": "data: {path: data.csv, date_var: date}",
            "model": "model: {formula: kpi ~ trend + m_tv}",
        }
        own = {line.partition(":")[0] for line in self.lines}
        return "\n".join([*(text for name, text in head.items() if name not in own), *self.lines]) + "\n"


GROUPS: tuple[Group, ...] = (
    Group(
        "data",
        "Where the data are and how to read them. One row is one period (a week, mostly); in a panel, one period of one"
        " unit, with a column that names the unit. Rows may be in any order. Long data, one value per row, are turned"
        " into this form first.",
        """
data:
  path: data/uk.csv
  date_var: date
  date_format: "%d/%m/%Y"
  na_action: omit
  dictionary:
    m_tv: { unit: GBP, cadence: weekly, source: media agency, transform: adstock 0.6 }
""",
        "[what the data need](getting-started.md#what-the-data-need),"
        " [`data_dictionary.csv`](artefacts.md#data_dictionarycsv)",
        top=True,
    ),
    Group(
        "data.dictionary.<term>",
        "What a column means, for `data_dictionary.csv` and the transform list. Nothing is computed from it. The key is"
        " the column's name.",
    ),
    Group(
        "model",
        "The formula, and what kind of model it is. `auto` finds the type: `pooled` if pooling is enabled, `cre` if cre"
        " is, `re` if the formula has a group term such as `(1 | market)`, else `blm`.",
        """
model:
  formula: log(revenue) ~ trend + sin52_1 + cos52_1 + price_index + m_tv + m_search
  kpi_type: revenue
""",
        "[the formula language](formula.md), [modelling notes](model.md)",
        top=True,
    ),
    Group(
        "cre",
        "Correlated random effects for panels (Mundlak): the group means of some columns join the formula, so that the"
        " columns themselves speak of changes within groups. `model.type: cre` switches it on.",
        """
model:
  formula: kpi ~ trend + m_tv + m_search + (1 + m_tv + m_search | market)
  type: cre
cre:
  vars: [m_tv, m_search]
""",
        "[group means in the modelling notes](model.md#group-means-cre)",
        top=True,
    ),
    Group(
        "pooling",
        "One market whose many media variables share coefficients by label. `model.type: pooled` switches it on.",
        """
model:
  formula: kpi ~ trend + sin52_1 + cos52_1 + tv_brand + tv_promo + search_brand
  type: pooled
pooling:
  map_path: data/pooling_map.csv
  grouping_vars: [channel, campaign]
  min_waves: 8
""",
        "[pooled models in the modelling notes](model.md#pooled-models),"
        " [`dropped_groups.csv`](artefacts.md#dropped_groupscsv)",
        top=True,
    ),
    Group(
        "transforms",
        "How media enter. Carry-over and saturation are columns of your data, or calls in the formula such as"
        " `atan(m_tv / 25000)`; they are not estimated.",
        """
fit:
  method: optimise
transforms:
  sensitivity:
    enabled: true
    scenarios:
      - { name: slower_tv, formula: kpi ~ trend + m_tv_slow + m_search }
""",
        "[transforms in the modelling notes](model.md#carry-over-and-saturation)",
        top=True,
    ),
    Group(
        "transforms.sensitivity",
        "The same model with other transforms, fitted beside it: how much do the answers depend on the choice?",
    ),
    Group("transforms.sensitivity.scenarios[]", "One alternative. Data, priors and bounds stay those of the model."),
    Group(
        "priors",
        "What is known before the data speak, in the units of the data. The defaults are weak: normal(0, 5) on the"
        " standardised scale. `prior_table.csv` shows every prior on both scales.",
        """
priors:
  overrides:
    - { parameter: price_index, mean: -5000, sd: 3000 }
    - { parameter: noise_sd, family: lognormal_ms, mean: 3000, sd: 1500 }
""",
        "[priors in the modelling notes](model.md#priors), [`prior_table.csv`](artefacts.md#prior_tablecsv)",
        top=True,
    ),
    Group(
        "priors.overrides[]",
        "One prior. For a term, the unit is response per unit of the term (for a log response, log response); for"
        " `noise_sd` it is the response's own, for `sd_1[m_tv]` that of the coefficient of `m_tv`.",
    ),
    Group(
        "boundaries",
        "Limits that a parameter cannot cross, in the units of the data. Use them for signs that must hold, such as"
        " media that cannot hurt. A bound that holds an estimate up is found by the check `boundary_hit_fraction`.",
        """
boundaries:
  overrides:
    - { parameter: m_tv, lower: 0 }
    - { parameter: price_index, upper: 0 }
""",
        "[boundaries in the modelling notes](model.md#boundaries), [the gate](gates.md#boundary_hit_fraction)",
        top=True,
    ),
    Group("boundaries.overrides[]", "One parameter's limits. In a panel they hold for the average group."),
    Group(
        "time_components",
        "Columns that are made from a calendar. Trend and season are columns of your data.",
        """
time_components:
  enabled: true
  holidays:
    enabled: true
    calendar_path: data/holidays.csv
    window_before: 6
    aggregation_rule: any
""",
        top=True,
    ),
    Group(
        "time_components.holidays",
        "One column per event name, such as `holiday_black_friday`, that counts its days in each week. The calendar has"
        " a row per event with a date and a label. The forecast uses the same calendar.",
        see="[`holiday_feature_manifest.csv`](artefacts.md#holiday_feature_manifestcsv)",
    ),
    Group(
        "fit",
        "How the answer is computed: by sampling the posterior, or by looking for its mode. The mode is quick while a"
        " formula is being found; it has no intervals, and its results are never more than provisional.",
        """
fit:
  seed: 123
  mcmc:
    chains: 4
    iter: 2000
    warmup: 1000
    cores: 2
    control: { adapt_delta: 0.95 }
""",
        "[sampling and the mode in the modelling notes](model.md#how-it-is-fitted)",
        top=True,
    ),
    Group("fit.optimise", "Used with `method: optimise`: climbs from several starts, and the highest mode counts."),
    Group("fit.mcmc", "Used with `method: mcmc`: Stan's NUTS. Counts are per chain."),
    Group("fit.mcmc.control", "How the sampler adapts. `null` leaves the choice to Stan."),
    Group("fit.mcmc.parameterization", "A matter of the sampler alone."),
    Group(
        "allocation",
        "The budget question. Spends are per period (a week, in weekly data), in the units of the spend columns.",
        """
allocation:
  enabled: true
  budget: { total: 71500 }
  channels:
    - term: m_tv
      name: TV
      spend_col: spend_tv
      bounds: { min: 5800, max: 38400 }
      response: { type: hill, k: 25000, n: 1 }
    - term: m_search
      name: Search
      spend_col: spend_search
      bounds: { max: 71500 }
      response: { type: log1p, scale: 6000 }
""",
        "[allocation](allocation.md), [plan a budget](how-to/plan-a-budget.md)",
        top=True,
    ),
    Group("allocation.budget", "How much may be spent."),
    Group("allocation.channels[]", "One channel. Keep `response` the transform that made the column from spend."),
    Group("allocation.channels[].bounds", "How little and how much a channel can take."),
    Group("allocation.channels[].response", "The curve from spend to the model's column."),
    Group("allocation.posterior", "How finely the posterior is used."),
    Group("allocation.objective", "What is maximised, and in which currency."),
    Group("allocation.objective.risk", "How much a bad outcome weighs."),
    Group("allocation.scenarios[]", "One further budget."),
    Group(
        "outputs",
        "Where a run is written, and which files. The switches default to what most people want; the stored results"
        " are complete in any case, so a switch can be changed later without a new fit. `save_model_rds` and"
        " `save_posterior_rds` are other names of `save_model` and `save_posterior`.",
        """
outputs:
  root_dir: ../results
  layout: flat
  save_posterior: true
  save_diagnostics_png: false
""",
        "[files of a run](artefacts.md)",
        top=True,
    ),
    Group(
        "forecast",
        "The KPI ahead of the data, from future values of the predictors.",
        """
forecast:
  enabled: true
  data_path: data/uk.future.csv
  horizon: 26
""",
        "[forecast](forecast.md)",
        top=True,
    ),
    Group(
        "diagnostics",
        "How a fit is judged, and what a bad verdict stops. Nothing here changes a fit.",
        """
diagnostics:
  policy_mode: publish
  gating: strict
  time_series_selection: { enabled: true, horizon_weeks: 13, n_folds: 4 }
  identifiability: { media_terms: [m_tv, m_search] }
""",
        "[gates](gates.md), [interpret diagnostics](how-to/interpret-diagnostics.md)",
        top=True,
    ),
    Group(
        "diagnostics.waivers[]",
        "A failed check that somebody answers for, until a date. It counts as a warning then, and is shown as what it"
        " is wherever the results are.",
        see="[waivers](how-to/interpret-diagnostics.md#when-somebody-answers-for-a-failure)",
    ),
    Group("diagnostics.model_selection", "How well the model predicts weeks that it has not seen: PSIS-LOO."),
    Group(
        "diagnostics.time_series_selection",
        "How well it predicts the weeks that come next: the model is fitted again to the weeks before each fold.",
        see="[compare runs](how-to/compare-runs.md)",
    ),
    Group("diagnostics.identifiability", "Can media be told apart from trend, season and holidays?"),
    Group(
        "security",
        "Formulas are read by a parser and never run as code, unless you say so here.",
        """
security:
  allow_unsafe_formula: false
""",
        "[what a formula may hold](formula.md)",
        top=True,
    ),
)

PANEL = "model: {formula: kpi ~ m_tv + (1 | market)}"
CHANNEL = "channels: [{term: m_tv, bounds: {max: 10}}]"

CONFLICTS: tuple[Conflict, ...] = (
    Conflict(("model: {formula: kpi}",)),
    Conflict(("data: {path: data.csv, format: long, date_var: date, long_id_col: market, long_variable_col: kpi}",)),
    Conflict(("model: {formula: kpi ~ m_tv, type: re}",)),
    Conflict(("model: {formula: kpi ~ m_tv + (1 | market), type: blm}",)),
    Conflict(("model: {formula: kpi ~ m_tv + (1 | market), type: cre}", "cre: {enabled: false}")),
    Conflict((PANEL, "cre: {enabled: true}")),
    Conflict(
        (
            "model: {formula: kpi ~ m_tv + (1 | market), type: re}",
            "pooling: {enabled: true, grouping_vars: [channel], map_path: data.csv}",
        )
    ),
    Conflict(("pooling: {enabled: true, grouping_vars: [channel]}",)),
    Conflict(("transforms: {sensitivity: {enabled: true, scenarios: [{name: slow, formula: kpi ~ m_tv}]}}",)),
    Conflict(("priors: {overrides: [{parameter: m_tv, family: lognormal_ms, mean: 1, sd: 1}]}",)),
    Conflict(("boundaries: {overrides: [{parameter: m_tv, lower: 1, upper: 0}]}",)),
    Conflict(("boundaries: {overrides: [{parameter: m_tv, lower: 0, upper: 0}]}",)),
    Conflict(("time_components: {enabled: true, holidays: {enabled: true}}",)),
    Conflict(("fit: {mcmc: {iter: 1000}}",)),
    Conflict(("fit: {mcmc: {thin: 3}}",)),
    Conflict(("fit: {mcmc: {control: {adapt_window: 2000}}}",)),
    Conflict(("allocation: {enabled: true}",)),
    Conflict((f"allocation: {{enabled: true, {CHANNEL}}}",)),
    Conflict((f"allocation: {{enabled: true, budget: {{total: 50}}, {CHANNEL}}}",)),
    Conflict(("allocation: {enabled: true, budget: {total: 5}, channels: [{term: m_tv}]}",)),
    Conflict((f"allocation: {{enabled: true, scenario: target_efficiency, {CHANNEL}}}",)),
    Conflict((f"allocation: {{enabled: true, budget: {{total: 5}}, target_value: 2, {CHANNEL}}}",)),
    Conflict((f"allocation: {{enabled: true, budget: {{total: 5}}, objective: {{target: profit}}, {CHANNEL}}}",)),
    Conflict(("allocation: {objective: {risk: {type: mean, quantile: 0.2}}}",)),
    Conflict(("allocation: {channels: [{term: m_tv, response: {type: hill, k: 2}}]}",)),
    Conflict(("allocation: {channels: [{term: m_tv, response: {type: atan, scale: 2, n: 1}}]}",)),
    Conflict(("allocation: {channels: [{term: m_tv}, {term: m_search}], reference_spend: 10}",)),
    Conflict(("allocation: {level: north}",)),
    Conflict(("forecast: {enabled: true}",)),
    Conflict(("diagnostics: {model_selection: {pareto_k_fail: 0.5}}",)),
    Conflict(("fit: {method: optimise}", "diagnostics: {time_series_selection: {enabled: true}}")),
    Conflict(("diagnostics: {identifiability: {abs_corr_fail: 0.5}}",)),
    Conflict(("diagnostics: {waivers: [{check: ljung_box, who: me, why: it is fine, expires: 2030-01-31}]}",)),
)
