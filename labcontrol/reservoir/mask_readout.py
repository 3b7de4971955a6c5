"""The readout: masks shown on the DMD, and the detector's samples that are verified to be of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceFaultError, Samples
from labcontrol.bench import Bench, NeuronMap
from labcontrol.reservoir import markers
from labcontrol.reservoir.pattern_check import MirrorLevels, marker_masks
from labcontrol.reservoir.retries import TRANSIENT, Retries

Floats = NDArray[np.float64]
Reading = Callable[[], Floats]  # measures all masks at one step

_FORGOTTEN_SAMPLES = 16  # after which a detector of finite bandwidth knows nothing of the mask before


class MaskReadout:
    """Measures masks (N,).

    levels: what the detector read before the run; a mask shown alone is verified by them.
    """

    def __init__(self, bench: Bench, neurons: NeuronMap, retries: Retries) -> None:
        self._bench, self._map, self._retries = bench, neurons, retries
        self.levels = MirrorLevels(0.0, 0.0)

    def of(self, masks: NDArray[np.bool_]) -> Reading:
        """Load masks into the DMD; the returned function measures all of them at one step."""
        dmd, detector, config = self._bench.dmd, self._bench.detector, self._bench.config
        samples = config.detector.samples_per_mask
        if len(masks) == 1:
            return self._of_one(masks[0])

        pattern_rate_hz = min(config.dmd.pattern_rate_hz, config.detector.rate_hz / samples)
        marked = markers.with_markers(masks)
        patterns = self._map.dmd_patterns(marked)
        self._retries.retry(lambda: dmd.load_sequence(patterns))

        def play_and_fetch() -> Samples:
            detector.arm(len(marked) * samples, samples * pattern_rate_hz)
            dmd.play(pattern_rate_hz)
            return detector.fetch(1.0 + len(marked) / pattern_rate_hz)

        # The last samples of a mask are taken when the next one is on already, where the trigger is known to be late.
        late = math.ceil(config.detector.trigger_delay_s * samples * pattern_rate_hz)
        own = max(1, samples - late)

        def fault(data: Floats) -> str | None:
            # More than one of each mask show their noise themselves.
            noise = math.sqrt(samples) * self.levels.noise if own == 1 else 0.0
            return markers.misalignment(data.reshape(len(marked), samples)[:, :own], noise)

        def read_all() -> Floats:
            trains = self._samples(play_and_fetch, fault).reshape(len(marked), samples)[:, :own]
            means: Floats = markers.without_markers(trains).mean(axis=1)
            return means

        return read_all

    def show(self, mask: NDArray[np.bool_]) -> Reading:
        """Show a mask; returns what reads it, a few samples at a time."""
        config, pattern = self._bench.config.detector, self._map.dmd_pattern(mask)
        self._retries.retry(lambda: self._bench.dmd.show_settled(pattern))
        self._bench.clock.sleep(_FORGOTTEN_SAMPLES / config.rate_hz)
        return lambda: self._samples(lambda: self._bench.detector.read(config.samples_per_mask, config.rate_hz))

    def _of_one(self, mask: NDArray[np.bool_]) -> Reading:
        """The mask is shown, and verified to be shown, with the first reading: in the light of the first step."""
        samples: Reading | None = None

        def read_one() -> Floats:
            nonlocal samples
            if samples is None:
                samples = self._show_checked(mask)
            return np.array([samples().mean()])

        return read_one

    def _show_checked(self, mask: NDArray[np.bool_]) -> Reading:
        """Show a mask after a marker, until the detector sees a change.

        Without a change the mask was not shown, or happens to look like the marker: what another marker proves tells.
        """
        levels, unverified = self.levels, list[Floats]()
        if not levels.known:
            return self.show(mask)
        for marker_mask in itertools.islice(itertools.cycle(marker_masks(mask)), self._retries.tries + 1):
            marker = self.show(marker_mask)()
            read = self.show(mask)
            seen = read()
            if levels.differ(marker, seen):
                for _ in range(sum(levels.differ(earlier, seen) for earlier in unverified)):
                    self._retries.note(self._bench.dmd.name, "did not show the mask")
                return read
            self._bench.check_light()
            unverified.append(seen)
        raise DeviceFaultError(
            self._bench.dmd.name,
            f"did not show the mask, {len(unverified)} times in a row.",
            "Check its line, and whether its light reaches the detector.",
        )

    def _samples(
        self, take: Callable[[], Samples], fault_of: Callable[[Floats], str | None] = lambda _: None
    ) -> Floats:
        """Samples within the detector's range and without fault; others are acquired again, within the bound."""
        device, fault, remedy = self._bench.detector.name, "", ""
        for attempt in range(self._retries.tries):
            if attempt:
                self._retries.note(device, fault)
            device = self._bench.detector.name
            try:
                samples = take()
            except TRANSIENT as error:  # of the DMD, when it was to play
                device, fault = error.device, f"did not do its part ({error.message})"
                remedy = "Check the trigger line from DMD to detector."
            else:
                found = "is overloaded" if samples.overload else fault_of(samples.data)
                if found is None:
                    return samples.data
                fault, remedy = found, "Check trigger line, pattern rate, sampling rate and detector bandwidth."
                if samples.overload:
                    remedy = "Lower laser.power_w or put a filter before the detector."
        raise DeviceFaultError(device, f"{fault}, {self._retries.tries} times in a row.", remedy)
