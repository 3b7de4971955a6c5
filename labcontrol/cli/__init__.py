"""The command line."""

from labcontrol.cli.main import main

__all__ = ["main"]
