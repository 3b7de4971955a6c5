"""What happens inside the camera: exposures, the frame buffer, and what can go wrong with them."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass

import numpy as np

from drivers.interfaces import Frame, Roi
from mock_devices.faults import Faults
from mock_devices.options import TableOptions
from mock_devices.physics.light import Light
from mock_devices.physics.sensor import Sensor
from mock_devices.state import State, generator_state, set_generator_state


@dataclass(frozen=True)
class Exposure:
    """A triggered frame that was not exposed yet."""

    start_s: float
    exposure_s: float
    gain_db: float
    counter: int
    ready_s: float


@dataclass(frozen=True)
class Arrival:
    """A frame and when it reaches the computer; none in place of one that failed on its way."""

    ready_s: float
    frame: Frame | None


class Exposures:
    """The camera's electronics.

    Faults: ``drop`` (the next frame never arrives), ``stale`` (the next read gives the last frame once more),
    ``failed`` (the next frame arrives incomplete), ``timeout``.
    """

    def __init__(self, options: TableOptions, light: Light, sensor: Sensor, generator: np.random.Generator) -> None:
        self._options = options.camera
        self._noise = options.laser.intensity_noise * options.noise
        self._light = light
        self._generator = generator
        self.sensor = sensor
        self.exposure_s = options.camera.exposure_s
        self.gain_db = 0.0
        self.counter = 0
        self.faults = Faults("drop", "stale", "failed")
        self.busy_until_s = 0.0  # end of the last exposure
        self._waiting: deque[Exposure] = deque()
        self._arrived: deque[Arrival] = deque()
        self._last: Frame | None = None

    @property
    def due_s(self) -> float:
        """When the table is looked at next; infinite when nothing is being exposed."""
        return self._waiting[0].start_s + self._waiting[0].exposure_s / 2 if self._waiting else math.inf

    def trigger(self, now_s: float) -> None:
        self.counter += 1
        self.busy_until_s = now_s + self.exposure_s
        ready_s = self.busy_until_s + self._options.readout_time_s
        self._waiting.append(Exposure(now_s, self.exposure_s, self.gain_db, self.counter, ready_s))

    def expose(self) -> None:
        """Take the next frame."""
        exposure = self._waiting.popleft()
        middle_s = exposure.start_s + exposure.exposure_s / 2
        intensity = self._light.intensity(middle_s, self._light.fluctuation(self._generator))
        power_w = self._light.laser.power_w(middle_s)
        if self._noise:
            power_w *= 1 + self._noise * self._generator.standard_normal()
        data, saturated = self.sensor.image(
            intensity, max(0.0, power_w) * exposure.exposure_s, exposure.gain_db, self._generator
        )
        if self._options.drop_share and self._generator.random() < self._options.drop_share:
            return
        if self.faults.take("drop") or len(self._arrived) >= self._options.buffer_frames:
            return
        frame = Frame(data, exposure.counter, exposure.start_s, exposure.exposure_s, saturated)
        self._arrived.append(Arrival(exposure.ready_s, None if self.faults.take("failed") else frame))

    @property
    def next_s(self) -> float:
        """When the oldest frame not read yet is here; infinite when none is on its way."""
        if self._arrived:
            return self._arrived[0].ready_s
        return self._waiting[0].ready_s if self._waiting else math.inf

    def take(self) -> Frame | None:
        """The oldest frame that arrived; None for one that failed. Raises LookupError when there is none."""
        if self._last is not None and self.faults.take("stale"):
            return self._last
        if not self._arrived:
            raise LookupError("no frame")
        frame = self._arrived.popleft().frame
        if frame is not None:
            self._last = frame
        return frame

    def discard(self) -> int:
        count = len(self._arrived)
        self._arrived.clear()
        return count

    def reset(self) -> None:
        """As after power-up, settings kept."""
        self._waiting.clear()
        self._arrived.clear()
        self._last = None
        self.counter = 0
        self.busy_until_s = 0.0

    def state(self) -> State:
        return {
            "exposure_s": self.exposure_s,
            "gain_db": self.gain_db,
            "roi": asdict(self.sensor.roi),
            "counter": self.counter,
            "busy_until_s": self.busy_until_s,
            "faults": self.faults.state(),
            "waiting": [asdict(exposure) for exposure in self._waiting],
            "arrived": [[arrival.ready_s, _frame_state(arrival.frame)] for arrival in self._arrived],
            "last": _frame_state(self._last),
            "generator": generator_state(self._generator),
        }

    def restore(self, state: State) -> None:
        self.exposure_s = state["exposure_s"]
        self.gain_db = state["gain_db"]
        self.sensor.roi = Roi(**state["roi"])
        self.counter = state["counter"]
        self.busy_until_s = state["busy_until_s"]
        self.faults.restore(state["faults"])
        self._waiting = deque(Exposure(**exposure) for exposure in state["waiting"])
        self._arrived = deque(Arrival(ready_s, _frame(frame)) for ready_s, frame in state["arrived"])
        self._last = _frame(state["last"])
        set_generator_state(self._generator, state["generator"])


def _frame_state(frame: Frame | None) -> State | None:
    return None if frame is None else asdict(frame)


def _frame(state: State | None) -> Frame | None:
    return None if state is None else Frame(**state)
