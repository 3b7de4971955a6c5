"""The epochs of a run file as columns."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labcontrol.records.epoch import Epoch

Loss = Literal["mse", "nmse"]
Floats = NDArray[np.float64]

_MASKS_AT_ONCE = 4096


class EpochTable:
    """The epochs of a run up to a certain one. Columns are read when asked for, all with the same length."""

    def __init__(self, file: Any, length: int) -> None:
        self._group = file["epochs"]
        self._length = length
        self._neurons = len(file["masks/initial"])

    def __len__(self) -> int:
        return self._length

    @property
    def mirror(self) -> NDArray[np.int64]:
        """(K,) mirror flipped against the incumbent; -1 where none or several."""
        return self._column("mirror")

    @property
    def replay(self) -> NDArray[np.int64]:
        """(K,) pass through the sequence; masks shown in the same pass share it."""
        return self._column("replay")

    @property
    def mse(self) -> Floats:
        """(K,) fixed-gain error."""
        return self._column("mse")

    @property
    def nmse(self) -> Floats:
        """(K,) error normalised each epoch."""
        return self._column("nmse")

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """(K,) the mask became the incumbent."""
        return self._column("accepted")

    @property
    def unix_s(self) -> Floats:
        """(K,) wall clock at the end of the replay."""
        return self._column("time")

    @property
    def bench_s(self) -> Floats:
        """(K,) the bench's own clock, from the run's start."""
        return self._column("bench_time")

    def error(self, loss: Loss) -> Floats:
        """(K,) the error of this name."""
        return self.mse if loss == "mse" else self.nmse

    def outputs(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """(stop - start, T) as measured."""
        return self._column("output", start, stop)

    def packed_masks(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """(stop - start, N/8 rounded up) as stored, by numpy.packbits."""
        return self._column("mask", start, stop)

    def masks(self, start: int = 0, stop: int | None = None) -> NDArray[np.bool_]:
        """(stop - start, N) as shown."""
        packed = self.packed_masks(start, stop)
        return np.unpackbits(packed, axis=1, count=self._neurons).astype(np.bool_)

    def incumbent_epochs(self) -> NDArray[np.int64]:
        """(K,) epoch that last measured the mask that is the incumbent after each epoch; -1 before there is one.

        The incumbent is measured when it is accepted, and again where a row without a flip shows its mask.
        """
        measured, mirror = self.accepted, self.mirror
        indices = np.arange(self._length)
        accepted = np.maximum.accumulate(np.where(measured, indices, -1))
        again = np.flatnonzero((mirror < 0) & ~measured & (accepted >= 0))
        measured[again] = self._same_masks(again, accepted[again])
        return np.maximum.accumulate(np.where(measured, indices, -1))

    def last_incumbent_epoch(self) -> int:
        """The last of `incumbent_epochs`, without reading most of the masks; -1 before there is one."""
        accepted = np.flatnonzero(self.accepted)
        if not len(accepted):
            return -1
        last = int(accepted[-1])
        again = last + 1 + np.flatnonzero(self._column("mirror", last + 1) < 0)
        same = again[self._same_masks(again, np.full(len(again), last))]
        return int(same[-1]) if len(same) else last

    def _same_masks(self, later: NDArray[np.int64], earlier: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the masks of two lists of epochs, both rising, are equal pair by pair."""
        same = np.zeros(len(later), dtype=np.bool_)
        for start in range(0, len(later), _MASKS_AT_ONCE):
            pairs = slice(start, start + _MASKS_AT_ONCE)
            first, last = int(later[pairs][0]), int(later[pairs][-1])
            masks = self.packed_masks(first, last + 1)
            for k in np.unique(earlier[pairs]):
                mask = masks[k - first] if k >= first else self.packed_masks(int(k), int(k) + 1)[0]
                of_it = np.flatnonzero(earlier[pairs] == k)
                same[start + of_it] = (masks[later[pairs][of_it] - first] == mask).all(axis=1)
        return same

    def incumbent_errors(self, loss: Loss) -> Floats:
        """(K,) error of the incumbent after each epoch, by its latest measurement; NaN before there is one."""
        measured_at = self.incumbent_epochs()
        errors = self.error(loss)
        return np.where(measured_at < 0, np.nan, errors[measured_at])

    def __getitem__(self, index: int) -> Epoch:
        """One row, as it was appended. Raises IndexError."""
        k = index + self._length if index < 0 else index
        if not 0 <= k < self._length:
            raise IndexError(f"epoch {index} of {self._length}")
        return self.rows(k, k + 1)[0]

    def rows(self, start: int, stop: int | None = None) -> list[Epoch]:
        """So many rows, as they were appended."""
        first, _, _ = slice(start, stop).indices(self._length)
        columns = {name: self._column(name, start, stop) for name in self._group}
        masks = self.masks(start, stop)
        return [
            Epoch(
                index=first + b,
                replay=int(columns["replay"][b]),
                mirror=int(columns["mirror"][b]),
                mask=masks[b],
                output=columns["output"][b],
                mse=float(columns["mse"][b]),
                nmse=float(columns["nmse"][b]),
                accepted=bool(columns["accepted"][b]),
                unix_s=float(columns["time"][b]),
                bench_s=float(columns["bench_time"][b]),
            )
            for b in range(len(masks))
        ]

    def _column(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        start, stop, _ = slice(start, stop).indices(self._length)
        column: NDArray[Any] = self._group[name][start:stop]
        return column
