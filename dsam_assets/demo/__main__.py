"""Writes the demo data: `python -m dsam_assets.demo [--out configs/data]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from dsam_assets.demo.single_market import write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dsam_assets.demo", description="Write the demo market's data.")
    parser.add_argument("--out", type=Path, default=Path("configs/data"), help="folder (default: %(default)s)")
    for path in write(parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
