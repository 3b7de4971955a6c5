"""The run file: one HDF5 file a run, complete on disk after every epoch, readable by others while it is written.

A kill of the process at any moment loses nothing that `append` returned from. (A power failure can: the operating
system writes to the disk when it sees fit.)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labcontrol.errors import UserError
from labcontrol.records.contents import Pilot
from labcontrol.records.epoch import Epoch
from labcontrol.records.json_text import summed_json
from labcontrol.records.layout import ENDING, SEAL, drift_columns, epoch_columns, growing
from labcontrol.records.lock import RunLock, sole_writer
from labcontrol.records.room import DiskRoom, RecordAwayError, RecordWriteError, write_error
from labcontrol.records.row_checksums import row_checksums
from labcontrol.records.run_header import RunHeader
from labcontrol.records.seal import seal_text
from labcontrol.records.storage import (
    Column,
    checkpoint_places,
    committed_rows,
    content_sha256,
    copy_file,
    copy_from,
    new_file,
    open_for_appending,
    open_run_file,
)
from labcontrol.whole_files import replacing

Completion = Literal["finished", "stopped", "aborted", "failed"]

_ROOM = DiskRoom()
_REFERENCE_REPLAY = ("rehearsal/spread", "rehearsal/signals")


class RunWriter:
    """The only writer of one run file. Calls may come from any thread.

    Every writing call returns with its rows handed to the operating system, or raises RecordWriteError
    (RecordFullError when the disk is full); the same call can then be made again and nothing is doubled or torn.
    """

    def __init__(self, path: Path, lock: RunLock, room: DiskRoom, unix_s: Callable[[], float]) -> None:
        """Use `create` or `reopen`."""
        self.path = path
        self._run_lock = lock
        self._room = room
        self._unix_s = unix_s
        self._thread_lock = threading.RLock()
        self._closed = False
        self._open_file()

    # --- beginning and end --------------------------------------------------------------------------------------
    @classmethod
    def create(
        cls, path: Path, header: RunHeader, *, room: DiskRoom = _ROOM, unix_s: Callable[[], float] = time.time
    ) -> Self:
        """Make a new run file, and its folder if need be, and start writing it.

        unix_s: the wall clock. Raises UserError, with no file left behind, when the file exists or cannot be written.
        """
        with sole_writer(path) as lock:
            if path.exists():
                raise UserError(f"{path} exists already.", "Choose another name; records are never overwritten.")
            room.require(path, 0)
            with replacing(path) as partial, new_file(partial, header.datasets()) as file:
                Column(file["state"]).put_text(_state_line(unix_s(), "running", "", 0))
            return cls(path, lock, room, unix_s)

    @classmethod
    def reopen(
        cls,
        path: Path,
        *,
        dropped_checkpoints: int = 0,
        lock: RunLock | None = None,
        room: DiskRoom = _ROOM,
        unix_s: Callable[[], float] = time.time,
    ) -> Self:
        """Continue the record of a run that was killed, stopped or finished.

        dropped_checkpoints: how many of the last ones are damaged and left out.
        lock: of this record, where it is held already; the writer releases it.
        The content is copied into a sound file, which then takes the old one's place. Raises UserError when the file
        is no run file, or is being written by another process.
        """
        with sole_writer(path, lock) as lock:
            with open_run_file(path) as old:
                rows = committed_rows(old, dropped_checkpoints=dropped_checkpoints) | {
                    column.name: 0 for column in ENDING
                }
            room.require(path, path.stat().st_size)
            with replacing(path) as partial, copy_file(path, partial, rows) as file:
                line = _state_line(unix_s(), "running", "continued", rows["epochs/time"])
                Column(file["state"]).put_text(line)
            return cls(path, lock, room, unix_s)

    def close(self) -> None:
        """Let go of the file; may be called more than once. Without `finish` the run counts as interrupted."""
        with self._thread_lock:
            if self._closed:
                return
            with contextlib.suppress(RecordWriteError):  # a record without a seal is a record
                self._seal()
            self._closed = True
            try:
                self._file.close()
            except (OSError, RuntimeError) as error:
                raise RecordWriteError(
                    f"{self.path} could not be closed: {error}", "What was appended is safe and can be read."
                ) from error
            finally:
                self._run_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- what a run writes --------------------------------------------------------------------------------------
    @property
    def epochs(self) -> int:
        """Epochs on disk; the next one has this index."""
        return self._columns["epochs/time"].rows

    def append(self, epoch: Epoch) -> None:
        """Write one epoch."""
        self.append_many([epoch])

    def append_many(self, epochs: Sequence[Epoch]) -> None:
        """Write the epochs of one replay, or of several, with one flush: all of them or none."""
        if [epoch.index for epoch in epochs] != list(range(self.epochs, self.epochs + len(epochs))):
            raise ValueError(f"the next epoch is {self.epochs}, not {[epoch.index for epoch in epochs]}")
        if not epochs:
            return
        columns: dict[str, ArrayLike] = {
            "epochs/mirror": [epoch.mirror for epoch in epochs],
            "epochs/mask": np.packbits([epoch.mask for epoch in epochs], axis=1),
            "epochs/replay": [epoch.replay for epoch in epochs],
            "epochs/mse": [epoch.mse for epoch in epochs],
            "epochs/nmse": [epoch.nmse for epoch in epochs],
            "epochs/accepted": [epoch.accepted for epoch in epochs],
            "epochs/bench_time": [epoch.bench_s for epoch in epochs],
            "epochs/output": [epoch.output for epoch in epochs],
            "epochs/time": [epoch.unix_s for epoch in epochs],
        }
        columns["epochs/checksum"] = row_checksums(self._epoch_table, self.epochs, columns.__getitem__)
        with self._writing(sum(epoch.output.nbytes + epoch.mask.nbytes for epoch in epochs)):
            for name, rows in columns.items():
                self._columns[name].put(rows)

    def write_pilot(
        self,
        pilot: Pilot,
        responses: NDArray[np.float32],
        amplitudes: NDArray[np.float64],
        gain: float,
        prediction: Mapping[str, Any],
    ) -> None:
        """Keep the pilot, and what came of it.

        Parameters
        ----------
        pilot : Pilot
            As measured.
        responses : ndarray of float32, shape (N, T)
            Of all mirrors; empty where they are too many to keep.
        amplitudes : ndarray, shape (N,)
            Standard deviation of each response over time.
        gain : float
            Of the fixed-gain error, in the unit of the output.
        prediction : mapping
            JSON types.
        """
        content: dict[str, NDArray[Any]] = {
            "pilot/mask": np.packbits(pilot.masks, axis=1),
            "pilot/output": pilot.outputs,
            "pilot/replay": pilot.replays,
            "pilot/response": responses,
            "pilot/amplitude": amplitudes,
        }
        content = {name: values.astype(self._file[name].dtype) for name, values in content.items()}
        before = {name: self._file[name][()] for name in _REFERENCE_REPLAY}
        hashed = content | before | {"gain": np.asarray(gain, np.float64)}
        hashes = {name: content_sha256(values) for name, values in hashed.items()}
        with self._writing(pilot.outputs.nbytes + responses.nbytes):
            for name, values in content.items():
                self._columns[name].put(values, at=0)
            self._columns["prediction"].put_text(summed_json({**prediction, "content_sha256": hashes}), at=0)
            self._file["gain"][()] = gain

    def write_reference_replay(self, states: NDArray[np.float32], spread: tuple[float, float]) -> None:
        """Keep the states (S, N) that all replays are compared with; spread: rms difference of two reference replays.

        Its first number is over the neurons, the second along the way from the step before.
        """
        with self._writing(states.nbytes):
            self._columns["rehearsal/signals"].put(states, at=0)
            self._columns["rehearsal/spread"].put(spread, at=0)

    @property
    def drift_rows(self) -> int:
        """Measurements of the reference mask on record."""
        return min(column.rows for name, column in self._columns.items() if name.startswith("drift/"))

    def write_drift(self, row: int, values: Mapping[str, ArrayLike]) -> None:
        """Keep one measurement of the reference mask. values: of each dataset of /drift, by its name.

        Row 0 begins anew; other rows that are on record already, and measured again by a continued run, stay.
        """
        if 0 < row < self.drift_rows:
            return
        with self._writing(sum(np.asarray(value).nbytes for value in values.values())):
            columns = {f"drift/{name}": np.asarray(value)[None] for name, value in values.items()}
            columns["drift/checksum"] = row_checksums(self._drift_table, row, columns.__getitem__)
            for name, rows in columns.items():
                self._columns[name].put(rows, at=row)

    def write_preparation(self, preparation: Mapping[str, Any]) -> None:
        """Keep what was measured before the run: camera reference, exposures, timing. A resumed run adds its own."""
        self._journal("preparation", summed_json(preparation) + "\n")

    def log(self, level: str, text: str) -> None:
        """Add a line to the log, with the time."""
        entry = {"time": self._unix_s(), "level": level, "text": text}
        self._journal("log", summed_json(entry) + "\n")

    def fault(self, device: str, kind: str, text: str, action: str) -> None:
        """Add a fault of a device, and what was done about it."""
        entry = {"time": self._unix_s(), "device": device, "kind": kind, "text": text, "action": action}
        self._journal("faults", summed_json(entry | {"epoch": self.epochs}) + "\n")

    def checkpoint(self, epochs: int, state: bytes) -> None:
        """Keep the state from which the run continues after so many epochs."""
        if epochs > self.epochs:
            raise ValueError(f"a checkpoint after {epochs} epochs, but {self.epochs} are on disk")
        start = self._room_for(len(state))
        with self._writing(len(state)):
            self._columns["checkpoints/bytes"].put(np.frombuffer(state, np.uint8), at=start, keep=True)
            self._columns["checkpoints/start"].put([start])
            self._columns["checkpoints/end"].put([start + len(state)])
            self._columns["checkpoints/epochs"].put([epochs])

    def _room_for(self, size: int) -> int:
        """Where a state finds room: before, between or after those of the last checkpoints, which stay."""
        start = 0
        places = checkpoint_places(self._file, self._columns["checkpoints/epochs"].rows)
        for _, taken, end in sorted(places, key=lambda place: place[1]):
            if start + size <= taken:
                break
            start = max(start, end)
        return start

    def finish(
        self,
        state: Completion,
        reason: str = "",
        final_mask: NDArray[np.bool_] | None = None,
        train_output: NDArray[np.float32] | None = None,
        test_output: NDArray[np.float32] | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Write how the run ended. Parts that an early end did not reach may be left out.

        final_mask: (N,). train_output, test_output: (T,) and (S,) of it, measured after learning.
        """
        text = summed_json({} if result is None else result)
        with self._writing(len(text), use_reserve=True):
            if final_mask is not None:
                self._columns["masks/final"].put(final_mask, at=0)
            if train_output is not None:
                self._columns["train/output"].put(train_output, at=0)
            if test_output is not None:
                self._columns["test/output"].put(test_output, at=0)
            self._columns["result"].put_text(text, at=0)
        self._journal("state", _state_line(self._unix_s(), state, reason, self.epochs))
        # From here on not even a power failure can take anything away.
        with contextlib.suppress(OSError), self.path.open("rb+") as file:
            os.fsync(file.fileno())

    # --- how ----------------------------------------------------------------------------------------------------
    def _journal(self, name: str, line: str) -> None:
        with self._writing(len(line), use_reserve=True):
            self._columns[name].put_text(line)

    def _seal(self) -> None:
        if self._damaged:
            return
        text = seal_text(self._file, {name: column.rows for name, column in self._columns.items()})
        with self._writing(len(text), use_reserve=True):
            self._columns[SEAL].put_text(text, at=0)

    def _open_file(self) -> None:
        self._file: Any = open_for_appending(self.path)
        neurons, steps = len(self._file["masks/initial"]), len(self._file["target"])
        self._epoch_table, self._drift_table = epoch_columns(neurons, steps), drift_columns(steps)
        self._columns = {column.name: Column(self._file[column.name]) for column in growing(neurons, steps)}
        self._damaged = False
        self._identity = self.path.stat()

    def _require_in_place(self) -> None:
        """Raises RecordAwayError when the file was deleted, moved or replaced since it was opened."""
        try:
            if os.path.samestat(self.path.stat(), self._identity):
                return
            what = "Another file is in its place"
        except OSError as error:
            what = f"It was deleted or moved, or its folder is gone ({error.strerror})"
        raise RecordAwayError(
            f"The record {self.path} is not there any more. {what}; nothing measured is lost yet.",
            "Put it back and the run goes on, or continue the run: the record is then written there again.",
        )

    def write_again(self) -> None:
        """Write the record anew where it was, from the file that this process still holds.

        Raises RecordAwayError when another file is there, RecordWriteError when it cannot be written.
        """
        with self._thread_lock:
            if self.path.exists():
                self._require_in_place()
                return
            rows = {name: column.rows for name, column in self._columns.items()}
            self._run_lock.release()
            with sole_writer(self.path) as self._run_lock:
                with replacing(self.path) as partial:
                    copy_from(self._file, partial, rows).close()
                with contextlib.suppress(OSError, RuntimeError):
                    self._file.close()
                self._open_file()

    @contextlib.contextmanager
    def _writing(self, new_bytes: int, *, use_reserve: bool = False) -> Iterator[None]:
        """Make sure of room, let rows be put, flush, and only then count them."""
        with self._thread_lock:
            if self._closed:
                raise RuntimeError(f"{self.path} is closed")
            self._require_in_place()
            self._room.require(self.path, new_bytes, use_reserve=use_reserve)
            try:
                if self._damaged:
                    self._rebuild()
                yield
                self._file.flush()
            except (OSError, RuntimeError) as error:
                self._damaged = True
                raise write_error(self.path, error) from error
            except BaseException:
                for column in self._columns.values():
                    column.discard()
                raise
            for column in self._columns.values():
                column.commit()

    def _rebuild(self) -> None:
        """After a failed write HDF5 and the file disagree: start again from what is known to be on disk."""
        rows = {name: column.rows for name, column in self._columns.items()}
        self._room.require(self.path, 2 * self.path.stat().st_size, use_reserve=True)
        salvage = self.path.with_name(self.path.name + ".salvage")
        try:
            shutil.copyfile(self.path, salvage)  # as it is now: closing the file may still write to it
            with replacing(self.path) as partial:
                copy_file(salvage, partial, rows).close()
                with contextlib.suppress(OSError, RuntimeError):
                    self._file.close()
        finally:
            salvage.unlink(missing_ok=True)
        self._open_file()


def _state_line(unix_s: float, state: str, reason: str, epochs: int) -> str:
    return summed_json({"time": unix_s, "state": state, "reason": reason, "epochs": epochs}) + "\n"
