"""The epochs of a run as a table for other programs: CSV, JSON or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labcontrol.errors import UserError
from labcontrol.records.json_text import to_json
from labcontrol.records.reader import RunReader
from labcontrol.whole_files import replacing

Columns = Mapping[str, NDArray[np.generic]]


def epoch_columns(run: RunReader) -> dict[str, NDArray[np.generic]]:
    """(K,) arrays by name: what was decided in each epoch and how good the incumbent was after it."""
    epochs = run.epochs
    return {
        "epoch": np.arange(len(epochs)),
        "replay": epochs.replay,
        "mirror": epochs.mirror,
        "accepted": epochs.accepted,
        "mse": epochs.mse,
        "nmse": epochs.nmse,
        "incumbent_mse": epochs.incumbent_errors("mse"),
        "incumbent_nmse": epochs.incumbent_errors("nmse"),
        "unix_s": epochs.unix_s,
        "bench_s": epochs.bench_s,
    }


def export_epochs(run: RunReader, path: Path, more: Columns | None = None) -> None:
    """Write the table of epochs; the suffix decides the format: .csv, .json or .parquet.

    more: (K,) columns beside those of `epoch_columns`.

    JSON also holds configuration, metadata and result. Raises UserError for another suffix, a place that cannot be
    written, or Parquet without the package pyarrow.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise UserError(f"{path} has no known suffix.", f"Use one of {', '.join(_WRITERS)}.")
    try:
        with replacing(path) as partial:
            write(run, partial, epoch_columns(run) | dict(more or {}))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error


def _write_csv(_run: RunReader, path: Path, columns: Columns) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def _write_json(run: RunReader, path: Path, columns: Columns) -> None:
    content = {"config": run.config, "metadata": run.metadata, "result": run.result, "epochs": columns}
    path.write_text(to_json(content) + "\n", encoding="utf-8")


def _write_parquet(run: RunReader, path: Path, columns: Columns) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            "Parquet needs the package pyarrow, which is not installed.",
            "Install it (pip install pyarrow), or export to .csv or .json.",
        ) from None
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    parquet.write_table(table.replace_schema_metadata({"config": to_json(run.config)}), path)


_WRITERS: dict[str, Callable[[RunReader, Path, Columns], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
}

TABLES = tuple(_WRITERS)
"""Suffixes that `export_epochs` knows."""
