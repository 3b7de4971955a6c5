"""What is shown when the process of a run or of the devices is lost, and the light that it may have left behind."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.config import BenchConfig
from labcontrol.engine.light_record import laser_journal
from labcontrol.errors import UserError
from labcontrol.gui.processes.held_bench import HeldBench
from labcontrol.gui.processes.lost_laser import Light, LostLaser
from labcontrol.gui.processes.process_talk import LostProcessError
from labcontrol.gui.processes.run_process import LiveRun
from labcontrol.gui.shared.banner import Banner

_RUN, _DEVICES = "The run failed.", "The devices are lost."


class LossNotice(QObject):
    """Says in the banner what ended a run or the work with the devices; of a laser that nobody holds, what is known.

    `changed` is emitted when `light` is another.
    """

    changed = pyqtSignal()

    def __init__(self, banner: Banner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._banner = banner
        self._loss: tuple[LostProcessError, str] | None = None
        self._lost_laser = LostLaser(self)
        self._lost_laser.changed.connect(self._tell)

    @property
    def light(self) -> Light | None:
        """What is known of the laser; None while no process is lost."""
        return self._lost_laser.known

    def show_run_error(self, run: LiveRun | None, error: BaseException) -> None:
        """A run has ended by this error."""
        if isinstance(error, LostProcessError) and run is not None:
            record = run.status.record
            journal = Path() if record is None else laser_journal(record)
            self._begin(error, _RUN, run.bench_config, journal, was_on=run.status.laser_on)
        else:
            self._banner.show_error(error, _RUN)

    def show_devices_error(self, link: HeldBench, error: BaseException) -> None:
        """The process that held the devices has ended by itself. link: to them, which knows what they were."""
        if isinstance(error, LostProcessError) and link.config is not None:
            self._begin(error, _DEVICES, link.config, link.journal, was_on=link.light_is_on)
        else:
            self._banner.show_error(error, _DEVICES)

    def clear(self) -> None:
        """The laser is in somebody's hands again."""
        self._lost_laser.clear()

    def _begin(self, error: LostProcessError, what: str, bench: BenchConfig, journal: Path, *, was_on: bool) -> None:
        self._loss = error, what
        self._lost_laser.begin(bench, journal, was_on=was_on)

    def _tell(self) -> None:
        """What was lost, and as much as is known of the laser by now."""
        if self.light is not None and self._loss is not None:
            error, what = self._loss
            self._banner.show_error(UserError(f"{error.message} {self.light.words}", error.remedy), what)
        self.changed.emit()
