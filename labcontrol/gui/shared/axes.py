"""Axes whose numbers read like those in a paper."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg

from labcontrol.formatting import rounded
from labcontrol.gui.shared.theme import Theme

# Levels of ticks on a logarithmic axis; pyqtgraph hands a level's spacing back when it asks for the labels.
_DECADES, _LABELLED, _BARE = 1.0, 0.5, 0.1
_MANY_DECADES = 3.0
_LABEL_PX = 20


class ReadableAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """An axis in plain numbers: 0.05 rather than 5e-02, and no rescaling of the unit behind the reader's back."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.enableAutoSIPrefix(False)
        self.setStyle(tickLength=-4, hideOverlappingLabels=True)

    def logTickValues(self, low: float, high: float, size: float, linear: Any) -> list[tuple[float, list[float]]]:
        """Ticks between two exponents: decades, then 2 and 5 where there is room, then the rest without a number."""
        first, last = math.floor(low), math.ceil(high)

        def at(*factors: int) -> list[float]:
            values = (n + math.log10(factor) for n in range(first, last + 1) for factor in factors)
            return [value for value in values if low <= value <= high]

        if high - low > _MANY_DECADES:
            every = max(1, math.ceil((high - low) * _LABEL_PX / max(size, 1.0)))
            return [(_DECADES, [float(n) for n in range(first, last + 1) if n % every == 0])]
        return [(_DECADES, at(1)), (_LABELLED, at(2, 5)), (_BARE, at(3, 4, 6, 7, 8, 9))]

    def logTickStrings(self, values: Any, scale: float, spacing: Any) -> list[str]:
        """Labels of ticks at these exponents."""
        labels = ("" if spacing == _BARE else rounded(10.0**value * scale, 1) for value in values)
        return [label.removeprefix("1 × ") for label in labels]

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:
        """Labels of ticks at these values."""
        if self.logMode:
            return self.logTickStrings(values, scale, spacing)
        decimals = max(0, -math.floor(math.log10(spacing * scale) + 1e-9))
        return [f"{value * scale:.{decimals}f}".replace("-", "\u2212") for value in values]

    def set_theme(self, theme: Theme) -> None:
        self.setPen(pg.mkPen(theme.border))
        self.setTickPen(pg.mkPen(theme.muted))
        self.setTextPen(pg.mkPen(theme.muted))


def style_plot(plot: Any, theme: Theme) -> None:
    """Axes and grid of a plot made by `readable_plot`."""
    for name in ("left", "bottom"):
        plot.getAxis(name).set_theme(theme)
    plot.showGrid(x=True, y=True, alpha=0.15)


def readable_plot(left: str, bottom: str) -> Any:
    """A plot item with our axes, without pyqtgraph's own menu and buttons."""
    plot = pg.PlotItem(axisItems={side: ReadableAxis(side) for side in ("left", "bottom")})
    plot.setMenuEnabled(False)
    plot.hideButtons()
    if left:
        plot.setLabel("left", left)
    if bottom:
        plot.setLabel("bottom", bottom)
    return plot
