"""The figures of a run by name. A new one is a module with a function that draws a run, and an entry here."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from labcontrol.errors import UserError
from labcontrol.records import RunReader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUN_FIGURES = {
    "run": "labcontrol.analysis.plots.run_figure:run_figure",
    "timeline": "labcontrol.analysis.plots.timeline:timeline_figure",
    "drift": "labcontrol.analysis.plots.drift:drift_figure",
}
"""Module and function of each; functions take a `RunReader` and raise UserError where there is nothing to draw."""


def draw_run(run: RunReader, name: str = "run") -> Figure:
    """One of the figures of a run, finished or not. Raises UserError."""
    if name not in RUN_FIGURES:
        raise UserError(f"There is no figure {name!r} of a run.", f"Known: {', '.join(RUN_FIGURES)}.")
    module, _, function = RUN_FIGURES[name].partition(":")
    figure: Figure = getattr(import_module(module), function)(run)  # Matplotlib takes long to import
    return figure


def save_run_figure(run: RunReader, paths: Iterable[Path], name: str = "run") -> None:
    """Draw one of the figures of a run to .png, .svg or .pdf files. Raises UserError."""
    from labcontrol.analysis.plots.figure_files import write_figure

    figure = draw_run(run, name)
    for path in paths:
        write_figure(figure, path)
