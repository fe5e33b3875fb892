"""The command line: `dsam`."""

from dsam_assets.cli.commands import main

__all__ = ["main"]
