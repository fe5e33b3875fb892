"""The README's Python runs as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.stan
def test_the_walkthrough_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    script = tmp_path / "walkthrough.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = {
        name: float(mean) for name, mean in re.findall(r"^(re|cre) \{'mean': ([0-9.]+)", done.stdout, re.MULTILINE)
    }
    assert found["cre"] < found["re"]
    assert re.search(r"^(final|provisional) ", done.stdout, re.MULTILINE)
