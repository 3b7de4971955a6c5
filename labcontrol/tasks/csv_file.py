"""A user's own sequence from a CSV file."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from labcontrol.errors import UserError
from labcontrol.tasks.series import Series, one_step_ahead


def read_series(path: Path) -> Series:
    """One column: its next value is the target. Two columns: input and target, step by step.

    A first line of column names is skipped. Raises UserError that names the line and column of what is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(map(str.strip, row))]
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV text: {error}.") from None
    if lines and all(_number(cell) is None for cell in lines[0][1]):
        lines = lines[1:]
    if not lines:
        raise UserError(f"{path} holds no numbers.", "Expected one column (series) or two (input, target).")
    values = np.array([_row(path, number, row, len(lines[0][1])) for number, row in lines])
    if values.shape[1] == 1:
        return one_step_ahead(values[:, 0])
    return Series(values[:, 0].copy(), values[:, 1].copy())


def _row(path: Path, number: int, row: list[str], columns: int) -> list[float]:
    if len(row) != columns or columns > 2:
        raise UserError(
            f"{path}, line {number}: found {len(row)} columns.",
            "Every line should have one number (series) or two (input, target), separated by a comma.",
        )
    numbers = []
    for column, cell in enumerate(row, start=1):
        value = _number(cell)
        if value is None or not math.isfinite(value):
            raise UserError(
                f"{path}, line {number}, column {column}: expected a finite number, found {cell.strip()!r}.",
                "Fill or remove gaps before the run: the reservoir needs every step.",
            )
        numbers.append(value)
    return numbers


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
