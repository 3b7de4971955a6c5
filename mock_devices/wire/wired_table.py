"""A simulated table that is reached over wires only: serial laser, VISA detector, screens for SLM and DMD, a camera.

The instruments are front ends of one table in real time. Its SLM and DMD show what is really on two screens; its camera
takes frames all the time, and writes them where the Basler camera emulator reads its images.
"""

from __future__ import annotations

import json
import math
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from drivers.interfaces import Device, Surroundings
from mock_devices.camera import SimulatedCamera
from mock_devices.detector import SimulatedDetector
from mock_devices.laser import SimulatedLaser
from mock_devices.modulators import SimulatedDmd, SimulatedSlm
from mock_devices.options import CameraOptions, DmdOptions, SlmOptions, TableOptions
from mock_devices.physics.liquid_crystal import slm_response
from mock_devices.table import SimulatedTable
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.desktop import VirtualDesktop
from mock_devices.wire.electronics import LaserElectronics
from mock_devices.wire.infiniivision import InfiniiVisionInstrument
from mock_devices.wire.ports import PtyPort, TcpPort
from mock_devices.wire.signals import Volts

SCREEN = (640, 480)
WATTS_PER_VOLT = 1e-3
EXPOSURE_S = 2e-3
_SETTLE_S = 0.25  # for the eye to see the screen, the crystal to settle, and the next frame to be written


class TableLight:
    """The laser of a table, driven by a laser's emulated electronics."""

    def __init__(self, laser: SimulatedLaser) -> None:
        self._laser = laser

    def set_power(self, watts: float) -> None:
        self._laser.power_setpoint_w = watts

    def set_emission(self, on: bool) -> None:
        if on:
            self._laser.emission_on()
        else:
            self._laser.emission_off()

    def power_w(self) -> float:
        return self._laser.power_w


class TableSignal:
    """The photodiode of a table at the input of an emulated oscilloscope; there is no trigger cable."""

    def __init__(self, detector: SimulatedDetector) -> None:
        self._detector = detector
        self._wanted: tuple[int, float, int] | None = None
        self._record: Volts | None = None

    def arm(self, points: int, interval_s: float, before: int) -> None:
        self._wanted, self._record = (points, interval_s, before), None

    def force(self) -> None:
        if self._wanted is None:
            return
        points, interval_s, before = self._wanted
        data = self._detector.read(points - before, 1.0 / interval_s).data
        self._wanted = None
        self._record = np.concatenate([np.full(before, data[0]), data]) / WATTS_PER_VOLT

    def disarm(self) -> None:
        self._wanted, self._record = None, np.zeros(0)

    def recorded(self) -> Volts | None:
        return self._record


class WiredTable:
    """One table and the wires to it. `bench` is the text of the bench file to use.

    neurons: a square number, as on the bench. seed: of all the table's noise.
    """

    def __init__(self, neurons: int = 64, seed: int = 1) -> None:
        self.side = math.isqrt(neurons)
        columns, rows = SCREEN
        self.pitch_px = {"slm": 4, "dmd": 2}
        options = TableOptions(
            rows=self.side,
            columns=self.side,
            seed=seed,
            clock="real",
            slm=SlmOptions(pixels_per_cell=self.pitch_px["slm"], shape=(rows, columns)),
            dmd=DmdOptions(mirrors_per_cell=self.pitch_px["dmd"], shape=(rows, columns)),
            camera=CameraOptions(bit_depth=8, exposure_s=EXPOSURE_S),
        )
        self.table = SimulatedTable(options)
        self.desktop = VirtualDesktop(SCREEN, SCREEN, SCREEN)
        laser = SimulatedLaser(Surroundings("laser", table=self.table))
        detector = SimulatedDetector(Surroundings("detector", table=self.table))
        self._slm = SimulatedSlm(Surroundings("slm", table=self.table))
        self._dmd = SimulatedDmd(Surroundings("dmd", table=self.table))
        self._camera = SimulatedCamera(Surroundings("camera", table=self.table))
        self._devices: list[Device] = [laser, self._slm, self._dmd, self._camera, detector]
        self.laser_head = LaserElectronics(TableLight(laser), max_power_w=options.laser.max_power_w)
        self.laser_port = PtyPort(CoboltInstrument(self.laser_head))
        scope = InfiniiVisionInstrument(TableSignal(detector), memory=2000, shortest_s=1e-6)
        self.detector_port = TcpPort(scope)
        self._folder = tempfile.TemporaryDirectory(prefix="labcontrol-frames-")
        self._images = Path(self._folder.name) / "images"
        self._images.mkdir()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Raises RuntimeError when there can be no desktop here."""
        self.desktop.start()
        for device in self._devices:
            device.open()
        self.laser_port.plug()
        self.detector_port.plug()
        self._take_frame()
        self._thread = threading.Thread(target=self._run, name="wired table", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.laser_port.close()
        self.detector_port.close()
        for device in self._devices:
            device.close()
        self.table.close()
        self.desktop.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def bench(self) -> str:
        """The bench file of this table: geometry and response as a careful calibration would find them."""
        options, side = self.table.options, self.side
        rows, columns = self.table.truth.sensor_shape
        levels = [*range(0, 255, 8), 255]
        phase_rad = slm_response(options.slm, options.laser.wavelength_nm)[levels]
        screen = {"display": self.desktop.display, "response_time_s": _SETTLE_S}
        images = {"TestImageSelector": "Off", "ImageFilename": str(self._images), "ImageFileMode": "On"}
        sections: dict[str, dict[str, Any]] = {
            "laser": {"driver": "cobolt-06", "address": self.laser_port.address, "power_w": 0.02},
            "laser.options": {"command_spacing_s": 0.0, "warm_up_time_s": 0.0},
            "slm": {"driver": "display-slm", "address": self.desktop.names[1]},
            "slm.options": screen,
            "camera": {"driver": "basler", "exposure_s": EXPOSURE_S},
            "camera.options": {"pixel_format": "Mono8", "emulated": True, "region": [0, 0, rows, columns]},
            "camera.options.features": images,
            "dmd": {"driver": "display-dmd", "address": self.desktop.names[2]},
            "dmd.options": screen,
            "detector": {
                "driver": "keysight-infiniivision",
                "address": self.detector_port.visa_address,
                "rate_hz": 1e5,
            },
            "detector.options": {"range_v": 4.0, "watts_per_volt": WATTS_PER_VOLT},
            "geometry": {"rows": side, "columns": side},
            "geometry.slm": {"pitch_px": self.pitch_px["slm"]},
            "geometry.dmd": {"pitch_px": self.pitch_px["dmd"]},
            "geometry.camera": {"matrix": options.camera_matrix, "offset_px": options.camera_offset_px},
            "response": {"levels": levels, "phase_rad": [round(float(phase), 4) for phase in phase_rad]},
        }
        lines = ['name = "simulated table over wires"']
        for name, entries in sections.items():
            lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in entries.items())]
        return "\n".join(lines) + "\n"

    # --- inner workings -----------------------------------------------------------------------------------------
    def _run(self) -> None:
        on_slm = on_dmd = np.zeros(0, dtype=np.uint8)
        while not self._stopping.is_set():
            before, on_slm = on_slm, self.desktop.see(self.desktop.names[1])
            if not np.array_equal(before, on_slm):
                self._slm.show(on_slm)
            before, on_dmd = on_dmd, self.desktop.see(self.desktop.names[2])
            if not np.array_equal(before, on_dmd):
                self._dmd.show(on_dmd // 255)
            self._take_frame()

    def _take_frame(self) -> None:
        frame = self._camera.snap()
        folder = Path(self._folder.name)
        for number in range(2):  # of a single file the camera emulator keeps a copy
            Image.fromarray(frame.data).save(folder / "next", format="BMP")
            (folder / "next").replace(folder / "images" / f"{number}.bmp")  # so that it is whole at any moment
