"""The items of the learning plot, each drawing one thing at the resolution of the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import Qt

from labcontrol.analysis.curve_facts import MEASURED, MODELS, LineStyle
from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.gui.learning.axes import Scales, round_up
from labcontrol.gui.learning.data import LearningData, ranges, steps
from labcontrol.gui.shared.theme import LIGHT, Theme

Floats = NDArray[np.float64]

_NONE: Floats = np.empty(0)
_MOST_DECADES = 1.0
_DOT_PX = 3.2
_NAME_LENGTH = 34

_PENS = {
    LineStyle.SOLID: Qt.PenStyle.SolidLine,
    LineStyle.DASHED: Qt.PenStyle.DashLine,
    LineStyle.DASH_DOT: Qt.PenStyle.DashDotLine,
    LineStyle.DASH_DOT_DOT: Qt.PenStyle.DashDotDotLine,
    LineStyle.DOTTED: Qt.PenStyle.DotLine,
}
LINES = {key: _PENS[facts.line] for key, facts in MODELS.items() if facts.line is not None}
"""How the line of each model is broken."""


def curve_colours(theme: Theme) -> dict[str, str]:
    """By the key of the curve."""
    facts = (MEASURED | MODELS).items()
    return {key: curve.dark if theme.name == "dark" else curve.light for key, curve in facts}


@dataclass(frozen=True)
class Window:
    """What is visible. columns: (P,) rising edges of stretches of two pixels, as drawn. hidden: curves not to draw."""

    scales: Scales
    columns: Floats
    hidden: set[str]

    def edges(self, run: LearningData) -> Floats:
        """(P,) epochs of a run at the edges of stretches of two pixels."""
        return self.scales.epochs(run, self.columns)


class MeasuredCurves:
    """Each epoch as a faint dot or stroke, and the incumbent's error as a line."""

    def __init__(self, plot: Any) -> None:
        # Dots of fixed size, and strokes from the lowest to the highest error where many epochs share a pixel.
        self.strokes = pg.PlotCurveItem(connect="pairs", antialias=False)
        self.dots = pg.ScatterPlotItem(pxMode=True, symbol="s", size=_DOT_PX, pen=None, antialias=False)
        self.incumbent = line(plot)
        for item in (self.strokes, self.dots):
            item.setZValue(-2)
            plot.addItem(item)

    def set_theme(self, theme: Theme) -> None:
        self.strokes.setPen(pg.mkPen(theme.each_epoch, width=2))
        self.dots.setBrush(pg.mkBrush(theme.each_epoch))
        self.incumbent.setPen(pg.mkPen(theme.accent, width=2.4))

    def draw(self, run: LearningData, loss: str, window: Window) -> tuple[Floats, Floats]:
        """Returns epochs and errors of the incumbent as drawn."""
        index = run.index
        # A logarithmic axis has no place for epoch 0.
        rows = slice(1 if window.scales.log_x and len(index) and index[0] == 0 else 0, None)
        edges = window.edges(run)
        self._draw_each(
            run, *ranges(index[rows], run.lowest(loss)[rows], run.highest(loss)[rows], edges), window=window
        )
        at, held = steps(index[rows], run.incumbent(loss)[rows], edges)
        shown = "incumbent" not in window.hidden
        draw_steps(self.incumbent, window.scales.x(run, at), window.scales.y(held), shown=shown)
        return at, held

    def _draw_each(self, run: LearningData, epochs: Floats, low: Floats, high: Floats, window: Window) -> None:
        if "each" in window.hidden:
            epochs = low = high = _NONE
        x, low, high = window.scales.x(run, epochs), window.scales.y(low), window.scales.y(high)
        single = low == high
        self.dots.setData(x[single], low[single])
        many = ~single
        self.strokes.setData(np.repeat(x[many], 2), np.stack([low[many], high[many]], axis=1).ravel())


class ModelLines:
    """The models, each with its own kind of line, some with their interval."""

    def __init__(self, plot: Any) -> None:
        self.bands = {key: Band(plot) for key in reversed(MODELS) if MODELS[key].shaded}
        self.lines = {key: line(plot) for key in reversed(LINES)}

    def set_theme(self, theme: Theme) -> None:
        colours = curve_colours(theme)
        for key, curve in self.lines.items():
            curve.setPen(pg.mkPen(colours[key], width=1.6 if MODELS[key].on_demand else 2, style=LINES[key]))
        for key, band in self.bands.items():
            band.set_colour(colours[key])

    def draw(self, run: LearningData, models: dict[str, ModelCurve], window: Window) -> None:
        epochs = window.scales.epochs(run, window.columns[::3])
        epochs = epochs[epochs >= 0]
        x = window.scales.x(run, epochs)
        for key, curve in self.lines.items():
            model = models.get(key)
            shown = model is not None and key not in window.hidden and len(x) > 0
            if model is not None and shown:
                valid = epochs <= model.until
                draw_line(curve, x[valid], window.scales.y(model.values(epochs[valid])))
            else:
                draw_line(curve, _NONE, _NONE)
            if key in self.bands:
                if model is not None and model.band is not None and shown:
                    low, high = model.band(epochs)
                    self.bands[key].set(x, window.scales.y(low), window.scales.y(high))
                else:
                    self.bands[key].clear()


@dataclass(frozen=True)
class Overlay:
    """Another run to compare with; it has at least one epoch."""

    name: str
    data: LearningData


class OverlayCurves:
    """The incumbents of other runs, thin and behind; their names stand above the plot."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self.overlays: list[Overlay] = []
        self.curves: list[Any] = []
        self._theme: Theme | None = None

    def set(self, overlays: Sequence[Overlay]) -> None:
        for curve in self.curves:
            self._plot.removeItem(curve)
        self.overlays = list(overlays)
        self.curves = [line(self._plot) for _ in overlays]
        for curve in self.curves:
            curve.setZValue(-1)
        if self._theme is not None:
            self.set_theme(self._theme)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        colours = [theme.overlays[i % len(theme.overlays)] for i in range(len(self.overlays))]
        for curve, colour in zip(self.curves, colours, strict=True):
            curve.setPen(pg.mkPen(colour, width=1.6))
        names = (
            f'<span style="color:{colour}">━ {escape(overlay.name[:_NAME_LENGTH])}</span>'
            for overlay, colour in zip(self.overlays, colours, strict=True)
        )
        self._plot.setTitle("&nbsp;&nbsp; ".join(names) or None, size="8pt")

    def draw(self, loss: str, window: Window) -> None:
        for overlay, curve in zip(self.overlays, self.curves, strict=True):
            run = overlay.data
            at, held = steps(run.index, run.incumbent(loss), window.edges(run))
            draw_steps(curve, window.scales.x(run, at), window.scales.y(held))


class Residual:
    """The incumbent against one of the models: their difference, or on a logarithmic axis their ratio."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self.band = Band(plot)
        self._theme, self._against = LIGHT, "prediction"
        self.zero = pg.InfiniteLine(0, angle=0)
        plot.addItem(self.zero)
        self.curve = line(plot)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.curve.setPen(pg.mkPen(theme.accent, width=1.6))
        self._show_model(self._against)

    def _show_model(self, key: str) -> None:
        """Zero and band look like the model that is subtracted."""
        self._against = key
        colour = curve_colours(self._theme)[key]
        self.zero.setPen(pg.mkPen(colour, width=1.4, style=LINES[key]))
        self.band.set_colour(colour)

    def draw(self, run: LearningData, at: Floats, held: Floats, model: ModelCurve | None, scales: Scales) -> None:
        if model is None or not len(at):
            draw_line(self.curve, _NONE, _NONE)
            self.band.clear()
            self.zero.hide()
            return
        self.zero.show()
        if model.key != self._against:
            self._show_model(model.key)
        x, expected = scales.x(run, at), model.values(at)
        difference = scales.against(held, expected)
        draw_line(self.curve, x, difference)
        finite = np.abs(difference[np.isfinite(difference)])
        reach = float(finite.max()) if finite.size else 0.0
        wanted = reach
        if model.band is None:
            self.band.clear()
        else:
            low, high = (scales.against(edge, expected) for edge in model.band(at))
            self.band.set(x, low, high)
            wanted = max(reach, min(float(np.abs(np.stack([low, high])).max()), 2 * reach + 0.02))
        limit = round_up(1.1 * max(wanted, 1e-3), fine=True)
        if scales.log_y:
            # Where a model does not know the floor the ratio grows without end and would hide what went before.
            limit = min(limit, _MOST_DECADES)
        self._plot.setYRange(-limit, limit, padding=0)


class Band:
    """A shaded interval."""

    def __init__(self, plot: Any) -> None:
        self._low, self._high = pg.PlotCurveItem(), pg.PlotCurveItem()
        self._fill = pg.FillBetweenItem(self._low, self._high)
        self._fill.setZValue(-3)
        self._empty = True
        plot.addItem(self._fill)

    def set(self, x: Floats, low: Floats, high: Floats) -> None:
        self._empty = not len(x)
        self._low.setData(x, low)
        self._high.setData(x, high)

    def clear(self) -> None:
        if not self._empty:
            self.set(_NONE, _NONE, _NONE)

    def set_colour(self, colour: str) -> None:
        shade = pg.mkColor(colour)
        shade.setAlpha(36)
        self._fill.setBrush(pg.mkBrush(shade))


def line(plot: Any) -> Any:
    """An empty line in a plot."""
    curve = pg.PlotCurveItem(antialias=True)
    plot.addItem(curve)
    return curve


def draw_line(curve: Any, x: Floats, y: Floats, *, shown: bool = True) -> None:
    """New points of a line, or none."""
    curve.setData(x if shown else _NONE, y if shown else _NONE)


def draw_steps(curve: Any, x: Floats, y: Floats, *, shown: bool = True) -> None:
    """New points of a line whose values hold until the next one."""
    draw_line(curve, np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], shown=shown)
