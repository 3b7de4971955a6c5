"""The pictures of a report, as text to put into a page: curves as SVG in the page's own colours, masks as PNG."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from labcontrol.analysis.curve_facts import MEASURED, MODELS
from labcontrol.analysis.plots.axes_content import (
    EPOCH,
    Palette,
    draw_learning,
    draw_output,
    draw_ratios,
    shown_output,
    standardised_output,
    thinned,
)
from labcontrol.analysis.plots.drift import draw_drift
from labcontrol.analysis.plots.timeline import draw_timeline
from labcontrol.analysis.run_models import RunModels
from labcontrol.records import RunReader

Floats = NDArray[np.float64]

# Colours that no figure has otherwise; in the page they become its variables, so that one drawing serves day and night.
_VARIABLES = ("--text", "--muted", "--border", "--danger", *(f"--{key}" for key in (*MEASURED, *MODELS)))
_COLOUR = {variable: f"#0a0b{number:02x}" for number, variable in enumerate(_VARIABLES, start=1)}

EACH = "#79a9cc"
"""Colour of single epochs, on any ground."""

PALETTE = Palette(
    # Dots may be drawn as an image, which cannot follow the page: a tone that stands on white and on black.
    curves={key: _COLOUR[f"--{key}"] for key in (*MEASURED, *MODELS)} | {"each": EACH},
    text=_COLOUR["--text"],
    muted=_COLOUR["--muted"],
    danger=_COLOUR["--danger"],
)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "font.size": 10.5,
    "text.color": _COLOUR["--text"],
    "axes.labelcolor": _COLOUR["--muted"],
    "axes.edgecolor": _COLOUR["--border"],
    "xtick.color": _COLOUR["--border"],
    "ytick.color": _COLOUR["--border"],
    "xtick.labelcolor": _COLOUR["--muted"],
    "ytick.labelcolor": _COLOUR["--muted"],
    "grid.color": _COLOUR["--muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def learning_svg(run: RunReader, models: RunModels) -> str:
    """Loss against all models, its ratio to them below where there are any."""
    if not models.shown:
        with _figure(10, 4.2) as (figure, finished):
            axes = figure.subplots()
            draw_learning(axes, run, models, PALETTE)
            axes.set_xlabel(EPOCH)
            return finished()
    with _figure(10, 5.6) as (figure, finished):
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        draw_learning(above, run, models, PALETTE)
        above.tick_params(labelbottom=False)
        draw_ratios(below, models, PALETTE)
        return finished()


def output_svg(run: RunReader) -> tuple[str, str]:
    """Output and target over the first steps and against each other, and a word of which part it is."""
    output, target, part = shown_output(run)
    with _figure(10, 3.1) as (figure, finished):
        over_time, against = figure.subplots(1, 2, width_ratios=(3, 1))
        draw_output(over_time, output, target, PALETTE)
        _draw_against(against, standardised_output(output), target)
        return finished(), part


def timeline_svg(run: RunReader) -> str:
    """Loss of the incumbent over wall time, with every fault, retry and continuation."""
    with _figure(10, 2.4) as (figure, finished):
        draw_timeline(figure.subplots(), run, PALETTE)
        return finished()


def drift_svg(run: RunReader) -> str:
    """How the table drifted over the epochs, in per cent."""
    with _figure(10, 2.6) as (figure, finished):
        draw_drift(figure.subplots(), run, PALETTE)
        return finished()


def mask_png(mask: NDArray[np.bool_]) -> str:
    """Address of an image of a mask (N,): white is on."""
    return _address(np.where(_square(mask.astype(np.float64), 0.5) > 0.5, 235, 25))


def change_png(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> str:
    """Address of an image of what was switched on (orange), off (blue), or left (grey) between two masks (N,)."""
    change = _square(after.astype(np.float64) - before.astype(np.float64), 0.0)
    picture = np.full((*change.shape, 3), 128, dtype=np.uint8)
    picture[change > 0] = (213, 94, 0)
    picture[change < 0] = (0, 114, 178)
    return _address(picture)


def visits_png(mirrors: NDArray[np.int64], neurons: int) -> str:
    """Address of an image of how often each mirror was tried: black never, white most often."""
    counts = np.bincount(mirrors[mirrors >= 0], minlength=neurons)[:neurons].astype(np.float64)
    return _address(_square(255 * counts / max(counts.max(), 1), 0.0))


def _draw_against(axes: Axes, output: Floats, target: Floats) -> None:
    k = thinned(len(target), 1000)
    ends = [float(target.min()), float(target.max())]
    axes.plot(ends, ends, color=PALETTE.text, lw=1, alpha=0.6)
    axes.plot(target[k], output[k], ".", ms=3, color=PALETTE.curves["incumbent"], alpha=0.6)
    axes.set_xlabel("target")
    axes.set_ylabel("output")
    axes.grid(alpha=0.25)


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, Callable[[], str]]]:
    """A figure of so many inches in the page's style, and what makes text of it."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, lambda: _page_svg(figure)


def _page_svg(figure: Figure) -> str:
    buffer = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", dpi=150, transparent=True, metadata=metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]  # no XML header, and none of its addresses, inside a page
    text = re.sub(r'\s(xmlns(:\w+)?|width|height|version)="[^"]*"', "", text, count=5)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # names that every figure has would stand in the page twice
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL).replace("xlink:href", "href")
    for variable, token in _COLOUR.items():
        text = text.replace(token, f"var({variable})")
    return text


def _square(values: Floats, empty: float) -> Floats:
    """(N,) as the square they fill; what is left of the last rows is empty."""
    side = math.isqrt(len(values) - 1) + 1
    cells = np.full(side * side, empty)
    cells[: len(values)] = values
    return cells.reshape(side, side)


def _address(pixels: NDArray[np.generic]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
