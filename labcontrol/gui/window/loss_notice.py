"""What is told when the process of a run or of the devices is lost, and the light that it may have left behind."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.config import BenchConfig
from labcontrol.engine.light_record import laser_journal
from labcontrol.errors import UserError
from labcontrol.gui.processes.held_bench import HeldBench
from labcontrol.gui.processes.lost_light import Light, LostLight
from labcontrol.gui.processes.process_talk import LostProcessError
from labcontrol.gui.processes.run_process import LiveRun
from labcontrol.gui.shared.banner import Banner

_RUN, _DEVICES = "The run failed.", "The devices are lost."


class LossNotice(QObject):
    """Says in the banner what ended a run or the work with the devices; of a laser that nobody holds, what is known.

    `changed` tells that `light` is another.
    """

    changed = pyqtSignal()

    def __init__(self, banner: Banner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._banner = banner
        self._loss: tuple[LostProcessError, str] | None = None
        self._lost_light = LostLight(self)
        self._lost_light.changed.connect(self._tell)

    @property
    def light(self) -> Light | None:
        """What is known of the laser; None while no process is lost."""
        return self._lost_light.known

    def tell_of_run(self, run: LiveRun | None, error: BaseException) -> None:
        """A run has ended by this error."""
        if isinstance(error, LostProcessError) and run is not None:
            record = run.status.record
            journal = Path() if record is None else laser_journal(record)
            self._begin(error, _RUN, run.bench_config, journal, was_on=run.status.laser_on)
        else:
            self._banner.show_error(error, _RUN)

    def tell_of_devices(self, link: HeldBench, error: BaseException) -> None:
        """The process that held the devices has ended by itself. link: to them, which knows what they were."""
        if isinstance(error, LostProcessError) and link.config is not None:
            self._begin(error, _DEVICES, link.config, link.journal, was_on=link.light_is_on)
        else:
            self._banner.show_error(error, _DEVICES)

    def forget(self) -> None:
        """The laser is in somebody's hands again."""
        self._lost_light.forget()

    def _begin(self, error: LostProcessError, what: str, bench: BenchConfig, journal: Path, *, was_on: bool) -> None:
        self._loss = error, what
        self._lost_light.begin(bench, journal, was_on=was_on)

    def _tell(self) -> None:
        """What was lost, and as much as is known of the laser by now."""
        if self.light is not None and self._loss is not None:
            error, what = self._loss
            self._banner.show_error(UserError(f"{error.message} {self.light.words}", error.remedy), what)
        self.changed.emit()
