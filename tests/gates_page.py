"""The generated parts of docs/gates.md: every check with its thresholds, and the fits that are bad on purpose.

They are made from the tables of the product, so that the page cannot drift: `write_gates_page.py` writes them, and
`unit/diagnostics/test_gates_page.py` compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bad_fits import BAD_FITS

from dsam_assets.assets.check_words import MEANINGS
from dsam_assets.config.schema_diagnostics import ModelSelectionSection
from dsam_assets.diagnostics.advice import ADVICE, NOT_COMPUTED_ADVICE
from dsam_assets.diagnostics.thresholds import CHECKS, CONVERGENCE_CHECKS, THRESHOLDS, Threshold, describe

PAGE = Path(__file__).resolve().parents[1] / "docs" / "gates.md"
MODES = ("explore", "publish", "strict")


def blocks() -> dict[str, str]:
    """The generated blocks by name."""
    return {"checks": "\n".join(_checks()), "bad_fits": "\n".join(_bad_fits())}


def rules(check_id: str) -> tuple[str, ...]:
    """The rule of a check under each policy, as text."""
    if check_id != "loo_pareto_k":
        return tuple(describe(THRESHOLDS[mode][check_id]) for mode in MODES)
    section = ModelSelectionSection()
    rule = describe(Threshold("above", section.pareto_k_warn, section.pareto_k_fail))
    return (f"{rule} (pareto_k_warn, pareto_k_fail)",) * 3


def _checks() -> Iterator[str]:
    for phase, title in (
        ("P0", "Before the fit (P0)"),
        ("P1", "After the fit (P1)"),
        ("P2", "Beside the fit before (P2)"),
    ):
        yield f"### {title}\n"
        for check_id in (name for name, check in CHECKS.items() if check.phase == phase):
            yield from _check(check_id)


def _check(check_id: str) -> Iterator[str]:
    check, meaning, texts = CHECKS[check_id], MEANINGS[check_id], rules(check_id)
    decides = "; decides `converged`" if check_id in CONVERGENCE_CHECKS else ""
    yield f"#### {check_id}\n\n**{meaning.asks}** ({check.gate}, {check.severity}; `{check.metric}`{decides})\n"
    yield f"{meaning.computed}\n"
    if len(set(texts)) == 1:
        yield f"- In every mode: {texts[0]}"
    else:
        yield from (f"- {mode}: {text}" for mode, text in zip(MODES, texts, strict=True))
    yield f"- What to do: {ADVICE[check_id]}"
    if check_id in NOT_COMPUTED_ADVICE:
        yield f"- When it is not computed: {NOT_COMPUTED_ADVICE[check_id]}"
    yield ""


def _bad_fits() -> Iterator[str]:
    yield "| Problem | Caught by (status under publish) | What it says | What to do |"
    yield "|---|---|---|---|"
    for bad in BAD_FITS.values():
        first, status = next(iter(bad.caught.items()))
        caught = ", ".join(f"`{check}` ({found.replace('_', ' ')})" for check, found in bad.caught.items())
        advice = ADVICE[first] if status != "not_computed" else NOT_COMPUTED_ADVICE[first]
        yield f"| {bad.problem} | {caught} | {bad.says} | {advice} |"


def filled(page: str) -> str:
    """The page with its generated blocks replaced."""
    for name, text in blocks().items():
        start = rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end -->)"
        page = re.sub(start, lambda found, text=text: f"{found[1]}\n{text}\n{found[2]}", page, flags=re.DOTALL)
    return page
