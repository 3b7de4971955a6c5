"""The command line called in a forked process: what the campaigns against it have in common. POSIX only."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import labcontrol.cli.run  # noqa: F401  # what most commands import, once
from labcontrol.cli import main

LONGEST_S = 60


@dataclass(frozen=True)
class Called:
    """How a call ended. said: on standard error."""

    code: int
    said: str
    signal: int = 0

    @property
    def failure(self) -> str:
        """What no input may bring about: a hang, a signal, a traceback, a crash report; empty when it did not."""
        if self.signal:
            return "HANGS" if self.signal == signal.SIGALRM else f"SIGNAL {self.signal}"
        if "Traceback" in self.said or "does not expect" in self.said or self.code == 99:
            return f"CRASH {self.said.strip().splitlines()[-1][:200] if self.said.strip() else self.code}"
        return ""


def call(arguments: Sequence[str], folder: Path) -> Called:
    """Call `labcontrol` with arguments, in a folder, for a minute at most."""
    errors = folder / ".said"
    child = os.fork()
    if not child:
        signal.alarm(LONGEST_S)
        os.chdir(folder)
        with errors.open("w") as stream:
            os.dup2(stream.fileno(), 2)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        sys.argv = ["labcontrol", *arguments]
        code = 99
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    said = errors.read_text(errors="replace")
    if os.WIFSIGNALED(status):
        return Called(-1, said, os.WTERMSIG(status))
    return Called(os.WEXITSTATUS(status), said)
