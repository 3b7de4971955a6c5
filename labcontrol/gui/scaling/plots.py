"""The plots of a scaling study: time constants against the number of neurons, and curves over k / N."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QWidget

from labcontrol.analysis.curve_facts import series_colours
from labcontrol.formatting import count
from labcontrol.gui.learning.axes import logarithm
from labcontrol.gui.shared.abstract import AbstractQt
from labcontrol.gui.shared.axes import readable_plot, style_plot
from labcontrol.gui.shared.theme import LIGHT, Theme
from labcontrol.theory.scaling import QUANTITIES, Exponent, Group

Floats = NDArray[np.float64]

SYMBOLS = ("o", "s", "t", "d", "t1", "p", "h", "star")
_LEFT_AXIS_PX = 60
_MARGIN = 0.12  # of a decade, around the points
_ASIDE = 0.02
_LEAST_SHARE = 1e-3
_SPREAD = (0.16, 0.84)


def group_colour(theme: Theme, number: int) -> str:
    """Of a group by its number; the symbols differ, too."""
    colours = series_colours(dark=theme.name == "dark")
    return colours[number % len(colours)]


@dataclass(frozen=True)
class GroupFigures:
    """A group of a study with what takes a moment to compute. number: in the study, decides colour and symbol."""

    number: int
    group: Group
    exponents: dict[str, Exponent | None]

    @classmethod
    def of(cls, number: int, group: Group) -> GroupFigures:
        return cls(number, group, {quantity: group.exponent(quantity) for quantity in QUANTITIES})


class _StudyPlot(pg.GraphicsLayoutWidget, metaclass=AbstractQt):  # type: ignore[misc]  # pyqtgraph is untyped
    """One plot with a logarithmic axis on the left, which is drawn anew as a whole."""

    def __init__(self, left: str, bottom: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._items: list[Any] = []
        self.setMinimumSize(220, 160)
        self.plot = readable_plot(left, bottom)
        self.addItem(self.plot, 0, 0)
        self.plot.getAxis("left").setWidth(_LEFT_AXIS_PX)
        self.plot.getAxis("left").setLogMode(y=True)
        self.plot.disableAutoRange()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.setBackground(theme.panel)
        style_plot(self.plot, theme)
        self._renew()

    def _renew(self) -> None:
        for item in self._items:
            self.plot.removeItem(item)
        self._items = []
        self._draw()

    def _add(self, item: Any) -> None:
        self.plot.addItem(item)
        self._items.append(item)

    @abstractmethod
    def _draw(self) -> None:
        """Add what is held now to the empty plot."""


class QuantityPlot(_StudyPlot):
    """One quantity of each group against N on logarithmic axes: runs, medians with their spread, the fitted power law.

    quantity: `tau` or `k5`. The dashed line has the slope 1 that theory predicts.
    """

    def __init__(self, quantity: str, label: str, parent: QWidget | None = None) -> None:
        super().__init__(label, "Neurons, N", parent)
        self._quantity = quantity
        self._groups: Sequence[GroupFigures] = ()
        self.plot.getAxis("bottom").setLogMode(x=True)

    def show_groups(self, groups: Sequence[GroupFigures]) -> None:
        self._groups = groups
        self._renew()

    def _draw(self) -> None:
        shown = []
        for figures in self._groups:
            values = {n: v[np.isfinite(v) & (v > 0)] for n, v in figures.group.values(self._quantity).items()}
            values = {n: v for n, v in values.items() if len(v)}
            if values:
                shown.append((figures, values))
        if not shown:
            return
        self._set_range([values for _, values in shown])
        self._draw_prediction(shown[0][1])
        for figures, values in shown:
            self._draw_group(figures, values)

    def _set_range(self, values: list[dict[int, Floats]]) -> None:
        sizes = np.log10([n for value in values for n in value])
        figures = np.log10(np.concatenate([v for value in values for v in value.values()]))
        self.plot.setXRange(sizes.min() - _MARGIN, sizes.max() + _MARGIN, padding=0)
        self.plot.setYRange(figures.min() - _MARGIN, figures.max() + _MARGIN, padding=0)

    def _draw_prediction(self, values: dict[int, Floats]) -> None:
        """Through the middle of the first group."""
        sizes = np.log10(list(values))
        medians = np.log10([np.median(v) for v in values.values()])
        low, high = self.plot.vb.viewRange()[0]
        at = np.array([low, high])
        pen = pg.mkPen(self._theme.muted, width=1.6, style=Qt.PenStyle.DashLine)
        self._add(pg.PlotCurveItem(at, medians.mean() + at - sizes.mean(), pen=pen))
        self.plot.setTitle(f'<span style="color:{self._theme.muted}">┅ predicted: proportional to N</span>', size="8pt")

    def _draw_group(self, figures: GroupFigures, values: dict[int, Floats]) -> None:
        colour, symbol = group_colour(self._theme, figures.number), SYMBOLS[figures.number % len(SYMBOLS)]
        shade = pg.mkColor(colour)
        shade.setAlpha(90)
        # Groups stand side by side, so that their bars can be told apart.
        aside = _ASIDE * (figures.number - (len(self._groups) - 1) / 2)
        sizes = np.log10(np.repeat(list(values), [len(v) for v in values.values()]))
        runs = np.log10(np.concatenate(list(values.values())))
        self._add(pg.ScatterPlotItem(sizes + aside, runs, symbol=symbol, size=5, pen=None, brush=shade))
        exponent = figures.exponents[self._quantity]
        if exponent is not None:
            at = np.log10([min(values), max(values)])
            fitted = math.log10(exponent.prefactor) + exponent.value * at
            self._add(pg.PlotCurveItem(at, fitted, pen=pg.mkPen(colour, width=2)))
        at = np.log10(list(values))
        medians, lows, highs = (
            np.log10([np.quantile(v, fraction) for v in values.values()]) for fraction in (0.5, *_SPREAD)
        )
        bars = pg.ErrorBarItem(
            x=at + aside,
            y=medians,
            top=highs - medians,
            bottom=medians - lows,
            beam=0.02,
            pen=pg.mkPen(colour, width=1.4),
        )
        self._add(bars)
        self._add(
            pg.ScatterPlotItem(
                at + aside, medians, symbol=symbol, size=11, pen=pg.mkPen(self._theme.panel), brush=colour
            )
        )


class CollapsePlot(_StudyPlot):
    """Fraction of the excess left, over k / N: curves of all sizes fall together where learning scales with N."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Excess error left", "Epochs per neuron, k / N", parent)
        self._grid: Floats = np.empty(0)
        self._group: Group | None = None

    def show_group(self, grid: Floats, group: Group | None) -> None:
        """grid: (G,) epochs over N."""
        self._grid, self._group = grid, group
        self._renew()

    def _draw(self) -> None:
        group = self._group
        self.plot.setTitle(None)
        if group is None:
            return
        # The floor is the run's own last error: the last few epochs are zero by construction.
        self.plot.setXRange(0, self._grid[-1], padding=0.01)
        self.plot.setYRange(math.log10(_LEAST_SHARE), 0.08, padding=0)
        names = []
        for colour, n in zip(self._shades(len(group.sizes)), group.sizes, strict=True):
            pen = pg.mkPen(colour, width=2)
            self._add(pg.PlotCurveItem(self._grid, logarithm(group.collapsed[n]), pen=pen))
            if n in group.law3:
                dashes = pg.mkPen(colour, width=1.4, style=Qt.PenStyle.DashLine)
                self._add(pg.PlotCurveItem(self._grid, logarithm(group.law3[n]), pen=dashes))
            names.append(f'<span style="color:{colour}">━ {count(n)}</span>')
        law = " &nbsp; ┄ Law 3" if group.law3 else ""
        self.plot.setTitle(f"{group.selection}, {group.loss}: &nbsp; N = {' &nbsp;'.join(names)}{law}", size="8pt")

    def _shades(self, number: int) -> list[str]:
        """From the accent to the prediction's colour: small to large."""
        ends = [pg.mkColor(self._theme.accent), pg.mkColor(self._theme.mean_field)]
        mixed = []
        for fraction in np.linspace(0, 1, number):
            parts = (
                round((1 - fraction) * a + fraction * b)
                for a, b in zip(ends[0].getRgb(), ends[1].getRgb(), strict=True)
            )
            mixed.append("#" + "".join(f"{part:02x}" for part in list(parts)[:3]))
        return mixed
