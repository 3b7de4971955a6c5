"""The twin computed in a process of its own: the window goes on drawing, and it can be ended at any moment."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, QProcess

from labcontrol.analysis.twin_model import TwinModel
from labcontrol.errors import UserError

_NOT_STARTED = QProcess.ProcessError.FailedToStart


class TwinProcess(QObject):
    """Computes the twin of one record after the other. Close it before the program ends."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None

    @property
    def is_busy(self) -> bool:
        return self._process is not None

    def run(self, record: Path, deliver: Callable[[TwinModel], None], refuse: Callable[[UserError], None]) -> None:
        """Begin, ending the computation before; one of the two is called in this thread when it is over."""
        self.close()
        process = self._process = QProcess(self)

        def finished() -> None:
            if process is not self._process:
                return
            self._process = None
            outputs = process.readAllStandardOutput, process.readAllStandardError
            answer, complaint = (bytes(read()).decode(errors="replace") for read in outputs)
            process.deleteLater()
            try:
                found = json.loads(answer)
            except ValueError:
                why = complaint.strip().splitlines()[-1:] or ["it ended without a result"]
                refuse(UserError(f"The twin could not be computed: {why[0]}."))
                return
            if "message" in found:
                refuse(UserError(found["message"], found["remedy"]))
            else:
                deliver(TwinModel(**found))

        process.finished.connect(finished)
        process.errorOccurred.connect(lambda error: finished() if error == _NOT_STARTED else None)
        process.start(sys.executable, ["-m", "labcontrol.analysis.twin_model", str(record)])

    def close(self) -> None:
        """End the computation at hand; its result is dropped."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished()
            process.deleteLater()
