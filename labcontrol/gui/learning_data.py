"""The errors of a run, epoch by epoch, in arrays that grow, and what of them a plot needs."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from labcontrol.records import Epoch

Floats = NDArray[np.float64]
T = TypeVar("T", bound=np.generic)


class GrowingArray(Generic[T]):
    """A one-dimensional array with room for more: appending costs the same however long it is."""

    def __init__(self, dtype: type[T]) -> None:
        self._buffer: NDArray[T] = np.empty(1024, dtype)
        self._length = 0

    def extend(self, values: NDArray[Any] | list[Any]) -> None:
        end = self._length + len(values)
        if end > len(self._buffer):
            grown = np.empty(max(end, 2 * len(self._buffer)), self._buffer.dtype)
            grown[: self._length] = self.values
            self._buffer = grown
        self._buffer[self._length : end] = values
        self._length = end

    @property
    def values(self) -> NDArray[T]:
        """A view of what is there; do not modify."""
        return self._buffer[: self._length]

    def __len__(self) -> int:
        return self._length


class LearningData:
    """Columns (K,) of one run, for both errors: each epoch, and the incumbent after it.

    loss: the error that decides. neurons: N. epoch_s: wall time of an epoch, for times ahead of the data. Epochs need
    not be complete: each keeps its own index.
    """

    def __init__(self, loss: str, neurons: int = 1) -> None:
        self.loss = loss
        self.neurons = neurons
        self.epoch_s = 0.0
        self.index: GrowingArray[np.float64] = GrowingArray(np.float64)
        self.unix_s: GrowingArray[np.float64] = GrowingArray(np.float64)
        self.accepted: GrowingArray[np.bool_] = GrowingArray(np.bool_)
        self._errors = {name: GrowingArray(np.float64) for name in ("mse", "nmse")}
        self._incumbents = {name: GrowingArray(np.float64) for name in ("mse", "nmse")}

    def __len__(self) -> int:
        return len(self.index)

    def error(self, loss: str) -> Floats:
        """(K,) of the mask shown in each epoch."""
        return self._errors[loss].values

    def incumbent(self, loss: str) -> Floats:
        """(K,) of the incumbent after each epoch."""
        return self._incumbents[loss].values

    def append(self, epochs: list[Epoch], incumbent_errors: list[float]) -> None:
        """Epochs as they come from a run; incumbent_errors: the loss of the incumbent after each."""
        if not epochs:
            return
        other = "nmse" if self.loss == "mse" else "mse"
        latest = self._incumbents[other].values[-1] if len(self) else np.nan
        carried = []
        for epoch in epochs:
            # A measurement of the incumbent, also a repeated one, tells its other error.
            if epoch.accepted or np.isnan(latest):
                latest = getattr(epoch, other)
            carried.append(latest)
        self._incumbents[self.loss].extend(incumbent_errors)
        self._incumbents[other].extend(carried)
        self.index.extend([epoch.index for epoch in epochs])
        self.unix_s.extend([epoch.unix_s for epoch in epochs])
        self.accepted.extend([epoch.accepted for epoch in epochs])
        for name, column in self._errors.items():
            column.extend([getattr(epoch, name) for epoch in epochs])

    def fill(
        self,
        errors: dict[str, Floats],
        incumbents: dict[str, Floats],
        accepted: NDArray[np.bool_],
        unix_s: Floats,
    ) -> None:
        """Whole columns at once, as a record has them; keys are `mse` and `nmse`."""
        self.index.extend(np.arange(len(self), len(self) + len(unix_s)))
        self.unix_s.extend(unix_s)
        self.accepted.extend(accepted)
        for name in ("mse", "nmse"):
            self._errors[name].extend(errors[name])
            self._incumbents[name].extend(incumbents[name])

    def begin_with(self, earlier: LearningData, epochs: int) -> None:
        """The first epochs of another run's data, when nothing is here yet."""
        k = slice(0, epochs)
        self.fill(
            {name: earlier.error(name)[k] for name in ("mse", "nmse")},
            {name: earlier.incumbent(name)[k] for name in ("mse", "nmse")},
            earlier.accepted.values[k],
            earlier.unix_s.values[k],
        )

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

    def _timeline(self) -> tuple[Floats, Floats]:
        k, unix_s = self.index.values, self.unix_s.values
        return (k, unix_s - unix_s[0]) if len(k) else (np.zeros(1), np.zeros(1))

    def _pace(self) -> float:
        """Wall time of an epoch: as told, otherwise the mean of what is here."""
        k, elapsed = self._timeline()
        return self.epoch_s or max(float(elapsed[-1]) / max(float(k[-1]), 1.0), 1e-9)

    def recently_accepted(self, epochs: int) -> float:
        """Share of accepted flips among the last so many epochs; NaN without any."""
        tail = self.accepted.values[1:][-epochs:]
        return float(tail.mean()) if len(tail) else float("nan")


def pixel_bins(x: Floats, edges: Floats) -> NDArray[np.int64]:
    """First index in each non-empty bin, and where the last one ends: (B + 1,), for x (K,) rising and edges rising.

    One point to the left and to the right of the edges is kept, so that lines run on to the border of the plot.
    """
    cuts = np.searchsorted(x, edges)
    first, last = max(int(cuts[0]) - 1, 0), min(int(cuts[-1]) + 1, len(x))
    return np.unique(np.concatenate([[first], cuts, [last]]))


def ranges(x: Floats, y: Floats, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Lowest and highest y in each bin of x: positions, lows, highs, each (B,)."""
    bins = pixel_bins(x, edges)
    if len(bins) < 2:
        return np.empty(0), np.empty(0), np.empty(0)
    starts, end = bins[:-1], bins[-1]
    return x[starts], np.minimum.reduceat(y[:end], starts), np.maximum.reduceat(y[:end], starts)


def steps(x: Floats, y: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """The last point of each bin (B,): a falling curve at the resolution of the screen."""
    bins = pixel_bins(x, edges)
    last = bins[1:] - 1
    return x[last], y[last]
