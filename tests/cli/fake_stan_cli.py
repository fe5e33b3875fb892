"""`dsam` with the stand-in in place of Stan, as a program of its own."""

from __future__ import annotations

import os
import signal
import sys

from fake_stan_resource import FakeStan

import dsam_assets.definitions
from dsam_assets.cli import main

if __name__ == "__main__":
    dsam_assets.definitions.StanResource = lambda progress: FakeStan()  # type: ignore[assignment, misc]
    if os.environ.get("CRASHES") in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(main())
