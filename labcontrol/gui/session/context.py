"""What every page of the window is built from."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.gui.session.arming import Arming
from labcontrol.gui.session.run_queue import RunQueue
from labcontrol.gui.session.run_starter import RunStarter
from labcontrol.gui.session.setup import ExperimentSetup
from labcontrol.gui.session.table import TableSession
from labcontrol.gui.shared.log_relay import LogRelay


class WindowContext(QObject):
    """The models that the pages share; through them one page reaches another.

    Parameters
    ----------
    folder : Path
        Of the records.
    experiment, bench : ExperimentConfig, BenchConfig
        Of the first run.
    table : TableSession, optional
    arming : Arming, optional
        Who armed the laser before the window was opened, for the first run or queue.
    window : QWidget, optional
        Over which questions appear.

    Attributes
    ----------
    setup : ExperimentSetup
        The next run.
    queue : RunQueue
        The runs after it.
    table : TableSession
        Who holds the table, and the run on it.
    starter : RunStarter
        Starts runs.
    log : LogRelay
        What program and devices report.

    Signals
    -------
    overlays_chosen : (list of Overlay)
        Earlier runs to show behind the live curve.
    """

    overlays_chosen = pyqtSignal(object)

    def __init__(
        self,
        folder: Path,
        experiment: ExperimentConfig,
        bench: BenchConfig,
        *,
        table: TableSession | None = None,
        arming: Arming | None = None,
        window: QWidget | None = None,
    ) -> None:
        super().__init__(window)
        self.folder = folder
        self.setup, self.queue = ExperimentSetup(experiment, bench, self), RunQueue(parent=self)
        self.table = TableSession(parent=self) if table is None else table
        self.table.setParent(self)
        self.starter = RunStarter(window, folder, self.table, self.setup, self.queue, arming or Arming(), self)
        self.log = LogRelay()
