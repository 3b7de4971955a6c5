"""Reading a run file: finished, being written by another process, or left behind by a killed one."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from labcontrol.errors import UserError
from labcontrol.records.contents import Change, Checkpoint, Fault, LogLine, Pilot, RunState
from labcontrol.records.epoch_table import EpochTable, Floats, Loss
from labcontrol.records.json_text import is_sound, read_lines, read_object, split_lines
from labcontrol.records.layout import JOURNALS, SEAL, Growing, drift_columns, epoch_columns
from labcontrol.records.lock import is_being_written
from labcontrol.records.row_checksums import checksums_of
from labcontrol.records.seal import seal_sha256, unsealed
from labcontrol.records.storage import (
    checkpoint_places,
    committed_rows,
    content_sha256,
    is_closed,
    open_run_file,
    refresh,
)


class RunReader:
    """A run file, open for reading. What is read stays as it was at opening, until `refresh`.

    Raises UserError for anything that is not a run file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._open()

    def _open(self) -> None:
        self._closed = is_closed(self.path) if self.path.is_file() else False
        self._file = open_run_file(self.path)
        self._opened = self.path.stat()
        try:
            self._rows = committed_rows(self._file)
        except (KeyError, OSError, RuntimeError) as error:
            self._file.close()
            raise UserError(f"{self.path} is damaged: {error}", "Copy it again from where it came from.") from error

    def refresh(self) -> None:
        """See what was written since; follows the record also through a resumption of the run."""
        resumed = not os.path.samestat(self._opened, self.path.stat())
        if resumed or self._closed != is_closed(self.path):
            self._file.close()
            self._open()
            return
        refresh(self._file, self._rows)
        self._rows = committed_rows(self._file)

    def close(self) -> None:
        """Let go of the file; may be called more than once."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- known before the run -----------------------------------------------------------------------------------
    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """{"experiment": ..., "bench": ...} as the run was given them."""
        return self._json("config")

    @property
    def experiment(self) -> dict[str, Any]:
        """The experiment's part of the configuration."""
        experiment: dict[str, Any] = self.config.get("experiment", {})
        return experiment

    @functools.cached_property
    def metadata(self) -> dict[str, Any]:
        """Seed, device identities, versions, git revision."""
        return self._json("metadata")

    @property
    def neurons(self) -> int:
        return len(self._file["masks/initial"])

    @property
    def steps(self) -> int:
        """Steps of the training part."""
        return len(self._file["target"])

    @property
    def loss(self) -> Loss:
        """The error that decided."""
        return "mse" if self.experiment.get("learning", {}).get("loss") == "mse" else "nmse"

    @property
    def input(self) -> Floats:
        """(T,) training part of the input."""
        return self._array("input")

    @property
    def target(self) -> Floats:
        """(T,) standardised."""
        return self._array("target")

    @property
    def washout_input(self) -> Floats:
        """(W,) replayed before the training part."""
        return self._array("washout/input")

    @property
    def test_input(self) -> Floats:
        """(S,) input of the test part."""
        return self._array("test/input")

    @property
    def test_target(self) -> Floats:
        """(S,) standardised."""
        return self._array("test/target")

    @property
    def initial_mask(self) -> NDArray[np.bool_]:
        """(N,) first mask shown."""
        return self._array("masks/initial")

    # --- written once -------------------------------------------------------------------------------------------
    @property
    def gain(self) -> float | None:
        """Gain of the fixed-gain error, in the unit of the output; None before the pilot."""
        gain = float(self._array("gain"))
        return None if np.isnan(gain) else gain

    @property
    def pilot(self) -> Pilot | None:
        """None before it was measured, and in records of schema version 1, whose pilots were single flips."""
        rows = self._rows["pilot/mask"]
        if not rows or self.gain is None:
            return None
        masks = np.unpackbits(self._file["pilot/mask"][:rows], axis=1, count=self.neurons).astype(np.bool_)
        return Pilot(masks, self._file["pilot/output"][:rows], self._file["pilot/replay"][:rows])

    @property
    def responses(self) -> NDArray[np.float32] | None:
        """(N, T) what each mirror adds to the output, by the pilot; None where it was not kept."""
        return self._array("pilot/response") if self._rows["pilot/response"] else None

    @property
    def amplitudes(self) -> NDArray[np.float64] | None:
        """(N,) standard deviation of each response over time; None before the pilot."""
        return self._array("pilot/amplitude") if self._rows["pilot/amplitude"] else None

    @property
    def prediction(self) -> dict[str, Any] | None:
        """What was predicted before learning, as `docs/record-format.md` has it; None before the pilot."""
        return self._parsed("prediction", self._text("prediction")) if self._rows["prediction"] else None

    @property
    def reference_replay(self) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
        """(S, N) what the camera saw of each neuron, counts without light subtracted, and (2,) the rms between replays.

        None before it, and for reservoirs too large to keep it.
        """
        states = self._rows["rehearsal/signals"]
        if not states or self._rows["rehearsal/spread"] < 2:
            return None
        return self._file["rehearsal/signals"][:states], self._file["rehearsal/spread"][:2]

    @property
    def drift(self) -> dict[str, NDArray[Any]]:
        """Every measurement of the reference mask (D,), by name; `output` is (D, T). Empty where there was none."""
        names = [column.name for column in drift_columns(self.steps)[:-1]]
        rows = self._rows[names[0]]
        return {name.removeprefix("drift/"): self._file[name][:rows] for name in names} if rows else {}

    @property
    def preparations(self) -> list[dict[str, Any]]:
        """What was measured before the run, and again before each continuation."""
        return self._lines("preparation")

    @property
    def final_mask(self) -> NDArray[np.bool_] | None:
        """(N,) the incumbent at the end; None before it."""
        return self._array("masks/final") if self._rows["masks/final"] else None

    @property
    def train_output(self) -> NDArray[np.float32] | None:
        """(T,) output of the training part under the final mask; None before it was measured."""
        return self._array("train/output") if self._rows["train/output"] else None

    @property
    def test_output(self) -> NDArray[np.float32] | None:
        """(S,) output of the test part under the final mask; None before it was measured."""
        return self._array("test/output") if self._rows["test/output"] else None

    @property
    def result(self) -> dict[str, Any] | None:
        """What the run came to; None before its end."""
        return self._parsed("result", self._text("result")) if self._rows["result"] else None

    # --- growing ------------------------------------------------------------------------------------------------
    @property
    def epochs(self) -> EpochTable:
        return EpochTable(self._file, self._rows["epochs/time"])

    @property
    def log(self) -> list[LogLine]:
        return [LogLine.of(line) for line in self._lines("log")]

    @property
    def faults(self) -> list[Fault]:
        return [Fault.of(line) for line in self._lines("faults")]

    @property
    def states(self) -> list[RunState]:
        """All the states the writer went through, as it wrote them."""
        return [RunState.of(line) for line in self._lines("state")]

    @property
    def state(self) -> RunState:
        """The present one."""
        last = self.states[-1]
        if last.name == "running" and not is_being_written(self.path):
            return RunState("interrupted", "The program ended without closing the record.", last.unix_s, last.epochs)
        return last

    @property
    def checkpoint_epochs(self) -> NDArray[np.int64]:
        """(C,) after how many epochs there is a checkpoint."""
        epochs: NDArray[np.int64] = self._file["checkpoints/epochs"][: self._rows["checkpoints/epochs"]]
        return epochs[[row for row, _, _ in self._checkpoint_places]]

    @property
    def _checkpoint_places(self) -> list[tuple[int, int, int]]:
        return checkpoint_places(self._file, self._rows["checkpoints/epochs"])

    def checkpoint(self, index: int = -1) -> Checkpoint:
        """One of the checkpoints, by default the last. Raises IndexError when there is none."""
        row, start, stop = self._checkpoint_places[index]
        state = self._file["checkpoints/bytes"][start:stop].tobytes()
        return Checkpoint(int(self._file["checkpoints/epochs"][row]), state)

    # --- derived ------------------------------------------------------------------------------------------------
    def incumbent_errors(self, loss: Loss | None = None) -> Floats:
        """(K,) error of the incumbent after each epoch, by its latest measurement; NaN before there is one.

        loss: by default the error that decided.
        """
        return self.epochs.incumbent_errors(loss or self.loss)

    def last_mask(self) -> tuple[NDArray[np.bool_], str]:
        """(N,) the final mask, otherwise the incumbent so far, and which it is: final, incumbent or initial."""
        if self.final_mask is not None:
            return self.final_mask, "final"
        measured_at = self.epochs.incumbent_epochs()
        if not len(measured_at) or measured_at[-1] < 0:
            return self.initial_mask, "initial"
        return self.mask(int(measured_at[-1])), "incumbent"

    @property
    def seal(self) -> str | None:
        """SHA-256 of the seal, which holds a hash of every dataset; None where the writer did not close the record."""
        return seal_sha256(self._text(SEAL)) if self._rows[SEAL] else None

    def unsealed_datasets(self) -> list[str]:
        """Names of the datasets whose content is not what it was when the record was closed; none without a seal."""
        return unsealed(self._file, self._rows, self._text(SEAL)) if self._rows[SEAL] else []

    @property
    def is_checkable(self) -> bool:
        """Whether every part has a hash or a checksum; records that were begun by early versions have none."""
        return "epochs/checksum" in self._file

    def changes(self) -> Iterator[Change]:
        """Where content is not what was written: by the seal, if there is one, and by the checksums of every part."""
        for name in self.unsealed_datasets():
            yield Change(name, None, f"/{name} is not what it was when the record was closed.")
        hashes: dict[str, str] = self.metadata.get("content_sha256", {}) | (self.prediction or {}).get(
            "content_sha256", {}
        )
        for name, digest in hashes.items():
            if name in self._file and content_sha256(self._file[name][()]) != digest:
                yield Change(name, None, f"/{name} is not what was written before learning.")
        if self.is_checkable:
            yield from self._changed_text()
            yield from self._changed_rows(epoch_columns(self.neurons, self.steps))
            yield from self._changed_rows(drift_columns(self.steps))

    def _changed_rows(self, table: Sequence[Growing]) -> Iterator[Change]:
        name, rows = table[-1].name, self._rows[table[-1].name]
        differs = np.flatnonzero(checksums_of(self._file, table, rows) != self._file[name][:rows])
        if len(differs):
            text = f"/{name} differs from that of the row in {len(differs)} rows, first in row {differs[0]}."
            yield Change(name, int(differs[0]), text)

    def _changed_text(self) -> Iterator[Change]:
        for name in ("metadata", "prediction", "result"):
            text = self._file[name][()] if name == "metadata" else self._text(name)
            if text and not is_sound(text):
                yield Change(name, None, f"/{name} does not agree with its checksum.")
        for name in (column.name for column in JOURNALS):
            for number, line in enumerate(split_lines(self._text(name)), 1):
                if not is_sound(line):
                    yield Change(name, None, f"/{name} does not agree with its checksum in line {number}.")

    def mask(self, epoch: int) -> NDArray[np.bool_]:
        """(N,) mask shown in an epoch."""
        return self.epochs[epoch].mask

    # --- how ----------------------------------------------------------------------------------------------------
    def _array(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = self._file[name][()]
        return array

    def _text(self, name: str) -> bytes:
        rows = self._rows[name]
        return bytes(self._file[name][:rows]) if rows else b""

    def _json(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = self._parsed(name, self._file[name][()])
        return value

    def _lines(self, name: str) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self._parsed(name, self._text(name), read_lines)
        return lines

    def _parsed(self, name: str, text: bytes, parse: Callable[[bytes], Any] = read_object) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"/{name} holds no JSON: {error}") from error
