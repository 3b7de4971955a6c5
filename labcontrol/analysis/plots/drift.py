"""How the table drifted during a run, as far as it was watched."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labcontrol.analysis.plots.axes_content import EPOCH, PALETTE, Palette
from labcontrol.analysis.plots.figure_files import new_figure
from labcontrol.engine.drift_correction import reference_gain
from labcontrol.errors import UserError
from labcontrol.records import RunReader


def drift_figure(run: RunReader) -> Figure:
    """Raises UserError for a run whose drift was not watched."""
    if not run.drift:
        raise UserError(f"The drift of {run.path} was not watched.", "Set drift.every_epochs in the experiment.")
    figure = new_figure(10, 3)
    draw_drift(figure.subplots(), run)
    return figure


def draw_drift(axes: Axes, run: RunReader, palette: Palette = PALETTE) -> None:
    """Gain of the reference mask's output, the camera's light and the laser's power over the epochs, in per cent."""
    drift, (at, gain) = run.drift, reference_gain(run)
    lines = (
        (gain, palette.curves["incumbent"], "gain of the reference's output"),
        (drift["light"], palette.curves["prediction"], "light at the camera"),
        (drift["power"], palette.text, "laser's own meter"),
    )
    for values, colour, label in lines:
        axes.plot(at, 100 * (values - 1), ".-", color=colour, label=label)
    axes.set_xlabel(EPOCH)
    axes.set_ylabel("change (%)")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
