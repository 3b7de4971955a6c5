"""HDF5 as the run file needs it: growing datasets, single writer and many readers, copies of what was committed.

How it survives a kill: the chunk cache is off, so a row reaches the operating system before the new length of its
dataset does, and single-writer mode orders the rest. A row counts once every dataset of its table has it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t
from numpy.typing import ArrayLike, NDArray

from labcontrol.errors import UserError
from labcontrol.records.hdf5_library import limit_read_attempts
from labcontrol.records.layout import (
    CHECKPOINT_COLUMNS,
    FIXED,
    FORMAT,
    KEPT_CHECKPOINTS,
    READABLE_VERSIONS,
    SCHEMA_VERSION,
    drift_columns,
    epoch_columns,
    growing,
)
from labcontrol.records.row_checksums import checksums_of

_COPY_BYTES = 1 << 24
_PAGE_BYTES = 4096
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK_BYTES = 48
_STATUS_FLAGS = 11
_LARGEST_LAG_BYTES = 1 << 17
# What HDF5 says where this process has the file open since it was being written. It then shares what it knew of it.
_OPENED_OTHERWISE = "flag values don't match"


class Column:
    """One growing dataset, open for appending.

    rows: length known to be on disk. What `put` writes follows it, however often it is repeated, until `commit`.
    """

    def __init__(self, dataset: Any) -> None:
        self._id: h5d.DatasetID = dataset.id
        self._dtype = dataset.dtype
        self._row_shape = dataset.shape[1:]
        self._origin = (0,) * len(self._row_shape)
        self._memory_type = h5t.py_create(self._dtype)
        # Making a dataspace costs as much as writing a row, so those of appending one row are kept.
        self._file_space: h5s.SpaceID = dataset.id.get_space()
        self._one_row: h5s.SpaceID = h5s.create_simple((1, *self._row_shape))
        self.rows = int(dataset.shape[0])
        self._pending = self.rows

    def put(self, values: ArrayLike, at: int | None = None, *, keep: bool = False) -> None:
        """Write rows after the committed ones, or from row `at`; the dataset ends with them.

        keep: the dataset stays as long as it is, at least.
        """
        start = self.rows if at is None else at
        rows = np.ascontiguousarray(values, dtype=self._dtype)
        if rows.shape[1:] != self._row_shape:
            raise ValueError(f"rows of shape {rows.shape[1:]} for a dataset with rows of shape {self._row_shape}")
        stop = start + len(rows)
        length = max(stop, self.rows) if keep else stop
        self._id.set_extent((length, *self._row_shape))
        if rows.size:
            self._file_space.set_extent_simple((length, *self._row_shape), (h5s.UNLIMITED, *self._row_shape))
            self._file_space.select_hyperslab((start, *self._origin), rows.shape)
            space = self._one_row if len(rows) == 1 else h5s.create_simple(rows.shape)
            self._id.write(space, self._file_space, rows, self._memory_type)
        self._pending = length

    def put_text(self, text: str, at: int | None = None) -> None:
        """The same for text kept as bytes."""
        self.put(np.frombuffer(text.encode(), dtype=np.uint8), at)

    def commit(self) -> None:
        """What was put is on disk."""
        self.rows = self._pending

    def discard(self) -> None:
        """What was put may not be on disk; the next `put` replaces it."""
        self._pending = self.rows


def new_file(path: Path, fixed: Mapping[str, Any]) -> Any:
    """Make a file with all datasets of the schema, the growing ones empty. Returns it; to be closed.

    fixed: value of each dataset named in `layout.FIXED`; text is stored as a scalar byte string.
    """
    # Version 1.10 of the format is the first with single-writer mode, and what older readers understand.
    # Pages, because a kill may stop a write of the system between two pages of memory: what HDF5 guards by one checksum
    # must not lie across them.
    file = h5py.File(path, "w", libver=("v110", "v110"), fs_strategy="page", fs_page_size=_PAGE_BYTES)
    file.attrs["format"] = FORMAT
    file.attrs["schema_version"] = SCHEMA_VERSION
    for name in FIXED:
        value = fixed[name]
        data = np.bytes_(value.encode()) if isinstance(value, str) else value
        file.create_dataset(name, data=data)
    file.create_dataset("gain", data=np.float64("nan"))
    for column in growing(len(fixed["masks/initial"]), len(fixed["target"])):
        file.create_dataset(
            column.name,
            shape=(0, *column.row_shape),
            maxshape=(None, *column.row_shape),
            dtype=column.dtype,
            chunks=column.chunk_shape,
        )
    return file


def content_sha256(value: str | bytes | NDArray[Any]) -> str:
    """Hash of a dataset that never changes: of its text, or of its little-endian numbers."""
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()


def open_run_file(path: Path) -> Any:
    """Open a run file for reading, be it finished, being written, or left by a killed process. Raises UserError."""
    if not path.is_file():
        raise UserError(f"There is no run file {path}.", "`labcontrol runs` lists the runs of a folder.")
    _require_whole(path)
    try:
        file = _opened(path)
        try:
            found = file.attrs.get("format"), file.attrs.get("schema_version")
        except BaseException:
            file.close()
            raise
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(
            f"{path} is not a run file: HDF5 cannot open it ({error.args[0] if error.args else error}).",
            "Give a file that a run wrote.",
        ) from error
    if found[0] == FORMAT and found[1] in READABLE_VERSIONS:
        return file
    file.close()
    if found[0] == FORMAT:
        raise UserError(
            f"{path} has schema version {found[1]}, this program reads up to {SCHEMA_VERSION}.", "Use a newer one."
        )
    raise UserError(f"{path} is an HDF5 file, but not of a run.", "Give a file that a run wrote.")


def _opened(path: Path) -> Any:
    # In single-writer mode HDF5 takes damage for a write in progress and reads again and again.
    open_since_written = False
    if is_closed(path):
        try:
            return h5py.File(path, "r", locking=False)
        except (OSError, RuntimeError) as error:
            open_since_written = _OPENED_OTHERWISE in str(error)
            if is_closed(path) and not open_since_written:
                raise
    access = h5p.create(h5p.FILE_ACCESS)
    limit_read_attempts(access)
    file = h5py.File(h5f.open(os.fsencode(path), h5f.ACC_RDONLY | h5f.ACC_SWMR_READ, fapl=access))
    if open_since_written:
        refresh(file, committed_rows(file))
    return file


def refresh(file: Any, names: Iterable[str]) -> None:
    """See what was written to these datasets since this process first read them."""
    for name in names:
        if name in file:
            file[name].refresh()


def is_closed(path: Path) -> bool:
    """Whether the last writer closed the file: nobody writes it, and it was not left by a killed process."""
    superblock = _superblock(path)
    return superblock is not None and superblock[_STATUS_FLAGS] == 0


def _superblock(path: Path) -> bytes | None:
    """Of version 3 of the HDF5 file format specification; None where a file does not begin with one."""
    with path.open("rb") as file:
        superblock = file.read(_SUPERBLOCK_BYTES)
    is_one = len(superblock) == _SUPERBLOCK_BYTES and superblock.startswith(_SIGNATURE) and superblock[8] == 3
    return superblock if is_one else None


def _require_whole(path: Path) -> None:
    """Refuse a file that lost its end, for example in copying: HDF5 would search for the rest for ever, or read zeros.

    The superblock tells whether the file was closed, and where it ends. While it is written the end may be ahead of
    what has reached the system by one chunk.
    """
    superblock = _superblock(path)
    if superblock is None:
        return
    closed, end = superblock[_STATUS_FLAGS] == 0, int.from_bytes(superblock[28:36], "little")
    missing = end - path.stat().st_size
    if missing > (0 if closed else _LARGEST_LAG_BYTES):
        raise UserError(
            f"{path} is not a run file any more: {missing} of {end} bytes are missing at its end.",
            "Copy it again from where it came from.",
        )


def copy_file(source: Path, destination: Path, rows: Mapping[str, int]) -> Any:
    """Copy what was committed to a run file, whatever state its writer left it in, into a new and sound one.

    rows: length of each growing dataset in the copy. Returns the copy; to be closed.
    """
    with open_run_file(source) as old:
        return copy_from(old, destination, rows)


def copy_from(old: Any, destination: Path, rows: Mapping[str, int]) -> Any:
    """As `copy_file`, from an open file."""
    fixed = {name: old[name][()] for name in FIXED}
    fixed = {name: value.decode() if isinstance(value, bytes) else value for name, value in fixed.items()}
    new = new_file(destination, fixed)
    new["gain"][()] = old["gain"][()]
    for name, length in rows.items():
        new[name].resize(length, axis=0)
        row_bytes = new[name].dtype.itemsize * math.prod(new[name].shape[1:])
        step = max(_COPY_BYTES // row_bytes, 1)
        for start in range(0, length, step):
            stop = min(start + step, length)
            new[name][start:stop] = old[name][start:stop]
    neurons, steps = len(old["masks/initial"]), len(old["target"])
    for table in (epoch_columns(neurons, steps), drift_columns(steps)):
        if (checksums := table[-1].name) not in old:  # of a file that was begun before rows had them
            new[checksums].resize(rows[table[0].name], axis=0)
            new[checksums][...] = checksums_of(new, table, rows[table[0].name])
    places = checkpoint_places(old, len(old["checkpoints/epochs"]))
    for name, end in (("checkpoints/start", 1), ("checkpoints/end", 2)):
        new[name].resize(rows["checkpoints/epochs"], axis=0)
        new[name][...] = 0
        for place in places:
            if place[0] < rows["checkpoints/epochs"]:
                new[name][place[0]] = place[end]
    return new


def checkpoint_places(file: Any, count: int) -> list[tuple[int, int, int]]:
    """Row, start and end of the checkpoints that are there, of so many that were written."""
    first = max(count - KEPT_CHECKPOINTS, 0)
    ends = file["checkpoints/end"][:count]
    if "checkpoints/start" in file:
        starts = file["checkpoints/start"][:count]
    else:  # of a file whose states lie one after the other
        first, starts = 0, np.concatenate([[0], ends[:-1]])
    return [(row, int(starts[row]), int(ends[row])) for row in range(first, count) if starts[row] < ends[row]]


def committed_rows(file: Any, *, dropped_checkpoints: int = 0) -> dict[str, int]:
    """Length of each growing dataset that a reader may rely on.

    dropped_checkpoints: how many of the last ones do not count.

    A row that is in some datasets of its table only was being written when the writer died, or is right now.
    """
    neurons, steps = len(file["masks/initial"]), len(file["target"])
    rows = {column.name: _length(file, column.name) for column in growing(neurons, steps)}
    for table in (epoch_columns(neurons, steps), drift_columns(steps)):
        # Files of earlier versions have no checksums.
        names = [column.name for column in table if column is not table[-1] or column.name in file]
        rows |= dict.fromkeys(names, min(rows[name] for name in names))
    names = [column.name for column in CHECKPOINT_COLUMNS[1:] if column.name in file]
    count = min(rows[name] for name in names)
    ends, epochs = file["checkpoints/end"][:count], file["checkpoints/epochs"][:count]
    while count and (ends[count - 1] > rows["checkpoints/bytes"] or epochs[count - 1] > rows["epochs/time"]):
        count -= 1
    return rows | dict.fromkeys(names, max(count - dropped_checkpoints, 0))


def _length(file: Any, name: str) -> int:
    """Rows of a dataset, 0 where there is none; many times faster than h5py's objects, and lists read many files."""
    try:
        return int(h5d.open(file.id, name.encode()).shape[0])
    except KeyError as error:
        if name in file:  # there, and damaged
            raise RuntimeError(f"/{name} cannot be read: {error}") from error
        return 0


def open_for_appending(path: Path) -> Any:
    """Open a cleanly closed run file as its single writer; other processes may read it meanwhile."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    metadata_elements, slots, _, preemption = access.get_cache()
    access.set_cache(metadata_elements, slots, 0, preemption)  # no chunk cache: rows go straight to the system
    return h5py.File(h5f.open(os.fsencode(path), h5f.ACC_RDWR | h5f.ACC_SWMR_WRITE, fapl=access))
