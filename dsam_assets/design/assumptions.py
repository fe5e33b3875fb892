"""What a model assumes about its transforms, in sentences: the text of `transform_assumptions.txt`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.design.formula import Formula
from dsam_assets.design.parser import SHIFTS
from dsam_assets.design.syntax import Call, Name, Node, Python, deparse, quote_name, walk


@dataclass(frozen=True)
class AssumptionFacts:
    """What the text is about.

    Attributes:
        formula: the formula that is fitted, generated terms included.
        scale: whether Stan sees standardised data.
        date_var: column that orders the rows, or `None`.
        na_action: what happens to rows with missing values.
        holidays: generated features, or `None`.
        declared: column → what the data dictionary says was done to it before the data file was written.
        sensitivity: names of the transform sensitivity scenarios that are run.
    """

    formula: Formula
    scale: bool
    date_var: str | None = None
    na_action: str = "omit"
    holidays: HolidayFeatures | None = None
    declared: Mapping[str, str] = field(default_factory=dict)
    sensitivity: Sequence[str] = ()


def transform_assumptions(facts: AssumptionFacts) -> str:
    """The text, a heading and sentences per subject; the same facts give the same text."""
    sections = {
        "Formula": _formula(facts),
        "Response scale": _response(facts.formula),
        "Transforms in the formula": _transforms(facts.formula),
        "Columns that enter as they are": _untouched(facts),
        "Lags and leads": _shifts(facts),
        "Internal scaling": _scaling(facts.scale),
        "Holiday features": _holidays(facts.holidays),
        "Missing values": _missing(facts.na_action),
        "Transform sensitivity": _sensitivity(facts.sensitivity),
    }
    return "\n".join("\n".join([title, *(f"  {line}" for line in lines), ""]) for title, lines in sections.items())


def _formula(facts: AssumptionFacts) -> Iterator[str]:
    yield " ".join(facts.formula.text.split())
    yield "Transforms are fixed by the formula and the data: none of their parameters is estimated (fixed_formula)."


def _response(formula: Formula) -> Iterator[str]:
    column = formula.response_column
    if formula.response_scale == "log":
        yield f"{deparse(formula.response)}: the likelihood is normal on the log scale of {column}; effects multiply."
        yield f"Results on the scale of {column} are converted draw by draw, see conversion_method in each table."
    else:
        yield f"{column} as it is: the likelihood is normal in its own units; effects add."


def _calls(formula: Formula) -> Iterator[tuple[Node, str]]:
    """The variables of the formula that are not plain columns, with the place where each stands."""
    places = [(factor, "population terms") for term in formula.terms for factor in term.factors]
    places += [(factor, "group terms") for bar in formula.bar_terms for term in bar.terms for factor in term.factors]
    places += [(offset, "offset") for offset in formula.offsets]
    seen: set[tuple[Node, str]] = set()
    for node, place in places:
        if not isinstance(node, Name) and (node, place) not in seen:
            seen.add((node, place))
            yield node, place


def _transforms(formula: Formula) -> Iterator[str]:
    lines = [f"{deparse(node)}: {_columns(node)} ({place})" for node, place in _calls(formula)]
    yield from lines or ["None."]


def _columns(node: Node) -> str:
    names = list(dict.fromkeys(part.name for part in walk(node) if isinstance(part, Name)))
    if any(isinstance(part, Python) for part in walk(node)):
        return f"Python of {', '.join(names) or 'no column'}, run as it is (security.allow_unsafe_formula)"
    functions = list(dict.fromkeys(part.function for part in walk(node) if isinstance(part, Call)))
    applied = ", ".join(function for function in functions if function != "I") or "arithmetic"
    return f"{applied} of {', '.join(names) or 'a constant'}"


def _untouched(facts: AssumptionFacts) -> Iterator[str]:
    generated = set(facts.holidays.names) if facts.holidays else set()
    factors = [factor for term in facts.formula.terms for factor in term.factors]
    names = list(dict.fromkeys(node.name for node in factors if isinstance(node, Name) and node.name not in generated))
    for name in names:
        declared = facts.declared.get(name, "")
        yield f"{quote_name(name)}: " + (f"{declared} (data dictionary)" if declared else "no transform declared")
    yield (
        "Adstock, saturation and other media transforms of these columns were made before the data file was written."
        if names
        else "None."
    )


def _shifts(facts: AssumptionFacts) -> Iterator[str]:
    nodes = [node for node, _ in _calls(facts.formula)]
    shifts = [part for node in nodes for part in walk(node) if isinstance(part, Call) and part.function in SHIFTS]
    if facts.formula.python:
        yield "Python in the formula sees all rows of the file in their order, whatever their group; it is not checked."
    if not shifts and not facts.formula.python:
        yield "None: every row is explained by columns of the same row."
    if not shifts:
        return
    for shift in dict.fromkeys(shifts):
        yield deparse(shift)
    groups = list(dict.fromkeys(name for bar in facts.formula.bar_terms for name in bar.group))
    within = f" within each {', '.join(groups)}" if groups else ""
    yield f"Rows are shifted in the order of {facts.date_var or 'the date column'}{within}, and are equally spaced."
    yield "Rows without a value to shift in (the first ones of a lag, the last ones of a lead) are missing."


def _scaling(scale: bool) -> Iterator[str]:
    if scale:
        yield "On: Stan sees standardised columns (mean 0, standard deviation 1); default priors apply to these."
        yield "The likelihood is the same; coefficients and overridden priors and boundaries are in the data's units."
    else:
        yield "Off: Stan sees the columns in the units of the data, and default priors apply to these units."


def _holidays(holidays: HolidayFeatures | None) -> Iterator[str]:
    if holidays is None:
        yield "None are generated."
        return
    first = holidays.manifest.iloc[0]
    counted = "0 or 1 per week" if first["aggregation_rule"] == "any" else "event days per week"
    yield f"{len(holidays.names)} generated, as {counted}; weeks begin on {first['week_start'].title()}."
    yield f"An event counts from {first['window_before']} days before to {first['window_after']} days after its date."
    yield (
        "A day counts once per label, however often it is listed."
        if first["overlap_policy"] == "dedupe_label_date"
        else "Repeated and overlapping event days of a label all count."
    )
    added = bool(holidays.formula_names)
    yield "They are terms of the formula." if added else "They are columns only: add_to_formula is false."
    left_out = holidays.manifest.loc[~holidays.manifest["generated"].astype(bool), "feature"]
    yield from (f"{name}: in the model's data" for name in holidays.names)
    yield from (f"{name}: left out, no event day in the weeks of the data" for name in left_out)


def _missing(na_action: str) -> Iterator[str]:
    yield (
        "A missing value in a modelled column is an error."
        if na_action == "error"
        else "Rows with a missing value in a modelled column are dropped; spec_summary.csv counts them by column."
    )


def _sensitivity(scenarios: Sequence[str]) -> Iterator[str]:
    yield f"Scenarios besides the formula above: {', '.join(scenarios)}." if scenarios else "No scenarios are run."
