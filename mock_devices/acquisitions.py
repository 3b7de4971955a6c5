"""What happens inside the detector: acquisitions, its trigger, and what can go wrong with them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from drivers.interfaces import Samples
from mock_devices.faults import Faults
from mock_devices.options import TableOptions
from mock_devices.physics.light import Light
from mock_devices.physics.mirrors import MirrorArray
from mock_devices.physics.photodiode import Readout, add_noise, sample
from mock_devices.state import State, generator_state, set_generator_state


@dataclass(frozen=True)
class Acquisition:
    """A train of samples that was started."""

    start_s: float
    samples: int
    rate_hz: float
    counter: int

    @property
    def end_s(self) -> float:
        return self.start_s + self.samples / self.rate_hz


class Acquisitions:
    """The detector's electronics.

    Faults: ``overload`` (the next acquisition is far beyond full scale), ``no_trigger`` (the next trigger is missed),
    ``timeout``.
    """

    def __init__(
        self,
        options: TableOptions,
        light: Light,
        mirrors: MirrorArray,
        readout: Readout,
        generator: np.random.Generator,
    ) -> None:
        self._options = options.detector
        self._noise_w = options.detector.noise * options.detector.full_scale_w * options.noise
        self._intensity_noise = options.laser.intensity_noise * options.noise
        # Spacing of the times at which moving crystals are looked at.
        self._knot_s = options.slm.response_time_s / 8
        self._light = light
        self._mirrors = mirrors
        self._readout = readout
        self._generator = generator
        self.counter = 0
        self.faults = Faults("overload", "no_trigger")
        self._armed: tuple[int, float] | None = None
        self._running: Acquisition | None = None
        self._done: Samples | None = None

    @property
    def due_s(self) -> float:
        """End of the acquisition that runs; infinite when none does."""
        return self._running.end_s if self._running else math.inf

    @property
    def since_s(self) -> float:
        """Start of the acquisition that runs; infinite when none does."""
        return self._running.start_s if self._running else math.inf

    def start(self, samples: int, rate_hz: float, now_s: float) -> None:
        """Take samples from now on."""
        self.counter += 1
        self._armed = self._done = None
        self._running = Acquisition(now_s, samples, rate_hz, self.counter)

    def arm(self, samples: int, rate_hz: float) -> None:
        """Take samples from the next trigger on."""
        self._running = self._done = None
        self._armed = (samples, rate_hz)

    def trigger(self, pulse_s: float) -> None:
        """The DMD's trigger pulse; ignored unless armed."""
        if self._armed is not None and not self.faults.take("no_trigger"):
            self.start(*self._armed, pulse_s + self._options.trigger_delay_s)

    def acquire(self) -> None:
        """Finish the acquisition that runs."""
        a = self._running
        assert a is not None
        self._running = None
        knots_s = self._knots(a)
        stretches = self._mirrors.between(a.start_s, a.end_s)
        fluctuation = self._light.fluctuation(self._generator)
        levels = np.array([self._readout.levels(time_s, stretches, fluctuation) for time_s in knots_s])
        levels *= self._light.laser.power_w((a.start_s + a.end_s) / 2)
        data = np.empty(a.samples)
        sample(
            a.start_s,
            a.rate_hz,
            np.array([s.start_s for s in stretches]),
            np.array([s.period_s for s in stretches]),
            np.array([s.counts.shape[1] for s in stretches]),
            np.array(knots_s),
            levels,
            self._options.bandwidth_hz,
            data,
        )
        if offset_w := self._options.offset_w + self._options.offset_drift_w_per_h * a.start_s / 3600:
            data += offset_w
        if self.faults.take("overload"):
            data += 2 * self._options.full_scale_w
        overload = add_noise(
            data,
            self._intensity_noise,
            self._noise_w,
            math.exp(-2 * math.pi * self._options.bandwidth_hz / a.rate_hz),
            self._generator.standard_normal(2 * a.samples),
            self._options.full_scale_w,
        )
        self._done = Samples(data, a.start_s, a.rate_hz, a.counter, overload)

    def _knots(self, a: Acquisition) -> list[float]:
        """Times at which the SLM is looked at: once, in the middle, unless its crystal moves."""
        if not self._light.crystal.moves(a.start_s, a.end_s):
            return [(a.start_s + a.end_s) / 2]
        spacing_s = max(self._knot_s, (a.end_s - a.start_s) / 2000)
        count = 2 + math.floor((a.end_s - a.start_s) / spacing_s)
        return [float(time_s) for time_s in np.linspace(a.start_s, a.end_s, count)]

    def take(self) -> Samples | None:
        """The finished acquisition, once."""
        done, self._done = self._done, None
        return done

    def reset(self) -> None:
        """As after power-up."""
        self._armed = self._running = self._done = None
        self.counter = 0

    def state(self) -> State:
        return {
            "counter": self.counter,
            "faults": self.faults.state(),
            "armed": self._armed,
            "running": None if self._running is None else asdict(self._running),
            "done": None if self._done is None else asdict(self._done),
            "generator": generator_state(self._generator),
        }

    def restore(self, state: State) -> None:
        self.counter = state["counter"]
        self.faults.restore(state["faults"])
        self._armed = None if state["armed"] is None else (state["armed"][0], state["armed"][1])
        self._running = None if state["running"] is None else Acquisition(**state["running"])
        self._done = None if state["done"] is None else Samples(**state["done"])
        set_generator_state(self._generator, state["generator"])
