"""The plot of the learning curve with its models, and the residual below it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QWidget

from labcontrol.gui.axes import readable_plot, style_plot
from labcontrol.gui.learning_data import LearningData, ranges, steps
from labcontrol.gui.model_curves import ModelCurve
from labcontrol.gui.theme import LIGHT, Theme

Floats = NDArray[np.float64]

_CURVE_POINTS = 240
_NICE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)
_LEAST_POSITIVE = 1e-12


@dataclass(frozen=True)
class Horizontal:
    """What the horizontal axis counts. to_x: epochs (K,) of a run to its unit, rising; to_epochs: its inverse."""

    label: str
    to_x: Callable[[LearningData, Floats], Floats]
    to_epochs: Callable[[LearningData, Floats], Floats]


HORIZONTALS = {
    "epochs": Horizontal("Epoch", lambda _run, k: k, lambda _run, x: x),
    "epochs / N": Horizontal(
        "Epochs per neuron, k / N", lambda run, k: k / run.neurons, lambda run, x: x * run.neurons
    ),
    "time": Horizontal("Wall time (s)", LearningData.seconds_at, LearningData.epochs_at),
}


@dataclass(frozen=True)
class Overlay:
    """Another run to compare with; it has at least one epoch."""

    name: str
    data: LearningData


class LearningPlot(pg.GraphicsLayoutWidget):  # type: ignore[misc]  # pyqtgraph is untyped
    """Draws what it is given, at the resolution of the screen; cost does not grow with the number of epochs on screen.

    `followed` tells whether the axes follow the data; a person's zoom ends that, a double click begins it again.
    """

    followed = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data = LearningData("nmse")
        self._loss = "nmse"
        self._models: dict[str, ModelCurve] = {}
        self._hidden: set[str] = set()
        self._overlays: list[Overlay] = []
        self._overlay_curves: list[Any] = []
        self._horizontal = HORIZONTALS["epochs"]
        self._planned = 100.0
        self._log_x = self._log_y = False
        self._following = True
        self._theme = LIGHT

        self.plot = readable_plot("", "")
        self.residual = readable_plot("", self._horizontal.label)
        self.addItem(self.plot, 0, 0)
        self.addItem(self.residual, 1, 0)
        self.ci.layout.setRowStretchFactor(0, 4)
        self.ci.layout.setRowStretchFactor(1, 1)
        self.ci.layout.setSpacing(6)
        self.residual.setXLink(self.plot)
        self.plot.getAxis("bottom").setStyle(showValues=False)
        for item in (self.plot, self.residual):
            item.getAxis("left").setWidth(64)
            item.disableAutoRange()
        self.residual.setMouseEnabled(x=True, y=False)

        self._band = _Band(self.plot)
        self._residual_band = _Band(self.residual)
        self._zero = pg.InfiniteLine(0, angle=0)
        self.residual.addItem(self._zero)
        self._each = pg.PlotCurveItem(connect="pairs", antialias=False)  # smoothing a thousand strokes takes 20 ms
        self.plot.addItem(self._each)
        self._curves = {key: self._curve(self.plot) for key in ("coverage", "prediction", "fit")}
        self._incumbent = self._curve(self.plot)
        self._residual_curve = self._curve(self.residual)
        self.plot.vb.sigRangeChangedManually.connect(lambda _: self.set_following(False))
        self.residual.vb.sigRangeChangedManually.connect(lambda _: self.set_following(False))
        self.plot.vb.sigXRangeChanged.connect(lambda *_: self._draw())
        self.plot.vb.sigResized.connect(lambda _: self._draw())

    # --- what to show -------------------------------------------------------------------------------------------
    def set_data(self, data: LearningData, planned: int) -> None:
        """planned: epochs the run may take."""
        self._data = data
        self._planned = float(max(planned, 1))

    def set_models(self, models: Mapping[str, ModelCurve]) -> None:
        self._models = dict(models)
        self.refresh()

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        """Runs whose incumbent is drawn too, each with its own colour and its name."""
        for curve in self._overlay_curves:
            self.plot.removeItem(curve)
        self._overlays = list(overlays)
        self._overlay_curves = [self._curve(self.plot) for _ in overlays]
        for curve in self._overlay_curves:
            curve.setZValue(-1)
        self._colour_overlays()
        self._draw()

    def set_hidden(self, keys: set[str]) -> None:
        """Curves not to draw: keys of models, `each` or `incumbent`."""
        self._hidden = keys
        self._draw()

    def set_loss(self, loss: str) -> None:
        self._loss = loss
        self.plot.setLabel("left", f"Error ({loss})")
        self.set_following(True)

    def set_horizontal(self, horizontal: Horizontal) -> None:
        self._horizontal = horizontal
        self.residual.setLabel("bottom", horizontal.label)
        self.set_following(True)

    def set_logarithmic(self, *, x: bool, y: bool) -> None:
        self._log_x, self._log_y = x, y
        for item in (self.plot, self.residual):
            item.getAxis("bottom").setLogMode(x=x)
            item.getAxis("left").setLogMode(y=y)
        self.residual.setLabel("left", "ratio" if y else "residual")
        self._zero.setValue(0)
        self.set_following(True)

    def set_following(self, on: bool) -> None:
        changed, self._following = on != self._following, on
        if changed:
            self.followed.emit(on)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.setBackground(theme.plot)
        for item in (self.plot, self.residual):
            style_plot(item, theme)
        self._each.setPen(pg.mkPen(theme.each_epoch, width=2))
        self._incumbent.setPen(pg.mkPen(theme.accent, width=2.4))
        self._residual_curve.setPen(pg.mkPen(theme.accent, width=1.6))
        self._curves["prediction"].setPen(pg.mkPen(theme.prediction, width=2, style=Qt.PenStyle.DashLine))
        self._curves["fit"].setPen(pg.mkPen(theme.fit, width=2, style=Qt.PenStyle.DashDotLine))
        self._curves["coverage"].setPen(pg.mkPen(theme.coverage, width=1.6, style=Qt.PenStyle.DotLine))
        self._zero.setPen(pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DashLine))
        for band in (self._band, self._residual_band):
            band.set_colour(theme.prediction)
        self._colour_overlays()

    def _colour_overlays(self) -> None:
        colours = [self._theme.overlays[i % len(self._theme.overlays)] for i in range(len(self._overlays))]
        for curve, colour in zip(self._overlay_curves, colours, strict=True):
            curve.setPen(pg.mkPen(colour, width=1.6))
        names = (
            f'<span style="color:{colour}">━ {escape(overlay.name)}</span>'
            for overlay, colour in zip(self._overlays, colours, strict=True)
        )
        self.plot.setTitle("&nbsp;&nbsp; ".join(names) or None, size="8pt")

    # --- drawing ------------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Draw what is new."""
        if self._following:
            self._follow()
        self._draw()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        super().mouseDoubleClickEvent(event)
        self.set_following(True)

    def _follow(self) -> None:
        """Axes that hold the data and the course ahead, and change in rare, even steps."""
        epochs = len(self._data)
        incumbent = self._data.incumbent(self._loss)
        models = [model for model in self._models.values() if model.loss == self._loss]
        prediction = self._models.get("prediction")
        ahead = 3 * prediction.tau[0] if prediction and prediction.tau else self._planned
        last = float(self._data.index.values[-1]) if epochs else 0.0
        end = max(min(max(last, ahead), max(self._planned, last)), 1.0)
        ends = [float(self._horizontal.to_x(self._data, np.array([end]))[0])]
        ends += [float(self._horizontal.to_x(run.data, run.data.index.values[-1:])[0]) for run in self._overlays]
        x_end = _round_up(max(ends))
        x_first = float(self._horizontal.to_x(self._data, np.array([1.0]))[0])
        k = np.linspace(0, end, 50)
        lowest, highest = [1e-1], [1.0]
        if epochs:
            lowest.append(float(np.nanmin(incumbent)))
            highest = [float(np.nanmax(incumbent[:10]))]
        for model in models:
            values = model.values(k)
            highest.append(float(values.max()))
            if model.key == "fit" or not epochs:
                lowest.append(float(values.min()))
        lowest += [float(np.nanmin(overlay.data.incumbent(self._loss))) for overlay in self._overlays]
        top = max(highest) * 1.08
        if self._log_y:
            bottom = max(min(lowest) / 1.6, _LEAST_POSITIVE)
            # a fifth of a decade: the axis moves seldom
            self.plot.setYRange(math.floor(5 * math.log10(bottom)) / 5, math.log10(top) + 0.05, padding=0)
        else:
            self.plot.setYRange(0, _round_up(top, fine=True), padding=0)
        if self._log_x:
            self.plot.setXRange(
                math.log10(max(x_first, _LEAST_POSITIVE)), math.log10(max(x_end, 2 * x_first)), padding=0
            )
        else:
            self.plot.setXRange(0, max(x_end, _LEAST_POSITIVE), padding=0)

    def _draw(self) -> None:
        view, pixels = self._x_view()
        edges = np.linspace(*view, max(int(pixels / 2), 16))
        x_edges = np.maximum(10.0**edges if self._log_x else edges, 0.0)
        edges = self._horizontal.to_epochs(self._data, x_edges)
        k, error, incumbent = self._data.index.values, self._data.error(self._loss), self._data.incumbent(self._loss)
        first = 1 if self._log_x and len(k) and k[0] == 0 else 0  # a logarithmic axis has no place for epoch 0
        k, error, incumbent = k[first:], error[first:], incumbent[first:]
        self._draw_each(*ranges(k, error, edges), tick=0.8 * (view[1] - view[0]) / max(pixels, 1.0))
        at, best = steps(k, incumbent, edges)
        self._set(self._incumbent, self._horizontal.to_x(self._data, at), best, key="incumbent")
        self._draw_models(view)
        self._draw_residual(at, best)
        for overlay, curve in zip(self._overlays, self._overlay_curves, strict=True):
            at, best = steps(
                overlay.data.index.values,
                overlay.data.incumbent(self._loss),
                self._horizontal.to_epochs(overlay.data, x_edges),
            )
            self._set(curve, self._horizontal.to_x(overlay.data, at), best, key="overlays")

    def _draw_each(self, epochs: Floats, low: Floats, high: Floats, tick: float) -> None:
        """Strokes from the lowest to the highest error at a pixel; a lone epoch is a dot. tick: half its width."""
        if "each" in self._hidden:
            epochs = low = high = np.empty(0)
        at = self._to_axis(self._horizontal.to_x(self._data, epochs), self._log_x)
        half = np.where(high > low, 0.0, tick)
        self._each.setData(
            np.stack([at - half, at + half], axis=1).ravel(),
            self._to_axis(np.stack([low, high], axis=1).ravel(), self._log_y),
        )

    def _draw_models(self, view: tuple[float, float]) -> None:
        epochs = self._horizontal.to_epochs(self._data, self._grid(view))
        x = self._horizontal.to_x(self._data, epochs)
        for key, curve in self._curves.items():
            model = self._models.get(key)
            if model is None or model.loss != self._loss or not len(x):
                self._set(curve, np.empty(0), np.empty(0), key=key)
                continue
            self._set(curve, x, model.values(epochs), key=key)
        model = self._models.get("prediction")
        shown = model is not None and model.loss == self._loss and "prediction" not in self._hidden and len(x)
        if model is None or model.band is None or not shown:
            self._band.clear()
            return
        low, high = model.band(epochs)
        self._band.set(self._to_axis(x, self._log_x), self._to_axis(low, self._log_y), self._to_axis(high, self._log_y))

    def _draw_residual(self, epochs: Floats, incumbent: Floats) -> None:
        """Best so far against the prediction; without one, against the fit."""
        model = self._models.get("prediction") or self._models.get("fit")
        if model is None or model.loss != self._loss or not len(epochs):
            self._residual_curve.setData(np.empty(0), np.empty(0))
            self._residual_band.clear()
            return
        x, expected = self._to_axis(self._horizontal.to_x(self._data, epochs), self._log_x), model.values(epochs)
        difference = self._against(incumbent, expected)
        self._residual_curve.setData(x, difference)
        reach = [float(np.nanmax(np.abs(difference)))]
        if model.band is None:
            self._residual_band.clear()
        else:
            low, high = (self._against(edge, expected) for edge in model.band(epochs))
            self._residual_band.set(x, low, high)
            reach.append(min(float(np.abs(np.stack([low, high])).max()), 2 * reach[0] + 0.02))
        limit = _round_up(1.1 * max(*reach, 1e-3), fine=True)
        self.residual.setYRange(-limit, limit, padding=0)

    def _against(self, values: Floats, expected: Floats) -> Floats:
        if self._log_y:
            ratio: Floats = self._to_axis(values, True) - self._to_axis(expected, True)
            return ratio
        return values - expected

    # --- helpers ------------------------------------------------------------------------------------------------
    @staticmethod
    def _curve(plot: Any) -> Any:
        curve = pg.PlotCurveItem(antialias=True)
        plot.addItem(curve)
        return curve

    def _set(self, curve: Any, x: Floats, y: Floats, key: str) -> None:
        if key in self._hidden:
            x = y = np.empty(0)
        curve.setData(self._to_axis(x, self._log_x), self._to_axis(y, self._log_y))

    def _x_view(self) -> tuple[tuple[float, float], float]:
        low, high = self.plot.vb.viewRange()[0]
        return (float(low), float(high)), float(self.plot.vb.width())

    def _grid(self, view: tuple[float, float]) -> Floats:
        grid: Floats = np.linspace(*view, _CURVE_POINTS)
        grid = 10.0**grid if self._log_x else grid
        return grid[grid >= 0]

    @staticmethod
    def _to_axis(values: Floats, logarithmic: bool) -> Floats:
        shown: Floats = np.log10(np.maximum(values, _LEAST_POSITIVE)) if logarithmic else values
        return shown


class _Band:
    """A shaded interval."""

    def __init__(self, plot: Any) -> None:
        self._low, self._high = pg.PlotCurveItem(), pg.PlotCurveItem()
        self._fill = pg.FillBetweenItem(self._low, self._high)
        plot.addItem(self._fill)

    def set(self, x: Floats, low: Floats, high: Floats) -> None:
        self._low.setData(x, low)
        self._high.setData(x, high)

    def clear(self) -> None:
        self.set(np.empty(0), np.empty(0), np.empty(0))

    def set_colour(self, colour: str) -> None:
        shade = pg.mkColor(colour)
        shade.setAlpha(36)
        self._fill.setBrush(pg.mkBrush(shade))


def _round_up(value: float, fine: bool = False) -> float:
    """The next round number."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    choices = np.arange(1.0, 10.01, 0.2) if fine else _NICE
    return next((float(c) * power for c in choices if c * power >= value * (1 - 1e-9)), 10 * power)
