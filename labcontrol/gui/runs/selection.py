"""Reads the selected runs beside the event loop; the newest selection wins."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.verdict import Verdict
from labcontrol.errors import UserError
from labcontrol.gui.learning.record_contents import RecordContents, read_contents
from labcontrol.gui.shared.background import Background

MOST_SHOWN = 6
_MOST_KEPT = 12

_Read = tuple[list[RecordContents], list[UserError]]


class RunsSelection(QObject):
    """Signals: `arrived` emits the contents of the selection, not empty; `modelled` the models of its first run and
    the verdict; `problem` a UserError.
    """

    arrived = pyqtSignal(object)
    modelled = pyqtSignal(object, object)
    problem = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.contents: list[RecordContents] = []
        self._wanted: list[Path] = []
        self._kept: OrderedDict[tuple[Path, float], RecordContents] = OrderedDict()
        self._modelled: tuple[RecordContents, list[ModelCurve], Verdict] | None = None
        self._background = Background(self)

    @property
    def is_busy(self) -> bool:
        return self._background.is_busy

    def set(self, paths: list[Path]) -> None:
        """What is selected now."""
        self._wanted = paths[:MOST_SHOWN]
        self._read()

    def close(self) -> None:
        """End reading."""
        self._wanted = []
        self._background.close()

    def _read(self) -> None:
        wanted = self._wanted
        if not wanted or self._background.is_busy:
            return
        kept = dict(self._kept)

        def job() -> _Read:
            contents, errors = [], []
            for path in wanted:
                try:
                    key = (path, path.stat().st_mtime)
                    contents.append(kept.get(key) or read_contents(path))
                except UserError as error:
                    errors.append(error)
                except OSError as error:
                    errors.append(UserError(f"{path.name} cannot be read: {error.strerror or error}."))
            return contents, errors

        def deliver(read: _Read) -> None:
            contents, errors = read
            if wanted is not self._wanted:
                self._read()
                return
            for error in errors:
                self.problem.emit(error)
            self.contents = contents
            self._keep(contents)
            if contents:
                self.arrived.emit(contents)
                self._model(contents[0])

        self._background.run(job, deliver)

    def _keep(self, contents: list[RecordContents]) -> None:
        for content in contents:
            if content.path.exists():
                self._kept[content.path, content.path.stat().st_mtime] = content
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def _model(self, first: RecordContents) -> None:
        """Compute the models of a run, and show them if it is still the first one selected by then."""
        modelled_for = self._wanted
        if self._modelled is not None and self._modelled[0] is first:
            self.modelled.emit(*self._modelled[1:])
            return

        def deliver(found: tuple[list[ModelCurve], Verdict]) -> None:
            self._modelled = (first, *found)
            if self._wanted and self._wanted[0] == first.path:
                self.modelled.emit(*found)
            if self._wanted is not modelled_for:
                self._read()

        self._background.run(first.models, deliver)
