"""Write the generated parts of docs/gates.md after a change of checks, thresholds, advice or bad fits.

PYTHONPATH=. python tests/write_gates_page.py
"""

from __future__ import annotations

from gates_page import PAGE, filled

if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
