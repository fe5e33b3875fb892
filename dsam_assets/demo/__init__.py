"""Synthetic markets whose true parameters are known, to try the system on and to test it against.

`single_market` is one market, `panel` eight markets of unequal length, `pooled` one market whose media carry labels.
`python -m dsam_assets.demo` writes the committed demo data again, byte for byte.
"""

from __future__ import annotations

from dsam_assets.demo.single_market import DemoMarket, generate, write

__all__ = ["DemoMarket", "generate", "write"]
