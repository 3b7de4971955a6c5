"""`python -m labcontrol` is the same as `labcontrol`."""

from labcontrol.cli import main

main()
