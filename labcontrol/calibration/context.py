"""An open bench under calibration: light, patterns and frames, and what has been measured so far.

Everything goes through the driver interfaces; what is behind them can be learned from frames and samples only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceFaultError, DeviceTimeoutError, Frame, Pattern
from labcontrol.bench import Bench, PhaseTable
from labcontrol.calibration.result import Calibration, Quantity
from labcontrol.config import BenchConfig, PhaseResponseConfig
from labcontrol.errors import UserError

log = logging.getLogger(__name__)

Image = NDArray[np.float64]
Progress = Callable[[int, int], None]

_RETRIES = 5
_CLOCK_ROUNDING_S = 1e-6
_TRIGGER_SLACK_S = 1e-3  # cameras state the start of an exposure less well than that
# Brightest pixel of an exposure set for measuring, as a share of full scale.
WELL_EXPOSED = 0.7


class CalibrationContext:
    """What procedures are given.

    bench: open; its laser may be on or off. config: the bench file with what was measured so far put in.
    results: the calibrations this one may build on, by kind. progress: called with steps done and steps in all;
    may raise to end the procedure. watch: called with every frame taken.
    """

    def __init__(
        self,
        bench: Bench,
        config: BenchConfig,
        results: Mapping[str, Calibration] | None = None,
        progress: Progress | None = None,
        watch: Callable[[Frame], None] | None = None,
    ) -> None:
        self.bench = bench
        self.config = config
        self.results = dict(results or {})
        self.rng = np.random.default_rng(20_231)
        self.progress: Progress = progress or (lambda _done, _total: None)
        self._watch = watch or (lambda _frame: None)
        self._lit = False
        self._last_counter: int | None = None
        self._table: tuple[tuple[PhaseResponseConfig, int], PhaseTable] | None = None

    # --- light --------------------------------------------------------------------------------------------------
    def light_on(self, *, warm: bool = True) -> None:
        """Emission on; does nothing when it is on already. warm: whether to wait for its warm-up."""
        if not self.bench.laser.emission:
            self.bench.light_on(self._wait if warm else lambda _warm_up_s: None, reason="calibration")
        self._lit = True

    def light_off(self) -> None:
        """Emission off. Raises DeviceError, and it is off, when the light had gone before or was not as told."""
        try:
            self.check_light()
        finally:
            self.bench.light_off("calibration needs the dark")

    def check_light(self) -> None:
        """Raises DeviceError when the light was on and has gone, or is not what it was told to be."""
        if self._lit:
            self._lit = False
            self.bench.check_light()

    def _wait(self, seconds: float) -> None:
        """Wait in short pieces, so that a person can interrupt it."""
        pieces = max(1, round(seconds / 0.5))
        for _ in range(pieces):
            self.bench.wait(seconds / pieces)

    # --- patterns -----------------------------------------------------------------------------------------------
    def uniform(self, level: int) -> Pattern:
        """The whole SLM at one grey level."""
        return np.full(self.bench.slm.shape, level, dtype=np.uint8)

    def quantity(self, kind: str, name: str) -> Quantity:
        """A quantity measured before. Raises UserError when that calibration is not there."""
        if kind not in self.results:
            raise UserError(f"The calibration '{kind}' is needed first.", f"Run 'labcontrol calibrate {kind}'.")
        return self.results[kind].outcome.quantities[name]

    def cells_pattern(self, phase_rad: NDArray[np.float64]) -> Pattern:
        """SLM pattern with cell (r, c) of the grid at phase_rad[r, c] (rows, columns), dark around, dithered."""
        grid = self.config.geometry.slm
        pitch = grid.pitch_px
        table = self._phase_table()
        dark = int(table.levels[0, table.index(np.array([np.pi / 2]))[0]])
        pattern = self.uniform(dark)
        rows, columns = phase_rad.shape
        cells = table.levels[:, table.index(phase_rad)].reshape(pitch, pitch, rows, columns)
        block = cells.transpose(2, 0, 3, 1).reshape(rows * pitch, columns * pitch)
        row, column = grid.origin_px
        pattern[row : row + rows * pitch, column : column + columns * pitch] = block
        return pattern

    def _phase_table(self) -> PhaseTable:
        wanted = (self.config.response, self.config.geometry.slm.pitch_px**2)
        if self._table is None or self._table[0] != wanted:
            self._table = (wanted, PhaseTable(*wanted))
        return self._table[1]

    # --- frames -------------------------------------------------------------------------------------------------
    def show(self, pattern: Pattern) -> float:
        """Show a pattern on the SLM and wait until the light obeys; returns when that was, on the bench's clock."""
        shown = self.bench.slm.show_settled(pattern)
        return shown.time_s + self.bench.slm.settle_time_s

    def frame(self, since_s: float = -np.inf) -> Frame:
        """One new frame, exposed after a time and next by the camera's counter; acquired again where it is not."""
        camera = self.bench.camera
        fault = ""
        for attempt in range(_RETRIES + 1):
            if attempt:
                self.bench.clock.sleep(camera.exposure_s + camera.readout_time_s)
                camera.discard_frames()
            triggered_s = self.bench.clock.now_s()
            camera.trigger()
            try:
                frame = camera.read()
            except (DeviceTimeoutError, DeviceFaultError) as error:
                fault = error.message
                continue
            skipped = 0 if self._last_counter is None else frame.counter - self._last_counter - 1
            self._last_counter = frame.counter
            early_s = max(since_s - _CLOCK_ROUNDING_S, triggered_s - _TRIGGER_SLACK_S)
            if skipped == 0 and frame.time_s >= early_s:
                self._watch(frame)
                return frame
            fault = f"skipped {skipped} frames" if skipped else "gave a frame of an earlier pattern"
        raise DeviceFaultError(camera.name, f"{fault}, {_RETRIES + 1} times in a row.", "Check its trigger and line.")

    def reset_frames(self) -> None:
        """Frames were taken past this: the next may have any number."""
        self._last_counter = None
        self.bench.camera.discard_frames()

    def image(self, pattern: Pattern | None = None, frames: int = 1) -> Image:
        """Mean of frames (rows, columns) in counts, of a pattern or of what is shown."""
        since_s = self.show(pattern) if pattern is not None else -np.inf
        total = self.frame(since_s).data.astype(np.float64)
        for _ in range(frames - 1):
            total += self.frame().data
        return total / frames

    def dark_image(self, frames: int = 16) -> Image:
        """Mean frame without light at the exposure in force. Switches the laser off, and on again if it was on."""
        was_on = self.bench.laser.emission
        self.light_off()
        image = self.image(frames=frames)
        if was_on:
            self.light_on()
        return image

    @property
    def full_scale(self) -> int:
        return int(2**self.bench.camera.bit_depth - 1)

    def expose_for(self, pattern: Pattern, share: float = WELL_EXPOSED) -> float:
        """Set the exposure at which the brightest pixel of a pattern is at a share of full scale; returns it, in s.

        Raises UserError when the camera is saturated at its shortest exposure.
        """
        since_s = self.show(pattern)
        return self.bench_exposure(lambda: self.frame(since_s), share)

    def bench_exposure(self, take: Callable[[], Frame], share: float) -> float:
        """Set the exposure at which the brightest pixel of the frames taken is at a share of full scale."""
        camera = self.bench.camera
        shortest_s, longest_s = camera.exposure_limits_s
        longest_s = min(longest_s, 0.5)
        for _ in range(12):
            peak = float(take().data.max()) / self.full_scale
            factor = share / max(peak, 0.02) if peak < 0.98 else 0.25
            wanted_s = min(max(camera.exposure_s * factor, shortest_s), longest_s)
            if peak >= 0.98 and camera.exposure_s <= shortest_s * 1.001:
                raise UserError(
                    f"The camera is saturated even at its shortest exposure of {shortest_s * 1e6:.0f} us.",
                    "Lower laser.power_w or put a neutral-density filter before the camera.",
                )
            if abs(factor - 1) < 0.05 or wanted_s == camera.exposure_s:
                break
            camera.exposure_s = wanted_s
        return camera.exposure_s
