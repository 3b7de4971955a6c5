"""A user's own sequence from a CSV file, as spreadsheets and instruments write them, and what was made of it."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labcontrol.errors import UserError
from labcontrol.tasks.series import Series, one_step_ahead
from labcontrol.whole_files import read_text

_MOST_BYTES = 64 << 20
_SHOWN = 3  # values that are said

Line = tuple[int, list[str]]


def read_series(path: Path) -> Series:
    """One column: its next value is the target. Two columns: input and target, step by step.

    Columns are separated by commas, or by semicolons or tabs; then numbers may have decimal commas. A first line of
    column names is skipped. Raises UserError that names the line and column of what is wrong, also where a file can
    be read in two ways.
    """
    separator, lines = _lines(path)
    names = lines[0][1] if lines and all(_number(cell, separator) is None for cell in lines[0][1]) else None
    lines = lines[1:] if names is not None else lines
    if not lines:
        raise UserError(f"{path} holds no numbers.", "Expected one column (series) or two (input, target).")
    if separator == "," and names is not None and len(names) == 1 and all(len(row) == 2 for _, row in lines):
        separator, lines = ";", [(number, [",".join(row)]) for number, row in lines]  # one column with decimal commas
    values = np.array([_row(path, number, row, len(lines[0][1]), separator) for number, row in lines])
    two = values.shape[1] == 2
    if two:
        _refuse_what_has_two_meanings(path, values, lines, separator, named=names is not None)
    kind = "two columns, input and target" if two else "one column, whose next value is the target"
    understood = f"{kind}; {len(values)} rows; {_first('input', values[:, 0])}"
    understood += f"; {_first('target', values[:, 1])}" if two else ""
    understood += f"; names {', '.join(cell.strip() for cell in names)}" if names is not None else ""
    series = Series(values[:, 0].copy(), values[:, 1].copy()) if two else one_step_ahead(values[:, 0])
    return Series(series.input, series.target, understood)


def _lines(path: Path) -> tuple[str, list[Line]]:
    """The separator, and the lines that are not empty, with their numbers."""
    try:
        text = read_text(path, _MOST_BYTES)
        separator = next((mark for mark in ";\t" if mark in text), ",")
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return separator, [(number, row) for number, row in enumerate(rows, start=1) if any(map(str.strip, row))]
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Give a file of numbers.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV text: {error}.", "Save it as UTF-8.") from None


def _refuse_what_has_two_meanings(
    path: Path, values: NDArray[np.float64], lines: list[Line], separator: str, *, named: bool
) -> None:
    """Decimal commas that look like two columns, and a column that only counts rows."""
    if separator == "," and not named and all(cell.strip().lstrip("+-").isdigit() for _, row in lines for cell in row):
        example = ",".join(lines[0][1])
        raise UserError(
            f"{path} can be read in two ways: {example} is one number with a decimal comma, or two whole numbers.",
            "Write decimal points, separate columns by semicolons, or name the columns in a first line.",
        )
    if len(values) > 2 and values[0, 0] in (0, 1) and (np.diff(values[:, 0]) == 1).all():
        raise UserError(
            f"The first column of {path} counts the rows ({values[0, 0]:g}, {values[1, 0]:g}, {values[2, 0]:g}, ...).",
            "Remove it: two columns are input and target.",
        )


def _row(path: Path, number: int, row: list[str], columns: int, separator: str) -> list[float]:
    if len(row) != columns or columns > 2:
        raise UserError(
            f"{path}, line {number}: found {len(row)} columns.",
            "Every line should have one number (series) or two (input, target), separated by a comma or semicolon.",
        )
    numbers = []
    for column, cell in enumerate(row, start=1):
        value = _number(cell, separator)
        if value is None or not math.isfinite(value):
            raise UserError(
                f"{path}, line {number}, column {column}: expected a finite number, found {cell.strip()[:40]!r}.",
                "Fill or remove gaps before the run: the reservoir needs every step.",
            )
        numbers.append(value)
    return numbers


def _number(cell: str, separator: str) -> float | None:
    try:
        return None if "_" in cell else float(cell if separator == "," else cell.replace(",", "."))
    except ValueError:
        return None


def _first(what: str, values: NDArray[np.float64]) -> str:
    return f"{what} {', '.join(f'{value:g}' for value in values[:_SHOWN])}, ..."
