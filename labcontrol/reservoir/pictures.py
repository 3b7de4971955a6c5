"""Pictures: a phase pattern on the SLM, and the camera's frame that is verified to be of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceFaultError, Frame, Pattern, Shown
from labcontrol.bench import Bench, NeuronMap, PhaseTable
from labcontrol.reservoir.mask_readout import Reading
from labcontrol.reservoir.retries import TRANSIENT, Retries

Floats = NDArray[np.float64]
Seen = tuple[Floats, Frame, Floats]  # values of the masks, frame, signals of the neurons

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

    def acquire(self, pattern: Pattern, read: Reading, patience: int = 1) -> Seen:
        """Show a pattern and see what comes of it: at the detector, and at the camera, with the dark counts taken off.

        patience: how many settle times to wait.
        """
        shown = self._retries.retry(lambda: self._bench.slm.show(pattern))
        self._bench.clock.sleep(patience * self._bench.slm.settle_time_s)
        self._retries.retry(self._bench.camera.trigger)
        values = read()
        frame = self._frame(shown)
        return values, frame, self._map.signals(frame.data) - self.dark_counts

    def acquire_settled(self, pattern: Pattern) -> tuple[Frame, Floats]:
        """Frame, which may be saturated, and signals (N,), dark counts included, of a pattern that has settled."""
        shown = self._retries.retry(lambda: self._bench.slm.show_settled(pattern))
        self._retries.retry(self._bench.camera.trigger)
        frame = self._frame(shown, may_saturate=True)
        return frame, self._map.signals(frame.data)

    def _frame(self, shown: Shown, *, may_saturate: bool = False) -> Frame:
        """The frame of the exposure just triggered, verified to be of the pattern shown.

        It must be the next one by the camera's counter, exposed after the pattern had settled, and not saturated.
        Otherwise it is acquired again, within the bound.
        """
        camera, slm = self._bench.camera, self._bench.slm
        settled_s = shown.time_s + slm.settle_time_s - _CLOCK_ROUNDING_S
        fault = ""
        for attempt in range(self._retries.tries):
            try:
                if attempt:
                    self._retries.note(camera.name, fault)
                    camera.discard_frames()
                    camera.trigger()
                frame = camera.read()
            except (*TRANSIENT, DeviceFaultError) as error:
                fault = f"gave no frame ({error.message})"
                continue
            skipped = frame.counter - self.last_counter - 1 if self.last_counter else 0
            self.last_counter = frame.counter
            if skipped == 0 and frame.time_s >= settled_s and (may_saturate or frame.saturated_share == 0):
                return frame
            fault = (
                f"skipped {skipped} frames"
                if skipped > 0
                else "gave an old frame once more"
                if skipped < 0
                else "gave a frame of an earlier pattern"
                if frame.time_s < settled_s
                else f"is saturated in {frame.saturated_share:.2%} of its pixels"
            )
        raise DeviceFaultError(
            camera.name,
            f"{fault}, {self._retries.tries} times in a row.",
            "Check trigger line, exposure and frame rate.",
        )
