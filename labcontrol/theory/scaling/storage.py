"""A study on disk: study.h5 with everything, cells.csv with the figures of all cells.

The file is written anew beside the old one and put in its place, so that it is whole at every moment. What other
programs added to it meanwhile is kept.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from labcontrol.errors import UserError
from labcontrol.theory.scaling.cells import Cell, CellResult
from labcontrol.theory.scaling.study import Study

STUDY_FILE = "study.h5"
CELLS_FILE = "cells.csv"

_FORMAT = 1
_FIGURES = ("tau", "tau_low", "tau_high", "r2", "k5", "k1e", "start", "floor")
_CELL = np.dtype(
    [("neurons", "i8"), ("seed", "i8"), ("selection", "S32"), ("loss", "S8"), *((name, "f8") for name in _FIGURES)]
)


def load_study(directory: Path) -> Study:
    """Read the study in a folder, also while it is being made. Raises UserError where there is none."""
    path = Path(directory) / STUDY_FILE
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("labcontrol_study") != _FORMAT:
                raise UserError(f"{path} is no scaling study that this version can read.")
            table, curves, law3 = file["cells"][()], file["curves"][()], file["law3"][()]
            settings, points = json.loads(file.attrs["settings"]), file["grid"][()]
    except FileNotFoundError:
        raise UserError(f"There is no study in {directory}.", "'labcontrol scaling --output DIR' makes one.") from None
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a scaling study: {error}.", "Move it away to begin anew.") from error
    results = tuple(
        CellResult(
            Cell(int(row["neurons"]), int(row["seed"]), row["selection"].decode(), row["loss"].decode()),
            **{name: float(row[name]) for name in _FIGURES},
            curve=curve,
            law3=predicted,
        )
        for row, curve, predicted in zip(table, curves, law3, strict=True)
    )
    return Study(settings, points, results)


def save_study(study: Study, directory: Path) -> Study:
    """Write study and table. Returns the study with what the folder held besides. Raises UserError.

    A folder with a study of other settings is not touched.
    """
    path = directory / STUDY_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if path.exists():
            study = merged(load_study(directory), study, directory)
        _write(study, path)
        _write_table(study, directory / CELLS_FILE)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written: {error.strerror or error}.", "Choose another folder."
        ) from error
    return study


def merged(old: Study, new: Study, directory: Path) -> Study:
    """Cells of both, the new ones where both have them. Raises UserError if their settings differ."""
    differing = sorted(_differences(old.settings, new.settings))
    if differing:
        raise UserError(
            f"{directory} holds a study with other settings: {', '.join(differing)}.",
            "Choose another folder, or the same settings to continue it.",
        )
    kept = [result for result in old.results if result.cell not in new.cells]
    return Study(new.settings, new.grid, tuple(sorted([*kept, *new.results], key=lambda result: result.cell)))


def _write(study: Study, path: Path) -> None:
    table = np.array(
        [
            (r.cell.neurons, r.cell.seed, r.cell.selection, r.cell.loss, *(getattr(r, name) for name in _FIGURES))
            for r in study.results
        ],
        dtype=_CELL,
    )
    shape = (len(study.results), len(study.grid))
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with h5py.File(part, "w") as file:
            file.attrs["labcontrol_study"] = _FORMAT
            file.attrs["settings"] = json.dumps(study.settings)
            file["grid"] = study.grid
            file["cells"] = table
            for name, rows in (("curves", [r.curve for r in study.results]), ("law3", [r.law3 for r in study.results])):
                file.create_dataset(name, data=np.reshape(rows, shape))
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _write_table(study: Study, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["states", *Cell._fields, *_FIGURES])
        for result in study.results:
            writer.writerow([study.states, *result.cell, *(f"{getattr(result, name):.8g}" for name in _FIGURES)])


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    """In words: name, what it was, what is asked."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            text
            for key in sorted({*old, *new})
            for text in _differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if old == new else [f"{name} was {old}, asked for {new}"]
