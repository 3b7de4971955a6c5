"""A bench that is no run's, held in a process of its own, as the window's thread sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig
from labcontrol.gui.processes.bench_process import BenchProcess, MakeServed
from labcontrol.gui.processes.lost_laser import guardian_journal
from labcontrol.gui.shared.ticking import ticking

_PUMP_MS = 20
_ALIVE_MS = 500


class HeldBench(QObject):
    """Holds the devices from the first wish to `release`; says to their process that the window lives.

    Signals: `light` (on, power in W); `lost` (error) when the process ended by itself, before anything is forgotten;
    `released` when nobody holds the devices any more.
    """

    light = pyqtSignal(bool, float)
    lost = pyqtSignal(object)
    released = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.light_is_on, self.power_w = False, 0.0
        self.config: BenchConfig | None = None
        """Of the devices that are, or were last, in this program's hands."""
        self.journal = Path()
        """What a real laser's guardian wrote when the process of the devices was gone."""
        self._process: BenchProcess | None = None
        self._releasing = False
        self._pump_timer = ticking(self, _PUMP_MS, self._pump)
        self._alive_timer = ticking(self, _ALIVE_MS, self._say_alive)

    @property
    def is_held(self) -> bool:
        """Whether the devices are, or may still be, in this program's hands."""
        return self._process is not None

    def release(self) -> None:
        """Light off and let go of every device, without waiting; `released` tells when it is done."""
        if self._process is None:
            self.released.emit()
            return
        self._releasing = True
        self._forget()
        self._process.release()

    def close(self) -> None:
        """As `release`, and wait for the end."""
        self._pump_timer.stop()
        self._alive_timer.stop()
        if self._process is not None:
            self._process.close()
            self._process = None

    # --- for kinds ----------------------------------------------------------------------------------------------
    def _hold(
        self,
        config: BenchConfig,
        make: Callable[[BenchConfig, Path], MakeServed],
        on_news: Callable[[Any], None] = lambda _: None,
    ) -> BenchProcess:
        """The process that holds the devices, begun where there is none yet.

        make: of the bench and of the journal's place, what makes the bench in its process. Raises UserError when the
        bench file does not hold together.
        """
        if self._process is None:
            driver_classes(config)
            self.config, self.journal = config, guardian_journal()
            self._process = BenchProcess(make(config, self.journal), self._on_lost, on_news)
            self._pump_timer.start()
            self._alive_timer.start()
        return self._process

    def _set_light(self, on: bool, power_w: float) -> None:
        self.light_is_on, self.power_w = on, power_w
        self.light.emit(on, power_w)

    def _forget(self) -> None:
        """What was known of the devices holds no more."""
        self._alive_timer.stop()
        self._set_light(False, 0.0)

    # --- the process --------------------------------------------------------------------------------------------
    def _pump(self) -> None:
        process = self._process
        if process is None:
            return
        process.pump()
        if process.is_over and self._process is process:
            process.close()
            self._process, self._releasing = None, False
            self._pump_timer.stop()
            self.released.emit()

    def _say_alive(self) -> None:
        if self._process is not None:
            self._process.say_alive()

    def _on_lost(self, error: BaseException) -> None:
        self.lost.emit(error)
        self._forget()
