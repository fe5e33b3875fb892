"""Writes the demo data: `python -m dsam_assets.demo [--out configs/data]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from dsam_assets.demo import holidays, panel, pooled, single_market


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m dsam_assets.demo", description="Write the data of the demo markets."
    )
    parser.add_argument("--out", type=Path, default=Path("configs/data"), help="folder (default: %(default)s)")
    out = parser.parse_args().out
    for path in (*single_market.write(out), holidays.write_calendar(out), *panel.write(out), *pooled.write(out)):
        print(path)


if __name__ == "__main__":
    main()
