"""Axes whose numbers read like those in a paper."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg

from labcontrol.gui.theme import Theme
from labcontrol.gui.words import figures


class ReadableAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """An axis in plain numbers: 0.05 rather than 5e-02, and no rescaling of the unit behind the reader's back."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.enableAutoSIPrefix(False)
        self.setStyle(tickLength=-4, hideOverlappingLabels=True)

    def logTickStrings(self, values: Any, scale: float, spacing: Any) -> list[str]:
        """Labels of ticks at these exponents."""
        return [figures(10.0**value * scale, 1) for value in values]

    def set_theme(self, theme: Theme) -> None:
        self.setPen(pg.mkPen(theme.border))
        self.setTextPen(pg.mkPen(theme.muted))


def style_plot(plot: Any, theme: Theme) -> None:
    """Background, axes and grid of a plot made of `ReadableAxis`."""
    for name in ("left", "bottom"):
        plot.getAxis(name).set_theme(theme)
    plot.showGrid(x=True, y=True, alpha=0.12 if theme.name == "light" else 0.16)


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
