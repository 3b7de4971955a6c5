"""What is known of the laser when the process that held the devices has ended without a word."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.guardian import Transition, read_journal
from labcontrol.gui.session.arming import needs_arming
from labcontrol.gui.shared.ticking import ticking

_POLL_MS = 200
_SWITCHED_OFF = "tripped"


@dataclass(frozen=True)
class LaserKnowledge:
    """What is known. kind: of the chip. chip: in a few words. words: in a sentence, and from whom."""

    kind: str
    chip: str
    words: str


_SIMULATED = LaserKnowledge("idle", "○  No light: simulated", "The laser was a simulated one and ended with it.")


def guardian_journal() -> Path:
    """A new place for a laser's guardian to write to, kept until this program ends."""
    folder = tempfile.mkdtemp(prefix="labcontrol-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "laser"


class LostLaser(QObject):
    """Polls what the laser's guardian writes when nobody else is left to hear it.

    `changed` is emitted when more is known. The guardian is a third process: it outlives the one that was lost.
    """

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.known: LaserKnowledge | None = None
        """None while no process is lost."""
        self._journal = Path()
        self._was_on = False
        self._timer = ticking(self, _POLL_MS, self.poll)

    def begin(self, bench: BenchConfig, journal: Path, *, was_on: bool) -> None:
        """A process is lost. bench: that it held. journal: of its laser's guardian. was_on: as last heard."""
        self._journal, self._was_on, self.known = journal, was_on, None
        if _is_simulated(bench):
            self._timer.stop()
            self._set(_SIMULATED)
            return
        self._timer.start()
        self.poll()

    def poll(self) -> None:
        """Read what the guardian has written so far."""
        journal = read_journal(self._journal)
        laser = _reported(journal[-1]) if journal else _not_reported(self._was_on)
        if journal and journal[-1].state == _SWITCHED_OFF:
            self._timer.stop()
        self._set(laser)

    def clear(self) -> None:
        """The laser is in somebody's hands again."""
        self._timer.stop()
        self._set(None)

    def _set(self, laser: LaserKnowledge | None) -> None:
        if laser != self.known:
            self.known = laser
            self.changed.emit()


def _reported(last: Transition) -> LaserKnowledge:
    when = datetime.fromtimestamp(last.unix_s).strftime("%H:%M:%S")
    if last.state == _SWITCHED_OFF:
        words = f"Its guardian, a process of its own, switched the laser off at {when}: {last.reason}."
        return LaserKnowledge("idle", "○  Laser off, by its guardian", words)
    return LaserKnowledge(
        "danger",
        "⚠  Laser not confirmed off",
        f"Its guardian tries to switch the laser off, which has not confirmed that at {when}: {last.reason}. "
        "Switch it off by its key.",
    )


def _not_reported(was_on: bool) -> LaserKnowledge:
    if was_on:
        return LaserKnowledge(
            "caution",
            "?  Laser: not known",
            "The laser was on. Its guardian, a process of its own, switches it off when this happens, but has not said "
            "so yet. Check the laser.",
        )
    return LaserKnowledge(
        "caution",
        "?  Laser: last heard off",
        "The laser was off when it was last heard of, and nothing holds the permission to switch it on. Check the "
        "laser to be sure.",
    )


def _is_simulated(bench: BenchConfig) -> bool:
    try:
        return not needs_arming(bench)
    except UserError:
        return False
