"""Marks on the learning curve: what happened to the run, and when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt5.QtCore import Qt

from labcontrol.engine import DriftMeasured
from labcontrol.formatting import duration, rounded
from labcontrol.gui.learning.axes import Scales
from labcontrol.gui.learning.data import LearningData
from labcontrol.gui.shared.theme import Theme
from labcontrol.records.contents import Fault

# Symbol of each kind; the shapes differ so that colour is not needed.
_SYMBOLS = {"fault": "t", "drift": "d", "pause": "s"}
_MOST_MARKS = 2000
_SIZE_PX = 11
_NOTABLE_DRIFT = 4.0  # standard deviations of noise: by chance about once in ten thousand measurements


@dataclass(frozen=True)
class Mark:
    """epoch: where. kind: `pause`, `fault` or `drift`. text: what happened, in plain words."""

    epoch: float
    kind: str
    text: str


class Marks:
    """A symbol at the upper edge of a plot and a thin line below it; the text shows under the cursor."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self.marks: list[Mark] = []
        self._theme: Theme | None = None
        self.lines = pg.PlotCurveItem(connect="pairs", antialias=False)
        self.symbols = pg.ScatterPlotItem(pxMode=True, hoverable=True, tip=_tip, hoverSize=_SIZE_PX + 4)
        for item, depth in ((self.lines, -1), (self.symbols, 5)):
            item.setZValue(depth)
            plot.addItem(item, ignoreBounds=True)

    def set(self, marks: Sequence[Mark]) -> None:
        """The newest so many are kept."""
        self.marks = list(marks)[-_MOST_MARKS:]

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.lines.setPen(pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DotLine))

    def draw(self, run: LearningData, scales: Scales) -> None:
        theme = self._theme
        if theme is None:
            return
        if not self.marks:
            self.lines.setData([], [])
            self.symbols.setData([], [])
            return
        low, high = self._plot.vb.viewRange()[1]
        pixel = (high - low) / max(self._plot.vb.height(), 1.0)
        x = scales.x(run, np.array([max(mark.epoch, 1.0 if scales.log_x else 0.0) for mark in self.marks]))
        top = high - 0.75 * _SIZE_PX * pixel
        self.lines.setData(np.repeat(x, 2), np.tile([low, top], len(x)))
        colours = {"fault": theme.danger, "drift": theme.caution, "pause": theme.muted}
        kinds = [mark.kind for mark in self.marks]
        self.symbols.setData(
            x,
            np.full(len(x), top),
            symbol=[_SYMBOLS[kind] for kind in kinds],
            brush=[pg.mkBrush(colours[kind]) for kind in kinds],
            pen=pg.mkPen(theme.plot),
            size=_SIZE_PX,
            data=[mark.text for mark in self.marks],
        )


def fault_mark(fault: Fault) -> Mark:
    """A device did something wrong."""
    action = f"\n{fault.action}" if fault.action else ""
    return Mark(max(fault.epoch - 1, 0), "fault", f"{_clock(fault.unix_s)}  {fault.device}: {fault.text}{action}")


def pause_mark(epoch: float, unix_s: float, reason: str, lasted_s: float | None = None) -> Mark:
    """The run was held; lasted_s: for so long, None while it lasts."""
    lasted = "" if lasted_s is None else f", for {duration(lasted_s)}"
    return Mark(epoch, "pause", f"{_clock(unix_s)}  {reason or 'paused'}{lasted}")


def drift_mark(drift: DriftMeasured) -> Mark | None:
    """The reference mask gives another output than at first; None as long as noise explains it."""
    if drift.excess < _NOTABLE_DRIFT:
        return None
    text = f"Drift: the reference mask's output has moved by {drift.excess:.1f} times the noise"
    return Mark(max(drift.epoch - 1, 0), "drift", f"{text}; its error is {rounded(drift.error)}")


def _tip(**point: Any) -> str:
    return str(point["data"])


def _clock(unix_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(unix_s))
