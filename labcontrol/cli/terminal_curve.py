"""Falling curves drawn with the dots of Braille characters, eight to a character."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from labcontrol.formatting import rounded

Floats = NDArray[np.float64]

_BRAILLE = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # (row, column) of a character
_LABEL_WIDTH = 9


@dataclass(frozen=True)
class Line:
    """x (K,) rising, y (K,) positive where it is to be seen; style: of Rich. The last lines lie on top."""

    x: Floats
    y: Floats
    style: str


def curve_text(lines: Sequence[Line], x_end: float, width: int, height: int) -> Text:
    """Lines over 0 to x_end in so many characters, with a logarithmic axis for y whose limits are the last line's.

    A line without a positive value is left out.
    """
    columns, rows = 2 * max(width - _LABEL_WIDTH - 1, 8), 4 * max(height - 1, 3)
    low, high = _limits(lines[-1].y)
    dots = np.zeros((rows, columns), dtype=np.bool_)
    owner = np.full((rows // 4, columns // 2), -1)
    for number, line in enumerate(lines):
        drawn = _dots(line, x_end, math.log10(low), math.log10(high), rows, columns)
        dots |= drawn
        owner[_cells(drawn) > 0] = number
    characters = _cells(dots)
    text = Text(no_wrap=True)
    for row in range(rows // 4):
        text.append(_label(row, rows // 4, low, high), style="dim")
        for cell, number in zip(characters[row], owner[row], strict=True):
            text.append(chr(_BRAILLE + int(cell)), style=lines[number].style if number >= 0 else "")
        text.append("\n")
    end = f"{x_end:.0f} epochs"
    text.append(" " * (_LABEL_WIDTH + 1) + "0" + end.rjust(columns // 2 - 1), style="dim")
    return text


def _dots(line: Line, x_end: float, low: float, high: float, rows: int, columns: int) -> NDArray[np.bool_]:
    """(rows, columns) the line, without gaps where it is steep."""
    dots = np.zeros((rows, columns), dtype=np.bool_)
    seen = np.isfinite(line.y) & (line.y > 0)
    if not seen.any():
        return dots
    x, y = line.x[seen], np.log10(line.y[seen])
    at = np.linspace(0, max(x_end, 1e-9), columns)
    drawn = np.flatnonzero((at >= x[0]) & (at <= max(float(x[-1]), x_end / columns)))
    levels = y[np.clip(np.searchsorted(x, at[drawn], side="right") - 1, 0, len(y) - 1)]
    places = np.round((high - levels) / max(high - low, 1e-9) * (rows - 1)).astype(np.int64)
    before = places[:1].tolist() + places[:-1].tolist()
    for column, place, previous in zip(drawn.tolist(), places.tolist(), before, strict=True):
        top, bottom = sorted((place, previous))
        dots[max(top, 0) : max(bottom + 1, 0), column] = True
    return dots


def _cells(dots: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(rows / 4, columns / 2) what the dots of each character add up to."""
    rows, columns = dots.shape
    blocks = dots.reshape(rows // 4, 4, columns // 2, 2)
    return np.asarray(np.einsum("rdce,de->rc", blocks, _DOTS))


def _limits(y: Floats) -> tuple[float, float]:
    seen = y[np.isfinite(y) & (y > 0)]
    if not seen.size:
        return 0.1, 1.0
    low, high = float(seen.min()), float(seen.max())
    return low / 1.3, max(high * 1.15, 1.5 * low)


def _label(row: int, rows: int, low: float, high: float) -> str:
    """A value at the top, in the middle, at the bottom."""
    if row not in (0, rows // 2, rows - 1):
        return " " * _LABEL_WIDTH + "│"
    share = row / (rows - 1)
    return rounded(high ** (1 - share) * low**share).rjust(_LABEL_WIDTH - 1) + " ┤"
