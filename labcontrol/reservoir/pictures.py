"""Pictures: a phase pattern on the SLM, and the camera's frame that is verified to be of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Frame, Pattern, Shown
from labcontrol.bench import Bench, NeuronMap, PhaseTable
from labcontrol.reservoir.retries import COMMAND, FRAME, RejectedError, Retries

Floats = NDArray[np.float64]

# Bench clocks count in float seconds; a frame is not early for a rounding error.
_CLOCK_ROUNDING_S = 1e-6


class Pictures:
    """Shows patterns of phases (N,) and takes their pictures.

    table: grey levels of the phases. dark_pattern: the one whose light the polariser holds back. dark_counts: (N,) what
    the camera counts without light, once it is known. last_counter: of the camera's frames, 0 where it may count from
    the beginning.
    """

    def __init__(self, bench: Bench, neurons: NeuronMap, retries: Retries) -> None:
        self._bench, self._map, self._retries = bench, neurons, retries
        self.table = PhaseTable(bench.config.response, bench.config.geometry.slm.pitch_px**2)
        off = self.table.index(np.full(neurons.side**2, np.pi / 2))
        self._background = int(self.table.levels[0, off[0]])
        self.dark_pattern = self.pattern(off)
        self.dark_counts: Floats = np.zeros(len(off))
        self.last_counter = 0

    def pattern(self, phases: NDArray[np.int64]) -> Pattern:
        """The SLM's pattern of phases (N,), indices into the table."""
        return self._map.slm_pattern(phases, self.table.levels, self._background)

    def reset(self) -> None:
        """After a fault: the camera may count from the beginning again."""
        self._bench.clock.sleep(self._bench.camera.exposure_s)  # one may be under way
        self._bench.camera.discard_frames()
        self.last_counter = 0

    def show(self, pattern: Pattern) -> Shown:
        """Show a pattern on the SLM; it has yet to settle."""
        return self._retries.run(COMMAND, lambda _again: self._bench.slm.show(pattern))

    def trigger(self) -> None:
        """Start an exposure of the camera."""
        self._retries.run(COMMAND, lambda _again: self._bench.camera.trigger())

    def frame(self, shown: Shown, *, may_saturate: bool = False) -> Frame:
        """The frame of the exposure just triggered, verified to be of the pattern shown; see `_check`.

        Another one is acquired again, within the bound.
        """
        camera = self._bench.camera

        def attempt(again: bool) -> Frame:
            if again:
                camera.discard_frames()
                camera.trigger()
            frame = camera.read()
            self._check(frame, shown, may_saturate)
            return frame

        return self._retries.run(FRAME, attempt)

    def signals(self, frame: Frame) -> Floats:
        """Signals (N,) of the neurons in counts, with the dark counts taken off."""
        return self._map.signals(frame.data, self.dark_counts)

    def acquire_settled(self, pattern: Pattern) -> tuple[Frame, Floats]:
        """Frame, which may be saturated, and signals (N,), dark counts included, of a pattern that has settled."""
        shown = self._retries.run(COMMAND, lambda _again: self._bench.slm.show_settled(pattern))
        self.trigger()
        frame = self.frame(shown, may_saturate=True)
        return frame, self._map.signals(frame.data)

    def _check(self, frame: Frame, shown: Shown, may_saturate: bool) -> None:
        """Raise RejectedError unless a frame can be used.

        It must be the next one by the camera's counter, exposed after the pattern had settled, and not saturated.
        """
        skipped = frame.counter - self.last_counter - 1 if self.last_counter else 0
        self.last_counter = frame.counter
        early = frame.time_s < shown.time_s + self._bench.slm.settle_time_s - _CLOCK_ROUNDING_S
        if skipped == 0 and not early and (may_saturate or frame.saturated_share == 0):
            return
        fault = (
            f"skipped {skipped} frames"
            if skipped > 0
            else "gave an old frame once more"
            if skipped < 0
            else "gave a frame of an earlier pattern"
            if early
            else f"is saturated in {frame.saturated_share:.2%} of its pixels"
        )
        raise RejectedError(self._bench.camera.name, fault)
