"""Figures without a display: made, shown by notebooks, and written to files."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from labcontrol.errors import UserError

_DPI = 150


class _NotebookFigure(Figure):
    """A figure that a notebook shows as the value of a cell, without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI // 2)
        return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    figure = _NotebookFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure, the same bytes for the same run. Raises UserError where that is not possible."""
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    if path.suffix not in (".png", *dates):
        raise UserError(f"{path} is no name for a figure.", "Use .png, .svg or .pdf.")
    try:
        figure.savefig(path, dpi=_DPI, metadata=dates.get(path.suffix))
        figure.set_layout_engine("none")  # laid out once; further files are drawn in half the time
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error
