"""Write the generated pages of docs/ after a change of the tables behind them.

PYTHONPATH=. python tests/write_docs.py
"""

from __future__ import annotations

import artefacts_page
import config_page

if __name__ == "__main__":
    artefacts_page.PAGE.write_text(artefacts_page.page(), encoding="utf-8")
    config_page.PAGE.write_text(config_page.page(), encoding="utf-8")
    config_page.MASTER.write_text(config_page.master(), encoding="utf-8")
