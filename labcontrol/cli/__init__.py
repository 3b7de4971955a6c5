"""The command line."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run a command; Ctrl-C ends it with 130, also while its modules are being imported."""
    try:
        from labcontrol.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
