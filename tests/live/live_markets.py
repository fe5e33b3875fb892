"""Markets of the live test: small, fitted by Stan itself, and two of them bad on purpose."""

from __future__ import annotations

from pathlib import Path

from small_market import CONFIG, market_frame

GOOD = ("de", "fr", "it", "uk")
BROKEN, HALTED = "broken", "halted"  # a config that is not YAML; chains too short to converge, under strict gating
SAMPLER = "{chains: 4, iter: 600, warmup: 200, seed: 7}"
QUICK = "{chains: 2, iter: 400, warmup: 200, seed: 7}"
HASTY = "{chains: 2, iter: 60, warmup: 30, seed: 7}"
LATER = 25.0  # what a revision of the data adds to one week's KPI


def write_fleet(folder: Path) -> None:
    """The six markets; `de` has a budget to plan, the others only a fit."""
    write_market(folder, "de", CONFIG)
    for market in ("fr", "it", "uk"):
        write_plain(folder, market)
    write_market(folder, HALTED, CONFIG.replace(SAMPLER, HASTY).replace("gating: warn", "gating: strict"))
    (folder / f"{BROKEN}.yaml").write_text("model: {formula: [\n")


def write_plain(folder: Path, market: str) -> None:
    """A market without a budget."""
    write_market(folder, market, CONFIG.split("allocation:")[0].replace(SAMPLER, QUICK))


def write_market(folder: Path, market: str, config: str) -> None:
    write_data(folder, market)
    (folder / f"{market}.yaml").write_text(config.replace("data/uk.csv", f"data/{market}.csv"))


def write_data(folder: Path, market: str, revised: float = 0.0) -> None:
    """A market's data; as they were first, or with one week's KPI revised."""
    frame = market_frame()
    frame.loc[3, "kpi"] += revised
    path = folder / "data" / f"{market}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False, lineterminator="\n")
