"""Masks that were measured and what they gave; repeats are averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Measurements:
    """Distinct masks in the order of their first measurement, with the mean of their outputs. steps: T."""

    def __init__(self, neurons: int, steps: int) -> None:
        self._rows: dict[bytes, int] = {}
        self.masks: NDArray[np.bool_] = np.empty((0, neurons), dtype=np.bool_)
        self.outputs: Floats = np.empty((0, steps))
        self.counts: Floats = np.empty(0)

    def __len__(self) -> int:
        return len(self.masks)

    def add(self, masks: NDArray[np.bool_], outputs: NDArray[np.floating]) -> None:
        """masks: (B, N). outputs: (B, T)."""
        new_masks: list[NDArray[np.bool_]] = []
        new_outputs: list[Floats] = []
        new_counts: list[float] = []
        known = len(self.masks)
        for mask, output in zip(masks, outputs, strict=True):
            row = self._rows.setdefault(mask.tobytes(), known + len(new_masks))
            if row == known + len(new_masks):
                new_masks.append(mask)
                new_outputs.append(output.astype(np.float64))
                new_counts.append(1.0)
            elif row < known:
                self.counts[row] += 1
                self.outputs[row] += (output - self.outputs[row]) / self.counts[row]
            else:
                new_counts[row - known] += 1
                new_outputs[row - known] += (output - new_outputs[row - known]) / new_counts[row - known]
        if new_masks:
            self.masks = np.concatenate([self.masks, new_masks])
            self.outputs = np.concatenate([self.outputs, new_outputs])
            self.counts = np.concatenate([self.counts, new_counts])

    def mean_output(self, mask: NDArray[np.bool_]) -> tuple[Floats, float]:
        """(T,) mean output of a mask that was measured, and how often it was. Raises KeyError for any other."""
        row = self._rows[mask.tobytes()]
        return self.outputs[row], float(self.counts[row])

    def part(self, masks: NDArray[np.bool_]) -> Measurements:
        """Only these masks (B, N), each once, in this order; each must have been measured."""
        part = Measurements(self.masks.shape[1], self.outputs.shape[1])
        rows = list(dict.fromkeys(self._rows[mask.tobytes()] for mask in masks))
        part.add(self.masks[rows], self.outputs[rows])
        part.counts = self.counts[rows]
        return part

    def state(self) -> dict[str, Any]:
        return {"masks": np.packbits(self.masks, axis=1), "outputs": self.outputs.copy(), "counts": self.counts.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        neurons = self.masks.shape[1]
        self.masks = np.unpackbits(np.asarray(state["masks"], np.uint8), axis=1, count=neurons).astype(np.bool_)
        self.outputs, self.counts = np.array(state["outputs"]), np.array(state["counts"])
        self._rows = {mask.tobytes(): row for row, mask in enumerate(self.masks)}
