"""The errors of a run in bounded memory, and what of them a plot needs.

Each epoch is a row until there are very many. Then rows of neighbours are merged into stretches that keep the lowest
and the highest error, the incumbent at their end and the number of accepted flips: finer than a screen can show, and
as large after a week as after an hour. The first epochs, which a logarithmic axis spreads out, and the newest stay
single.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labcontrol.records import Epoch

Floats = NDArray[np.float64]

LOSSES = ("mse", "nmse")
SINGLE_EPOCHS = 4096
"""So many first epochs are never merged."""

_COLUMNS = (
    "index",
    "replay",
    "unix_s",
    "accepted",
    *(f"{what}_{loss}" for loss in LOSSES for what in ("low", "high", "held")),
)
_ROW = {name: number for number, name in enumerate(_COLUMNS)}


class LearningData:
    """Columns of one run, for both errors: each epoch, and the incumbent after it.

    loss: the error that decides. neurons: N. most_rows: kept at most. epoch_s: wall time of an epoch, for times ahead
    of the data. Epochs need not be complete: each keeps its own index.
    """

    def __init__(self, loss: str, neurons: int = 1, most_rows: int = 131_072) -> None:
        if most_rows < 4 * SINGLE_EPOCHS:
            raise ValueError(f"there should be room for {4 * SINGLE_EPOCHS} rows at least, found {most_rows}")
        self.loss = loss
        self.neurons = neurons
        self.epoch_s = 0.0
        self._table: Floats = np.empty((len(_COLUMNS), 1024))
        self._rows = self._epochs = 0
        self._most_rows = most_rows
        self._stretch = 1
        self._first_unix_s = 0.0

    def __len__(self) -> int:
        """Epochs taken in."""
        return self._epochs

    @property
    def rows(self) -> int:
        """Rows kept: as many as epochs, or fewer."""
        return self._rows

    @property
    def index(self) -> Floats:
        """(R,) last epoch of each row, rising; a view that must not be changed, as all columns."""
        return self._column("index")

    @property
    def replay(self) -> Floats:
        """(R,) pass through the sequence of the last epoch of each row; several masks can share one."""
        return self._column("replay")

    @property
    def unix_s(self) -> Floats:
        """(R,) wall clock at the end of each row."""
        return self._column("unix_s")

    @property
    def accepted(self) -> Floats:
        """(R,) flips accepted in each row."""
        return self._column("accepted")

    def lowest(self, loss: str) -> Floats:
        """(R,) lowest error of a mask shown."""
        return self._column(f"low_{loss}")

    def highest(self, loss: str) -> Floats:
        """(R,) highest error of a mask shown."""
        return self._column(f"high_{loss}")

    def incumbent(self, loss: str) -> Floats:
        """(R,) error of the incumbent after each row."""
        return self._column(f"held_{loss}")

    # --- taking in ----------------------------------------------------------------------------------------------
    def append(self, epochs: list[Epoch], incumbent_errors: list[float]) -> None:
        """Epochs as they come from a run; incumbent_errors: the loss of the incumbent after each."""
        if not epochs:
            return
        other = "nmse" if self.loss == "mse" else "mse"
        latest = float(self.incumbent(other)[-1]) if self._rows else np.nan
        carried = []
        for epoch in epochs:
            # A measurement of the incumbent, also a repeated one, tells its other error.
            if epoch.accepted or np.isnan(latest):
                latest = getattr(epoch, other)
            carried.append(latest)
        self._take_in(
            np.array([epoch.index for epoch in epochs], np.float64),
            np.array([epoch.replay for epoch in epochs], np.float64),
            {loss: np.array([getattr(epoch, loss) for epoch in epochs]) for loss in LOSSES},
            {self.loss: np.array(incumbent_errors), other: np.array(carried)},
            np.array([epoch.accepted for epoch in epochs], np.float64),
            np.array([epoch.unix_s for epoch in epochs]),
        )

    def fill(
        self,
        errors: dict[str, Floats],
        incumbents: dict[str, Floats],
        accepted: NDArray[np.bool_],
        replay: NDArray[np.int64],
        unix_s: Floats,
    ) -> None:
        """Whole columns at once, as a record has them; keys are `mse` and `nmse`."""
        index = np.arange(self._epochs, self._epochs + len(unix_s), dtype=np.float64)
        self._take_in(index, replay.astype(np.float64), errors, incumbents, accepted.astype(np.float64), unix_s)

    def begin_with(self, earlier: LearningData, epochs: int) -> None:
        """The first epochs of another run's data, when nothing is here yet."""
        rows = int(np.searchsorted(earlier.index, epochs))
        self._reserve(rows)
        self._table[:, :rows] = earlier._table[:, :rows]
        self._rows, self._epochs = rows, min(epochs, len(earlier))
        self._stretch, self._first_unix_s = earlier._stretch, earlier._first_unix_s

    def _take_in(
        self,
        index: Floats,
        replay: Floats,
        errors: dict[str, Floats],
        incumbents: dict[str, Floats],
        accepted: Floats,
        unix_s: Floats,
    ) -> None:
        if not self._epochs and len(unix_s):
            self._first_unix_s = float(unix_s[0])
        self._epochs += len(index)
        columns = [index, replay, unix_s, accepted]
        for loss in LOSSES:
            columns += [errors[loss], errors[loss], incumbents[loss]]
        taken = 0
        while taken < len(index):
            piece = slice(taken, taken + self._most_rows // 16)
            rows = len(index[piece])
            self._reserve(self._rows + rows)
            for row, column in enumerate(columns):
                self._table[row, self._rows : self._rows + rows] = column[piece]
            self._rows += rows
            taken += rows

    def _reserve(self, rows: int) -> None:
        """Room for so many rows in all: more memory, or longer stretches."""
        if rows > self._most_rows:
            new = rows - self._rows
            self._merge()
            while self._rows + new > self._most_rows * 3 // 4:
                self._stretch *= 2
                self._merge()
            rows = self._rows + new
        if rows > self._table.shape[1]:
            grown = np.empty((len(_COLUMNS), min(max(rows, 2 * self._table.shape[1]), self._most_rows)))
            grown[:, : self._rows] = self._table[:, : self._rows]
            self._table = grown

    def _merge(self) -> None:
        """Merge neighbours into stretches of the present length."""
        index = self.index
        key = np.where(index < SINGLE_EPOCHS, index, SINGLE_EPOCHS + index // self._stretch)
        starts = np.flatnonzero(np.diff(key, prepend=-1.0))
        ends = np.append(starts[1:], self._rows) - 1
        for name in _COLUMNS:
            column = self._column(name)
            if name.startswith("low"):
                merged = np.fmin.reduceat(column, starts)
            elif name.startswith("high"):
                merged = np.fmax.reduceat(column, starts)
            elif name == "accepted":
                merged = np.add.reduceat(column, starts)
            else:
                merged = column[ends]
            self._table[_ROW[name], : len(starts)] = merged
        self._rows = len(starts)

    def _column(self, name: str) -> Floats:
        return self._table[_ROW[name], : self._rows]

    # --- derived ------------------------------------------------------------------------------------------------
    @property
    def changes_kept(self) -> int:
        """Changes of the mask accepted, the initial mask not counted."""
        later = slice(1 if self._rows and self.index[0] == 0 else 0, None)
        return int(self.accepted[later].sum())

    def replays_at(self, epochs: Floats) -> Floats:
        """Passes through the sequence (K,) until after an epoch: as recorded, beyond with as many masks a replay."""
        k, replays, masks = self._replays()
        counted: Floats = np.interp(epochs, k, replays) + np.maximum(epochs - k[-1], 0) / masks
        return counted

    def epochs_of_replays(self, replays: Floats) -> Floats:
        """Inverse of `replays_at`: the last epoch of each replay."""
        k, known, masks = self._replays()
        row = np.clip(np.searchsorted(known, replays, side="right") - 1, 0, None)
        epochs: Floats = k[row] + np.maximum(replays - known[-1], 0) * masks
        return epochs

    def _replays(self) -> tuple[Floats, Floats, float]:
        """Epochs, replays after them, and masks in a replay."""
        if not self._rows:
            return np.zeros(1), np.zeros(1), 1.0
        k, replays = self.index, self.replay
        return k, replays, max(float(k[-1] + 1) / float(replays[-1] - replays[0] + 1), 1.0)

    def seconds_at(self, epochs: Floats) -> Floats:
        """Wall time (K,) since the first epoch: as recorded where there is data, at the present pace beyond."""
        k, elapsed = self._timeline()
        seconds: Floats = np.interp(epochs, k, elapsed) + np.maximum(epochs - k[-1], 0) * self._pace()
        return seconds

    def epochs_at(self, seconds: Floats) -> Floats:
        """Inverse of `seconds_at`."""
        k, elapsed = self._timeline()
        epochs: Floats = np.interp(seconds, elapsed, k) + np.maximum(seconds - elapsed[-1], 0) / self._pace()
        return epochs

    def accepted_share(self, newest: int | None = None) -> float:
        """Share of flips accepted among all epochs after the first, or the newest so many; NaN without any."""
        if self._epochs < 2:
            return float("nan")
        first = 1.0 if newest is None else max(self.index[-1] - newest + 1, 1.0)
        row = int(np.searchsorted(self.index, first))
        epochs = self.index[-1] - (self.index[row - 1] if row else 0.0)
        return float(self.accepted[row:].sum() / max(epochs, 1.0))

    def _timeline(self) -> tuple[Floats, Floats]:
        return (self.index, self.unix_s - self._first_unix_s) if self._rows else (np.zeros(1), np.zeros(1))

    def _pace(self) -> float:
        """Wall time of an epoch: as told, otherwise the mean of what is here."""
        k, elapsed = self._timeline()
        return self.epoch_s or max(float(elapsed[-1]) / max(float(k[-1]), 1.0), 1e-9)


def pixel_bins(x: Floats, edges: Floats) -> NDArray[np.int64]:
    """First index in each non-empty bin, and where the last one ends: (B + 1,), for x (K,) rising and edges rising.

    One point to the left and to the right of the edges is kept, so that lines run on to the border of the plot.
    """
    cuts = np.searchsorted(x, edges)
    first, last = max(int(cuts[0]) - 1, 0), min(int(cuts[-1]) + 1, len(x))
    return np.unique(np.concatenate([[first], cuts, [last]]))


def ranges(x: Floats, low: Floats, high: Floats, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Lowest low and highest high in each bin of x: positions, lows, highs, each (B,)."""
    bins = pixel_bins(x, edges)
    if len(bins) < 2:
        return np.empty(0), np.empty(0), np.empty(0)
    starts, end = bins[:-1], bins[-1]
    return x[starts], np.fmin.reduceat(low[:end], starts), np.fmax.reduceat(high[:end], starts)


def steps(x: Floats, y: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """The last point of each bin (B,): a falling curve at the resolution of the screen."""
    bins = pixel_bins(x, edges)
    last = bins[1:] - 1
    return x[last], y[last]
