"""The simulated optical table: laser, SLM, diffraction, camera, DMD and detector, coupled by light alone."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from drivers.interfaces import Clock, DriverOptions, Table
from mock_devices.acquisitions import Acquisitions
from mock_devices.clocks import SteadyClock, TableClock, VirtualClock
from mock_devices.exposures import Exposures
from mock_devices.injection import KINDS, Injection
from mock_devices.misalignment import misaligned
from mock_devices.options import TableOptions
from mock_devices.physics.diode import LaserDiode
from mock_devices.physics.light import Light
from mock_devices.physics.liquid_crystal import LiquidCrystal
from mock_devices.physics.mirrors import MirrorArray
from mock_devices.physics.photodiode import Readout
from mock_devices.physics.sensor import Sensor
from mock_devices.state import from_bytes, to_bytes


class SimulatedTable(Table):
    """One optical table; devices stand on it by `DriverContext.table`.

    The devices' drivers see patterns, frames, samples and status only. Behind them, and for tests and fault scripts,
    stand `laser`, `slm`, `camera`, `dmd` and `detector`. `ground_truth`: the settings in force, misalignment included.

    Time: whoever changes the table first lets it catch up with everything the devices saw until now, so that light
    is always looked at in the order of time. A frame sees the table as it is at the middle of its exposure.
    `lock` is held for every access; several threads may use the devices.
    """

    Options: ClassVar[type[DriverOptions]] = TableOptions

    def __init__(self, options: TableOptions) -> None:
        self.options = options
        self.ground_truth = ground_truth = misaligned(options)
        self.lock = threading.RLock()
        self._clock: TableClock = VirtualClock() if options.clock == "virtual" else SteadyClock()
        seeds = np.random.SeedSequence(options.seed).spawn(5)
        optics, paths, laser, camera, detector = (np.random.Generator(np.random.PCG64(seed)) for seed in seeds)
        self.laser = LaserDiode(ground_truth.laser, float(laser.uniform(0, 2 * math.pi)))
        self.slm = LiquidCrystal(
            ground_truth.slm, ground_truth.laser.wavelength_nm, ground_truth.cells, ground_truth.noise
        )
        self.dmd = MirrorArray(ground_truth)
        self.light = Light(ground_truth, self.laser, self.slm, optics)
        self.camera = Exposures(ground_truth, self.light, Sensor(ground_truth), camera)
        self.detector = Acquisitions(
            ground_truth, self.light, self.dmd, Readout(ground_truth, self.light, self.dmd, paths), detector
        )
        self.injection = Injection(self)

    @classmethod
    def from_bench(cls, options: DriverOptions) -> Self:
        if not isinstance(options, TableOptions):
            raise TypeError(f"a simulated table needs TableOptions, not {type(options).__name__}")
        return cls(options)

    @property
    def clock(self) -> Clock:
        return self._clock

    @classmethod
    def fault_kinds(cls) -> Mapping[str, tuple[str, ...]]:
        return KINDS

    def inject(
        self, device: str, kind: str, *, times: int = 1, seconds: float | None = None, share: float = 0.3
    ) -> None:
        with self.lock:
            now_s = self._clock.now_s()
            self.catch_up(now_s)
            self.injection.begin(device, kind, now_s, times=times, seconds=seconds, share=share)

    def mend(self) -> None:
        with self.lock:
            self.catch_up(self._clock.now_s())
            self.injection.end(math.inf)

    def catch_up(self, now_s: float) -> None:
        """Let camera and detector see everything that was due until now, in the order of time."""
        camera, detector = self.camera, self.detector
        while True:
            frame_s, samples_s = camera.due_s, detector.due_s
            if frame_s > now_s and samples_s > now_s:
                self.dmd.discard_before(min(now_s, detector.since_s))
                return
            if frame_s <= samples_s:
                camera.expose()
            else:
                detector.acquire()

    def snapshot(self) -> bytes:
        with self.lock:
            now_s = self._clock.now_s()
            self.catch_up(now_s)
            parts = ("laser", "slm", "dmd", "camera", "detector")
            return to_bytes(
                {
                    "options": self.options.model_dump(mode="json"),
                    "now_s": now_s,
                    "injection": self.injection.state(),
                    **{part: getattr(self, part).state() for part in parts},
                }
            )

    def restore(self, state: bytes) -> None:
        """Continue from a `snapshot` of a table with the same options; open the devices before.

        Raises ValueError for the state of another table.
        """
        content = from_bytes(state)
        if content["options"] != self.options.model_dump(mode="json"):
            raise ValueError("the state belongs to a table with other options; build the table with the same ones")
        with self.lock:
            self._clock.set(content["now_s"])
            self.injection.restore(content.get("injection", []))
            for part in ("laser", "slm", "dmd", "camera", "detector"):
                getattr(self, part).restore(content[part])

    def shine(self, power_w: float) -> None:
        with self.lock:
            now_s = self._clock.now_s()
            self.catch_up(now_s)
            self.laser.setpoint_w = power_w or self.laser.setpoint_w
            self.laser.switch(power_w > 0, now_s)

    def close(self) -> None:
        with self.lock:
            self.laser.switch(False, self._clock.now_s())
