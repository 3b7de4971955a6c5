"""Figures without a display: made, shown by notebooks, and written to files."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
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
    printers = {".png": _print_png, ".svg": _print_svg, ".pdf": _print_pdf}
    if path.suffix not in printers:
        raise UserError(f"{path} is no name for a figure.", "Use .png, .svg or .pdf.")
    try:
        printers[path.suffix](figure, path)
        figure.set_layout_engine("none")  # laid out once, for all its files
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error


# `Figure.savefig` draws twice, the first time in vain: a run of a second would wait for its figures longer than that.
def _print_png(figure: Figure, path: Path) -> None:
    before, figure.dpi = figure.dpi, _DPI
    try:
        FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]
    finally:
        figure.dpi = before


def _print_svg(figure: Figure, path: Path) -> None:
    FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})  # type: ignore[no-untyped-call]


def _print_pdf(figure: Figure, path: Path) -> None:
    FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})  # type: ignore[no-untyped-call]
