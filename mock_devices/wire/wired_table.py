"""A simulated table that is reached over wires only: serial laser, screens for SLM and DMD, camera, VISA detector.

The instruments are front ends of one table. Its SLM and DMD show what is really on two screens; the images of its
camera are where the Basler camera emulator reads them. That emulator knows neither exposure nor gain: the table's stay
as they are.

Time. A table in real time looks at its screens all the time, and its crystals, exposures and samples take as long as
real ones. A table in virtual time looks at its screens when a frame is triggered or samples are taken; whatever has
changed on them is given its settling time, which costs nothing. It is as fast as its wires, and tests everything but
whether the drivers wait long enough.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Device, DriverContext
from mock_devices.camera import SimulatedCamera
from mock_devices.detector import SimulatedDetector
from mock_devices.laser import SimulatedLaser
from mock_devices.modulators import SimulatedDmd, SimulatedSlm
from mock_devices.table import SimulatedTable
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.desktop import VirtualDesktop
from mock_devices.wire.infiniivision import InfiniiVisionInstrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.light_and_signal import TableLight, TableSignal
from mock_devices.wire.ports import PtyPort, TcpPort
from mock_devices.wire.triggered_images import TriggeredImages
from mock_devices.wire.wire_bench import EXPOSURE_S, RATE_HZ, Time, geometry_sections, table_options, toml_text

PEOPLE_SCREEN = (640, 480)
WATTS_PER_VOLT = 1e-3
_LOOK_EVERY_S = 5e-3
_SEEN_WITHIN_S = 0.05  # a screen is looked at, and its pattern taken over, also when the computer is busy


@dataclass
class Watched:
    """A modulator of the table and the screen that drives it.

    at: pixel (row, column) of the screen where the modulator's first pixel is; beside it is no light.
    """

    screen: str
    device: SimulatedSlm | SimulatedDmd
    at: tuple[int, int]
    white: int  # grey level on the screen of the modulator's highest level
    seen: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.uint8))


class WiredTable:
    """One table and the wires to it. `bench` is the text of the bench file to use.

    neurons: a square number, as on the bench. seed: of all the table's noise. screen: columns and rows of the screens
    that are the SLM and the DMD. time: see above. misalignment_seed: where given, the table hides its ground_truth.
    slm_pixels: along the edge of one neuron. noise: factor on all the table's noise.
    """

    def __init__(
        self,
        neurons: int = 64,
        seed: int = 1,
        *,
        screen: tuple[int, int] = (640, 480),
        time: Time = "virtual",
        misalignment_seed: int | None = None,
        slm_pixels: int = 4,
        noise: float = 1.0,
    ) -> None:
        self._virtual = time == "virtual"
        stated = table_options(neurons, seed, time, misalignment_seed, slm_pixels=slm_pixels, noise=noise)
        self.table = table = SimulatedTable(stated)
        options = table.ground_truth
        self.desktop = VirtualDesktop(PEOPLE_SCREEN, screen, screen)
        laser = SimulatedLaser(DriverContext("laser", table=table))
        detector = SimulatedDetector(DriverContext("detector", table=table))
        slm, dmd = SimulatedSlm(DriverContext("slm", table=table)), SimulatedDmd(DriverContext("dmd", table=table))
        self._camera = SimulatedCamera(DriverContext("camera", table=table))
        self._devices: list[Device] = [laser, slm, dmd, self._camera, detector]
        self._slm = Watched(self.desktop.names[1], slm, _middle(screen, options.slm_shape), 255)
        self._dmd = Watched(self.desktop.names[2], dmd, _middle(screen, options.dmd_shape), 1)
        light = TableLight(laser, warms_up_at_once=self._virtual)
        self.laser_head = LaserElectronics(light, max_power_w=options.laser.max_power_w)
        self.laser_port = PtyPort(CoboltInstrument(self.laser_head))
        signal = TableSignal(detector, WATTS_PER_VOLT, self._look)
        self.detector_port = TcpPort(InfiniiVisionInstrument(signal, memory=100_000, shortest_s=1e-6))
        self._folder = tempfile.TemporaryDirectory(prefix="labcontrol-frames-")
        self.images = TriggeredImages(Path(self._folder.name), self._take_frame)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Plug everything in, in the main thread. Raises RuntimeError when there can be no desktop here."""
        self.desktop.start()
        for device in self._devices:
            device.open()
        self.laser_port.plug()
        self.detector_port.plug()
        self.images.start()
        if not self._virtual:
            self._thread = threading.Thread(target=self._watch, name="eye", daemon=True)
            self._thread.start()
        return self

    def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.images.stop()
        self.laser_port.close()
        self.detector_port.close()
        for device in self._devices:
            device.close()
        self.table.close()
        self.desktop.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bench(self) -> str:
        """The bench file of this table."""
        rows, columns = self.table.ground_truth.sensor_shape
        settle_s = 0.0 if self._virtual else self._slm.device.settle_time_s + _SEEN_WITHIN_S
        screen = {"display": self.desktop.display, "latency_frames": 0.0, "response_time_s": round(settle_s, 3)}
        # Nothing waits for a refresh where screens are looked at when they are needed.
        screen |= {"refresh_hz": 1000.0} if self._virtual else {}
        images = {"TestImageSelector": "Off", "ImageFilename": str(self.images.folder), "ImageFileMode": "On"}
        return toml_text(
            "simulated table over wires",
            {
                "laser": {"driver": "cobolt-06", "address": self.laser_port.address, "power_w": 0.02},
                "laser.options": {"command_spacing_s": 0.0, "warm_up_time_s": 0.0},
                "slm": {"driver": "display-slm", "address": self._slm.screen},
                "slm.options": screen,
                "camera": {"driver": "basler", "exposure_s": EXPOSURE_S},
                "camera.options": {"pixel_format": "Mono8", "emulated": True, "region": [0, 0, rows, columns]},
                "camera.options.features": {**images, "AcquisitionFrameRateAbs": 1000.0},
                "dmd": {"driver": "display-dmd", "address": self._dmd.screen},
                "dmd.options": screen,
                "detector": {
                    "driver": "keysight-infiniivision",
                    "address": self.detector_port.visa_address,
                    "rate_hz": RATE_HZ,
                },
                "detector.options": {"range_v": 4.0, "watts_per_volt": WATTS_PER_VOLT},
                **geometry_sections(self.table.options, self._slm.at, self._dmd.at),
            },
        )

    # --- inner workings -----------------------------------------------------------------------------------------
    def _look(self) -> None:
        """Let SLM and DMD show what is on their screens now."""
        with self.table.lock:
            for watched in (self._slm, self._dmd):
                grey = self.desktop.see(watched.screen, watched.at, watched.device.shape)
                if np.array_equal(grey, watched.seen):
                    continue
                watched.seen = grey
                show = watched.device.show_settled if self._virtual else watched.device.show
                show(grey if watched.white == 255 else grey // 255)

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            self._look()

    def _take_frame(self) -> NDArray[np.uint8]:
        with self.table.lock:
            self._look()
            return np.asarray(self._camera.snap().data, dtype=np.uint8)


def _middle(screen: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """First pixel (row, column) of a modulator in the middle of its screen. Raises ValueError when it is too large."""
    columns, rows = screen
    if shape[0] > rows or shape[1] > columns:
        raise ValueError(f"{shape[0]} x {shape[1]} pixels do not fit on a screen of {rows} x {columns}")
    return (rows - shape[0]) // 2, (columns - shape[1]) // 2
