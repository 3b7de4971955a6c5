"""The incumbent's error over wall time, with what happened to the run."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labcontrol.analysis.plots.axes_content import PALETTE, Palette, thinned
from labcontrol.analysis.plots.figure_files import new_figure
from labcontrol.errors import UserError
from labcontrol.records import RETRIED, RunReader

_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def timeline_figure(run: RunReader) -> Figure:
    """Raises UserError for a run without an epoch."""
    if not len(run.epochs):
        raise UserError(f"{run.path} has no epoch yet, so there is nothing to draw.", "Wait for the first one.")
    figure = new_figure(10, 3)
    draw_timeline(figure.subplots(), run)
    return figure


def draw_timeline(axes: Axes, run: RunReader, palette: Palette = PALETTE) -> None:
    """Loss of the incumbent over wall time, with every fault, retry and continuation."""
    incumbent, begun_s = run.incumbent_errors(), run.states[0].unix_s
    since_s = run.epochs.unix_s - begun_s
    unit_s, unit = next((u for u in _UNITS if since_s[-1] > 2 * u[0]), _UNITS[-1])
    k = thinned(len(since_s))
    colour = palette.curves["incumbent"]
    axes.plot(since_s[k] / unit_s, incumbent[k], color=colour, lw=1.8, drawstyle="steps-post")
    for fault in run.faults:
        colour, width = (palette.muted, 0.7) if fault.kind == RETRIED else (palette.danger, 1.4)
        axes.axvline((fault.unix_s - begun_s) / unit_s, color=colour, lw=width, alpha=0.7, zorder=1)
    for state in run.states:
        if state.reason == "continued":
            axes.axvline((state.unix_s - begun_s) / unit_s, color=palette.text, lw=1.2, ls="--", zorder=1)
    if np.nanmin(incumbent) > 0:
        axes.set_yscale("log")
    axes.set_xlabel(f"{unit} since the record was begun")
    axes.set_ylabel(f"error ({run.loss})")
    axes.grid(alpha=0.25)
