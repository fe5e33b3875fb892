"""`python -m dsam_assets.cli`."""

import sys

from dsam_assets.cli import main

sys.exit(main())
