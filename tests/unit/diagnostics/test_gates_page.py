"""docs/gates.md says what the product's tables say, of every check, every bad fit and every field of the documents."""

from __future__ import annotations

import re

import pytest
from bad_fits import BAD_FITS
from gates_page import PAGE, blocks, filled, rules
from made_up_market import judged

from dsam_assets.assets.check_words import MEANINGS, check_description
from dsam_assets.diagnostics.advice import ADVICE, NOT_COMPUTED_ADVICE
from dsam_assets.diagnostics.calibration import calibration_json
from dsam_assets.diagnostics.gate_table import COLUMNS, STATUSES
from dsam_assets.diagnostics.report import convergence_json, pareto_k_json
from dsam_assets.diagnostics.thresholds import CHECKS, CONVERGENCE_CHECKS

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    """If it is not: `PYTHONPATH=. python tests/write_gates_page.py`."""
    assert filled(TEXT) == TEXT
    for text in blocks().values():
        assert text in TEXT


def test_every_check_is_explained() -> None:
    assert set(CHECKS) == set(MEANINGS)
    assert check_description("pre_week_anchor") == (
        "Do all weeks begin on the same day? Rows that are not on the weekday of most rows. Gate p0, important."
    )
    assert re.findall(r"^#### (\w+)$", TEXT, re.MULTILINE) == sorted(CHECKS, key=lambda name: CHECKS[name].phase)
    assert all(text.endswith((".", "?")) for meaning in MEANINGS.values() for text in (meaning.asks, meaning.computed))


def test_rules_are_those_of_the_policies() -> None:
    assert rules("sampler_rhat_max") == ("warn > 1.01, fail > 1.1", "warn > 1.01, fail > 1.05", "fail > 1.01")
    assert rules("loo_pareto_k")[0] == "warn > 0.7 (pareto_k_warn, pareto_k_fail)"


def test_bad_fits_name_checks_that_exist_and_have_advice() -> None:
    for bad in BAD_FITS.values():
        assert set(bad.caught) <= set(CHECKS)
        assert set(bad.caught.values()) <= {"warn", "fail", "not_computed"}
        first, status = next(iter(bad.caught.items()))
        assert (NOT_COMPUTED_ADVICE if status == "not_computed" else ADVICE)[first]


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("convergence_report.json", convergence_json(judged("healthy", "publish").report)),
        ("pareto_k_summary.json", pareto_k_json(judged("healthy", "publish").report)),
        ("calibration_report.json", calibration_json(*vars(judged("healthy", "publish")).values())),
        ("diagnostics_report.csv", COLUMNS),
    ],
)
def test_every_field_is_documented(file: str, fields: object) -> None:
    section = TEXT.split(f"### {file}\n")[1].split("\n### ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(fields)  # type: ignore[call-overload]


def test_every_status_and_convergence_check_is_there() -> None:
    assert all(f"| {status} |" in TEXT for status in STATUSES)
    assert TEXT.count("decides `converged`") == len(CONVERGENCE_CHECKS)
