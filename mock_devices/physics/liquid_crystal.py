"""The crystal of the SLM: grey levels become phases, in time, and through the polariser amplitudes."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Pattern
from mock_devices.compiled import compiled
from mock_devices.faults import Faults
from mock_devices.options import SlmOptions
from mock_devices.state import State

Grid = NDArray[np.float32]

_LATE_REFRESHES = 2  # of a pattern that has not settled in time


def slm_response(options: SlmOptions, wavelength_nm: float) -> NDArray[np.float64]:
    """Phase in rad at each of the 256 grey levels (see SlmOptions)."""
    s = np.arange(256) / 255
    full = 2 * np.pi * options.stroke_nm / wavelength_nm
    ripple = options.ripple_rad * np.sin(2 * np.pi * options.ripple_periods * s)
    return np.asarray(full * (s + options.bow * s * (1 - s)) + ripple)


class LiquidCrystal:
    """Phases of all pixels on the cells, as they follow the patterns sent.

    A pattern waits for the refresh after its latency; from there each pixel goes exponentially from the phase it has
    reached to its new one, so a pattern shown too briefly is never completed. Faults: ``skip`` (the next pattern is
    not shown), ``unsettled`` (it comes late), ``timeout``, ``garbled``. Pixels beside the cells give no light.
    Times must not go back by more than the last refresh.
    """

    def __init__(self, options: SlmOptions, wavelength_nm: float, cells: tuple[int, int], noise: float) -> None:
        self._options = options
        self._flicker = min(options.flicker * noise, 1.0)
        self._levels = slm_response(options, wavelength_nm).astype(np.float32)
        edge, (row, column) = options.pixels_per_cell, options.origin_px
        self._window = np.s_[row : row + edge * cells[0], column : column + edge * cells[1]]
        pixels = (edge * cells[0], edge * cells[1])
        self._from = np.full(pixels, self._levels[0])
        self._to = self._from.copy()
        self._since_s = 0.0
        self._queue: deque[tuple[int, Pattern]] = deque()
        self.shown = 0
        self.faults = Faults("skip", "unsettled")

    @property
    def settle_time_s(self) -> float:
        """Latency, longest wait for a refresh, and decay to the stated residual."""
        o = self._options
        return o.latency_s + 1 / o.refresh_hz - math.log(o.settled_residual) * o.response_time_s

    def send(self, pattern: Pattern, now_s: float) -> int:
        """Take a pattern of the whole SLM at a time. Returns its number."""
        self.shown += 1
        if not self.faults.take("skip"):
            tick = math.ceil((now_s + self._options.latency_s) * self._options.refresh_hz)
            if self.faults.waiting and self.faults.take("unsettled"):
                tick += _LATE_REFRESHES
            if self._queue:
                tick = max(tick, self._queue[-1][0])
            if self._queue and self._queue[-1][0] == tick:
                self._queue.pop()
            self._queue.append((tick, pattern[self._window].copy()))
        return self.shown

    def moves(self, start_s: float, end_s: float) -> bool:
        """Whether phases change notably (1 % of a step or more) between two times."""
        self._refresh(start_s)
        if self._queue and self._queue[0][0] / self._options.refresh_hz < end_s:
            return True
        return self._residual(start_s) > 0.01

    def field(self, time_s: float, illumination: Grid, field: Grid, halo: int) -> None:
        """Fill the cells' fields behind the polariser, E0 times the mean of cos(phase) over each cell's pixels.

        illumination: (rows, columns) E0. field: (rows + 2 halo, columns + 2 halo), filled within its border.
        """
        self._refresh(time_s)
        o = self._options
        scale = 1 + self._flicker * math.sin(2 * math.pi * o.flicker_hz * time_s)
        _polarised(self._from, self._to, self._residual(time_s), scale, o.pixels_per_cell, illumination, field, halo)

    def _residual(self, time_s: float) -> float:
        if self._options.response_time_s == 0:
            return 0.0
        return math.exp(-max(0.0, time_s - self._since_s) / self._options.response_time_s)

    def _refresh(self, time_s: float) -> None:
        while self._queue and self._queue[0][0] / self._options.refresh_hz <= time_s:
            tick, pattern = self._queue.popleft()
            at_s = tick / self._options.refresh_hz
            _take_over(pattern, self._levels, self._residual(at_s), self._from, self._to)
            self._since_s = at_s

    def state(self) -> State:
        return {
            "from": self._from,
            "to": self._to,
            "since_s": self._since_s,
            "queue": [[tick, pattern] for tick, pattern in self._queue],
            "shown": self.shown,
            "faults": self.faults.state(),
        }

    def restore(self, state: State) -> None:
        self._from = state["from"].copy()
        self._to = state["to"].copy()
        self._since_s = state["since_s"]
        self._queue = deque((tick, pattern) for tick, pattern in state["queue"])
        self.shown = state["shown"]
        self.faults.restore(state["faults"])


@compiled
def _take_over(pattern: Pattern, levels: Grid, residual: float, start: Grid, end: Grid) -> None:
    """Start the way from the phases reached now to those of a new pattern."""
    left = np.float32(residual)
    for r in range(start.shape[0]):
        grey = pattern[r]
        a = start[r]
        b = end[r]
        for c in range(start.shape[1]):
            a[c] = b[c] + (a[c] - b[c]) * left
            b[c] = levels[grey[c]]


@compiled
def _polarised(
    start: Grid, end: Grid, residual: float, scale: float, edge: int, illumination: Grid, field: Grid, halo: int
) -> None:
    """Fields of the cells; cos by a minimax polynomial on a quarter turn (error 5e-8), so that the loop vectorises."""
    rows, columns = illumination.shape
    line = np.empty(columns * edge, dtype=np.float32)
    left = np.float32(residual)
    factor = np.float32(scale / np.pi)
    half = np.float32(0.5)
    one = np.float32(1)
    two = np.float32(2)
    c1 = np.float32(-4.9347955)
    c2 = np.float32(4.0584513)
    c3 = np.float32(-1.3320939)
    c4 = np.float32(0.2200807)
    share = np.float32(1.0 / (edge * edge))
    for r in range(rows):
        line[:] = 0
        for k in range(edge):
            a = start[r * edge + k]
            b = end[r * edge + k]
            for c in range(columns * edge):
                turn = (b[c] + (a[c] - b[c]) * left) * factor
                whole = np.floor(turn + half)
                rest = turn - whole
                sign = one - two * (whole - two * np.floor(whole * half))
                x = rest * rest
                line[c] += sign * (one + x * (c1 + x * (c2 + x * (c3 + x * c4))))
        target = field[r + halo]
        light = illumination[r]
        for c in range(columns):
            total = np.float32(0)
            for k in range(edge):
                total += line[c * edge + k]
            target[c + halo] = light[c] * total * share
