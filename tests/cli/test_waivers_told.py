"""Waivers on the terminal, in documents and in comparisons: who answers for what, and until when."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_market import Answer, Market

import dsam_assets.definitions
import resources.clock

Dsam = Callable[..., Answer]
UseStan = Callable[..., None]
LAST_DAY, NEXT_DAY = dt.date(2026, 3, 31), dt.date(2026, 4, 1)
WAIVERS = """gating: strict
  waivers:
    - {check: sampler_rhat_max, who: A. Lead, why: pilot, expires: 2026-03-31}
    - {check: loo_leverage_one, who: B. Other, why: one launch, expires: 2026-12-31}
"""


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[dt.date], None]:
    """Sets the day."""

    def use(day: dt.date) -> None:
        monkeypatch.setattr(dsam_assets.definitions, "Clock", lambda: SimpleNamespace(today=lambda: day))
        monkeypatch.setattr(resources.clock, "utc_today", lambda: day)

    return use


def test_a_waived_run_goes_on_and_says_so_until_it_halts(
    market: Market, dsam: Dsam, fake_stan: UseStan, on: Callable[[dt.date], None]
) -> None:
    fake_stan(stuck=True)
    market.edit("gating: warn\n", WAIVERS)
    on(LAST_DAY)
    answer = dsam("run", "--config", market.config, "--run-dir", market.folder / "first")
    assert (answer.status, answer.err) == (0, "")
    flat = " ".join(answer.out.split())
    assert "Verdict: WARN (" in flat
    assert "; 1 warning is a waived failure)" in flat
    assert "The results are provisional because sampler_rhat_max fails (waived by A. Lead until 2026-03-31)" in flat
    assert "(Intercept): never moved in chain 1). Waived by A. Lead until 2026-03-31: pilot." in flat
    assert "waiver unused: loo_leverage_one, B. Other, until 2026-12-31: one launch. The check does not fail" in flat
    assert "Budget plan (provisional)" in flat

    document = dsam("run", "--config", market.config, "--run-dir", market.folder / "json", "--json").document
    assert [each["state"] for each in document["verdict"]["waivers"]] == ["applied", "unused"]
    assert (document["verdict"]["overall"], document["verdict"]["converged"]) == ("warn", False)
    marks = {each["check_id"]: each["waived"] for each in document["checks"] if each["waived"]}
    assert set(marks) == {"sampler_rhat_max"}
    assert marks["sampler_rhat_max"] == {
        "original_status": "fail", "by": "A. Lead", "until": "2026-03-31", "why": "pilot",
    }  # fmt: skip

    on(NEXT_DAY)
    late = dsam("run", "--config", market.config, "--run-dir", market.folder / "late")
    assert late.status == 3
    flat = " ".join(late.out.split())
    assert "A waiver by A. Lead expired on 2026-03-31." in flat
    assert "No budget plan is given." in flat
    verdict = json.loads((market.folder / "late" / "run_manifest.json").read_text())["verdict"]
    assert [each["state"] for each in verdict["waivers"]] == ["expired", "unused"]

    folders: list[Path] = [market.folder / name for name in ("first", "json")]
    on(LAST_DAY)
    compared = dsam("compare", *folders)
    assert "warn (provisional, waived)" in compared.out
    assert "sampler_rhat_max waived by A. Lead until 2026-03-31" in " ".join(compared.out.split())
    assert "Recommendation: none" in compared.out  # draws that have not converged are not worth comparing
