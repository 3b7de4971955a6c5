"""The micromirrors: which share of each cell's light they send to the detector, against time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Pattern
from mock_devices.compiled import compiled
from mock_devices.faults import Faults
from mock_devices.options import TableOptions
from mock_devices.state import State


@dataclass(frozen=True)
class Stretch:
    """Patterns from a time on, each for a period; the last one stays.

    counts: (cells, patterns) mirrors that are on.
    """

    start_s: float
    period_s: float
    counts: NDArray[np.uint8]

    def part(self, start_s: float, end_s: float) -> Stretch:
        """The patterns that are on between two times."""
        length = self.counts.shape[1]
        if length == 1:
            return self
        first = min(max(0, math.floor((start_s - self.start_s) / self.period_s)), length - 1)
        end = min(max(first + 1, math.ceil((end_s - self.start_s) / self.period_s) + 1), length)
        if (first, end) == (0, length):
            return self
        counts = np.ascontiguousarray(self.counts[:, first:end])
        return Stretch(self.start_s + first * self.period_s, self.period_s, counts)


class MirrorArray:
    """Patterns shown and sequences played. All mirrors move together, `latency_s` after the command."""

    def __init__(self, options: TableOptions) -> None:
        self._options = options.dmd
        self._cell_of_mirror = _cells_of_mirrors(options)
        # mirrors: (cells,) how many mirrors each cell falls on.
        cells = options.rows * options.columns
        self.mirrors = np.bincount(self._cell_of_mirror.ravel() + 1, minlength=cells + 1)[1:]
        if self.mirrors.max() > 255:
            raise ValueError(f"dmd.matrix puts {self.mirrors.max()} mirrors on one cell, at most 255 can be simulated")
        self._cells = cells
        self._past: list[Stretch] = [Stretch(-math.inf, math.inf, np.zeros((cells, 1), dtype=np.uint8))]
        self._loaded = np.zeros((cells, 0), dtype=np.uint8)
        self.shown = 0
        self.faults = Faults("skip")

    @property
    def loaded(self) -> int:
        """Patterns in the loaded sequence."""
        return self._loaded.shape[1]

    def show(self, pattern: Pattern, now_s: float) -> int:
        """Show one pattern. Returns the number of this command."""
        return self._begin(now_s, math.inf, self._count(pattern[None]))

    def load(self, patterns: Pattern) -> None:
        self._loaded = self._count(patterns)

    def play(self, rate_hz: float, now_s: float) -> tuple[int, float]:
        """Step through the loaded sequence. Returns the number of this command and the time of its first pattern."""
        return self._begin(now_s, 1 / rate_hz, self._loaded), now_s + self._options.latency_s

    def _begin(self, now_s: float, period_s: float, counts: NDArray[np.uint8]) -> int:
        self.shown += 1
        if not self.faults.take("skip"):
            self._past.append(Stretch(now_s + self._options.latency_s, period_s, counts))
        return self.shown

    def between(self, start_s: float, end_s: float) -> list[Stretch]:
        """What is shown from one time to another; the first stretch begins before the start.

        A stretch that begins just at the start finds the light as the one before left it.
        """
        first = 0
        for k, stretch in enumerate(self._past):
            if stretch.start_s < start_s:
                first = k
        ends = [stretch.start_s for stretch in self._past[first + 1 :]]
        return [
            stretch.part(start_s, min(end_s, next_s))
            for stretch, next_s in zip(self._past[first:], [*ends, end_s], strict=True)
            if stretch.start_s < end_s
        ]

    def discard_before(self, before_s: float) -> None:
        """Drop what is over before a time."""
        while len(self._past) > 1 and self._past[1].start_s < before_s:
            del self._past[0]

    def _count(self, patterns: Pattern) -> NDArray[np.uint8]:
        counts = np.zeros((self._cells, len(patterns)), dtype=np.uint8)
        # A copy has one memory layout, so that one compiled version serves all callers.
        _count_mirrors(patterns.copy(), self._cell_of_mirror, counts)
        return counts

    def state(self) -> State:
        return {
            "past": [[s.start_s, s.period_s, s.counts] for s in self._past],
            "loaded": self._loaded,
            "shown": self.shown,
            "faults": self.faults.state(),
        }

    def restore(self, state: State) -> None:
        self._past = [Stretch(*stretch) for stretch in state["past"]]
        self._loaded = state["loaded"].copy()
        self.shown = state["shown"]
        self.faults.restore(state["faults"])


def _cells_of_mirrors(options: TableOptions) -> NDArray[np.int32]:
    """(mirror rows, mirror columns) the cell whose light falls on each mirror's centre, -1 for none."""
    rows, columns = options.dmd_shape
    mirror = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")).astype(np.float64)
    mirror -= np.asarray(options.dmd_offset_px)[:, None, None]
    cell = np.rint(np.einsum("ij,jrc->irc", np.linalg.inv(np.asarray(options.dmd_matrix)), mirror)).astype(np.int64)
    outside = np.any((cell < 0) | (cell >= np.asarray(options.cells)[:, None, None]), axis=0)
    return np.where(outside, -1, cell[0] * options.columns + cell[1]).astype(np.int32)


@compiled
def _count_mirrors(patterns: Pattern, cell_of_mirror: NDArray[np.int32], counts: NDArray[np.uint8]) -> None:
    for k in range(patterns.shape[0]):
        for r in range(patterns.shape[1]):
            for c in range(patterns.shape[2]):
                cell = cell_of_mirror[r, c]
                if cell >= 0:
                    counts[cell, k] += patterns[k, r, c]
