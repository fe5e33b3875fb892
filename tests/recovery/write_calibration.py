"""Run the simulation-based calibration and write its ranks, a table and a figure to docs/calibration/.

    python tests/recovery/write_calibration.py

The same replicates as in test_calibration.py; the same machine writes the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import pandas as pd  # noqa: E402
from calibration_figure import figure  # noqa: E402
from calibration_models import MODELS, RANKED, calibrate  # noqa: E402
from uniform_ranks import p_value  # noqa: E402

TARGET = HERE.parents[1] / "docs" / "calibration"


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in MODELS:
        ranks = calibrate(name)
        pd.DataFrame(dict(ranks.right)).to_csv(TARGET / f"ranks_{name}.csv", index_label="data_set")
        (TARGET / f"{name}.svg").write_text(figure(name, ranks), encoding="utf-8")
        rows += [(name, quantity, "posterior", p_value(values, RANKED)) for quantity, values in ranks.right.items()]
        rows += [(name, quantity, "control", p_value(values, RANKED)) for quantity, values in ranks.wrong.items()]
        print(name, flush=True)
    table = pd.DataFrame(rows, columns=["model", "quantity", "of", "p_value"])
    table.to_csv(TARGET / "p_values.csv", index=False, float_format="%.5f")


if __name__ == "__main__":
    main()
