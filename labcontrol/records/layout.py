"""Schema version 2 of the run file: its datasets, their types and chunks. `docs/record-format.md` explains them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FORMAT = "labcontrol run"
SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)
SUFFIX = ".h5"

# Chunks of this size keep appending cheap and a record of 10^5 epochs at about 3000 chunks.
_CHUNK_BYTES = 65536
_MOST_ROWS_IN_CHUNK = 4096


@dataclass(frozen=True)
class Growing:
    """A dataset that gains rows while the run goes on.

    width: values in a row; None for a one-dimensional dataset.
    """

    name: str
    dtype: str
    width: int | None = None

    @property
    def row_shape(self) -> tuple[int, ...]:
        return () if self.width is None else (self.width,)

    @property
    def row_bytes(self) -> int:
        return np.dtype(self.dtype).itemsize * (1 if self.width is None else max(self.width, 1))

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        rows = min(max(_CHUNK_BYTES // self.row_bytes, 1), _MOST_ROWS_IN_CHUNK)
        return (rows,) if self.width is None else (rows, max(self.width, 1))


def epoch_columns(neurons: int, steps: int) -> tuple[Growing, ...]:
    """One row an epoch in each."""
    return (
        Growing("epochs/mirror", "int64"),
        Growing("epochs/mask", "uint8", (neurons + 7) // 8),
        Growing("epochs/replay", "int64"),
        Growing("epochs/mse", "float64"),
        Growing("epochs/nmse", "float64"),
        Growing("epochs/accepted", "bool"),
        Growing("epochs/bench_time", "float64"),
        Growing("epochs/output", "float32", steps),
        Growing("epochs/time", "float64"),
        Growing("epochs/checksum", "uint32"),
    )


CHECKPOINT_COLUMNS = (
    Growing("checkpoints/bytes", "uint8"),
    Growing("checkpoints/start", "int64"),
    Growing("checkpoints/end", "int64"),
    Growing("checkpoints/epochs", "int64"),
)
"""States in any order, where each begins and ends, and how many epochs it has seen."""

KEPT_CHECKPOINTS = 3
"""The last ones are there; the room of those before them is used again."""

JOURNALS = tuple(Growing(name, "uint8") for name in ("state", "preparation", "log", "faults"))
"""UTF-8 text, one JSON object a line."""


def reference_replay_columns(neurons: int) -> tuple[Growing, ...]:
    """Written once, before the pilot."""
    return (Growing("rehearsal/spread", "float64"), Growing("rehearsal/signals", "float32", neurons))


def pilot_columns(neurons: int, steps: int) -> tuple[Growing, ...]:
    """Written once, before the first epoch. `prediction` is JSON text."""
    return (
        Growing("pilot/mask", "uint8", (neurons + 7) // 8),
        Growing("pilot/output", "float32", steps),
        Growing("pilot/replay", "int64"),
        Growing("pilot/response", "float32", steps),
        Growing("pilot/amplitude", "float64"),
        Growing("prediction", "uint8"),
    )


def drift_columns(steps: int) -> tuple[Growing, ...]:
    """One row for each measurement of the reference mask."""
    return (
        Growing("drift/epoch", "int64"),
        Growing("drift/output", "float32", steps),
        Growing("drift/error", "float64"),
        Growing("drift/level", "float64"),
        Growing("drift/offset", "float64"),
        Growing("drift/light", "float64"),
        Growing("drift/picture", "float64"),
        Growing("drift/power", "float64"),
        Growing("drift/change", "float64"),
        Growing("drift/excess", "float64"),
        Growing("drift/checksum", "uint32"),
    )


SEAL = "seal"
ENDING = (
    Growing("masks/final", "bool"),
    Growing("train/output", "float32"),
    Growing("test/output", "float32"),
    Growing("result", "uint8"),
    Growing(SEAL, "uint8"),
)
"""Empty until the run ends; emptied again when it is resumed. Outputs are of the final mask, measured once more."""


def growing(neurons: int, steps: int) -> tuple[Growing, ...]:
    """Every dataset that grows. One that a file of an earlier version of the program lacks counts as empty."""
    return (
        *epoch_columns(neurons, steps),
        *CHECKPOINT_COLUMNS,
        *JOURNALS,
        *reference_replay_columns(neurons),
        *pilot_columns(neurons, steps),
        *drift_columns(steps),
        *ENDING,
    )


FIXED = (
    "config",
    "metadata",
    "input",
    "target",
    "washout/input",
    "test/input",
    "test/target",
    "masks/initial",
)
"""Written when the file is made and never again. Besides there is the scalar `gain`, NaN until the pilot is done."""
