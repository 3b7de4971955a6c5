"""The readout: masks shown on the DMD, and the detector's samples that are verified to be of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Samples
from labcontrol.bench import Bench, NeuronMap
from labcontrol.reservoir import markers
from labcontrol.reservoir.pattern_check import MirrorLevels, marker_masks
from labcontrol.reservoir.retries import COMMAND, MASK, SAMPLES, RejectedError, Retries

Floats = NDArray[np.float64]

_FORGOTTEN_SAMPLES = 16  # after which a detector of finite bandwidth knows nothing of the mask before


class Masks(Protocol):
    """Masks that are ready to be measured."""

    def read(self) -> Floats:
        """Outputs (B,) of the masks, in the light of the pattern that the SLM shows now."""


class NoMasks:
    """In place of masks, when only the camera is of interest."""

    def read(self) -> Floats:
        return np.zeros(1)


class MaskReadout:
    """Measures masks (N,).

    levels: what the detector read before the run; a mask shown alone is verified by them.
    """

    def __init__(self, bench: Bench, neurons: NeuronMap, retries: Retries) -> None:
        self._bench, self._map, self._retries = bench, neurons, retries
        self.levels = MirrorLevels(0.0, 0.0)

    def prepare(self, masks: NDArray[np.bool_]) -> Masks:
        """Make masks (B, N) ready: several are loaded into the DMD as a sequence, one is shown when first read."""
        return _SingleMask(self, masks[0]) if len(masks) == 1 else self._sequence(masks)

    def show(self, mask: NDArray[np.bool_]) -> None:
        """Show a mask, until the detector has forgotten the one before."""
        pattern = self._map.dmd_pattern(mask)
        self._retries.run(COMMAND, lambda _again: self._bench.dmd.show_settled(pattern))
        self._bench.clock.sleep(_FORGOTTEN_SAMPLES / self._bench.config.detector.rate_hz)

    def samples(self) -> Floats:
        """A few samples of what is shown."""
        config = self._bench.config.detector
        return self.accepted(lambda: self._bench.detector.read(config.samples_per_mask, config.rate_hz))

    def show_verified(self, mask: NDArray[np.bool_]) -> None:
        """Show a mask after a marker, until the detector sees a change.

        Without a change the mask was not shown, or happens to look like the marker: what another marker shows decides.
        """
        levels, unverified, dmd = self.levels, list[Floats](), self._bench.dmd
        if not levels.known:
            self.show(mask)
            return
        for marker_mask in itertools.islice(itertools.cycle(marker_masks(mask)), self._retries.tries + 1):
            self.show(marker_mask)
            marker = self.samples()
            self.show(mask)
            seen = self.samples()
            if levels.differ(marker, seen):
                for _ in range(sum(levels.differ(earlier, seen) for earlier in unverified)):
                    self._retries.note(dmd.name, "did not show the mask")
                return
            self._bench.check_light()
            unverified.append(seen)
        raise self._retries.exhausted(MASK, dmd.name, "did not show the mask")

    def accepted(
        self, acquire: Callable[[], Samples], fault_of: Callable[[Floats], str | None] | None = None
    ) -> Floats:
        """Samples within the detector's range and without fault; others are acquired again, within the bound."""
        name = self._bench.detector.name

        def attempt(_again: bool) -> Floats:
            samples = acquire()
            if samples.overload:
                raise RejectedError(name, "is overloaded", "Lower laser.power_w or put a filter before the detector.")
            if fault_of is not None and (fault := fault_of(samples.data)) is not None:
                remedy = "Check trigger line, pattern rate, sampling rate and detector bandwidth."
                raise RejectedError(name, fault, remedy)
            return samples.data

        return self._retries.run(SAMPLES, attempt)

    def _sequence(self, masks: NDArray[np.bool_]) -> Masks:
        """Load masks between markers into the DMD."""
        dmd, detector, config = self._bench.dmd, self._bench.detector, self._bench.config
        marked = markers.with_markers(masks)
        patterns = self._map.dmd_patterns(marked)
        self._retries.run(COMMAND, lambda _again: dmd.load_sequence(patterns))
        samples = config.detector.samples_per_mask
        rate_hz = min(config.dmd.pattern_rate_hz, config.detector.rate_hz / samples)
        # The last samples of a mask are taken when the next one is on already, where the trigger is known to be late.
        late = math.ceil(config.detector.trigger_delay_s * samples * rate_hz)
        own = max(1, samples - late)
        # More than one of each mask show their noise themselves.
        noise = math.sqrt(samples) * self.levels.noise if own == 1 else 0.0

        def play() -> Samples:
            detector.arm(len(marked) * samples, samples * rate_hz)
            dmd.play(rate_hz)
            return detector.fetch(1.0 + len(marked) / rate_hz)

        return _MaskSequence(self, play, (len(marked), samples), own, noise)


class _SingleMask:
    """One mask: shown, and verified to be shown, with the first reading, in the light of the first step."""

    def __init__(self, readout: MaskReadout, mask: NDArray[np.bool_]) -> None:
        self._readout, self._mask = readout, mask
        self._is_shown = False

    def read(self) -> Floats:
        if not self._is_shown:
            self._readout.show_verified(self._mask)
            self._is_shown = True
        samples = self._readout.samples()
        return np.array([np.add.reduce(samples) / len(samples)])  # the mean, at a third of the cost


class _MaskSequence:
    """Masks that the DMD shows one after the other at each step, between markers.

    shape: patterns, and samples of each. own: how many of these are surely of their pattern. noise: rms of a sample,
    where a pattern has one alone.
    """

    def __init__(
        self, readout: MaskReadout, play: Callable[[], Samples], shape: tuple[int, int], own: int, noise: float
    ) -> None:
        self._readout, self._play, self._shape = readout, play, shape
        self._own, self._noise = own, noise

    def read(self) -> Floats:
        trains = self._trains(self._readout.accepted(self._play, self._fault))
        means: Floats = markers.without_markers(trains).mean(axis=1)
        return means

    def _fault(self, data: Floats) -> str | None:
        return markers.misalignment(self._trains(data), self._noise)

    def _trains(self, data: Floats) -> Floats:
        return data.reshape(self._shape)[:, : self._own]
