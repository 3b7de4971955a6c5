"""The plot of a calibration, for files and for the window."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from labcontrol.calibration.procedure import Figure
from labcontrol.calibration.procedures import PROCEDURES
from labcontrol.calibration.result import Calibration


def draw_calibration(calibration: Calibration, figure: Figure) -> None:
    """Fill a figure with what was measured, its verdict above."""
    figure.clear()
    verdict = "passed" if calibration.passed else "FAILED: " + "; ".join(calibration.outcome.failures)
    when = datetime.fromtimestamp(calibration.measured_unix_s)
    if calibration.outcome.arrays:
        PROCEDURES[calibration.kind].draw(calibration, figure)
    figure.suptitle(
        f"{calibration.kind}, {when:%Y-%m-%d %H:%M}: {verdict}",
        fontsize="medium",
        color="black" if calibration.passed else "tab:red",
        wrap=True,
    )


def save_calibration_figure(calibration: Calibration, path: Path) -> Path:
    """Save the figure as PNG; returns its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    draw_calibration(calibration, figure)
    figure.savefig(path, dpi=110)
    return path
