"""A checksum for each row of a table, so that the rows of a killed record can be checked like those of a sealed one."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labcontrol.records.layout import Growing

_ROWS = 1024  # in memory at a time
_NAME = "checksum"


def row_checksums(table: Sequence[Growing], first: int, columns: Callable[[str], ArrayLike]) -> NDArray[np.uint32]:
    """CRC-32 of each row: of its number as int64, then its value in each column, little-endian, in the table's order.

    table: columns of the schema; its column of checksums is left out. first: number of the first row.
    columns: the rows by a column's name.
    """
    parts = [
        _bytes(np.asarray(columns(column.name), column.dtype)) for column in table if not column.name.endswith(_NAME)
    ]
    rows = np.concatenate([_bytes(first + np.arange(len(parts[0]))), *parts], axis=1)
    return np.array([zlib.crc32(row) for row in rows], np.uint32)


def checksums_of(file: Any, table: Sequence[Growing], rows: int) -> NDArray[np.uint32]:
    """Of the first rows of a table in a file."""
    parts = [
        row_checksums(table, start, lambda name, start=start: file[name][start : min(start + _ROWS, rows)])  # type: ignore[misc]
        for start in range(0, rows, _ROWS)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.uint32)


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    width = values.dtype.itemsize * (values.size // max(len(values), 1))
    return np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), width)
