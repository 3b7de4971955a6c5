"""The figure of a calibration in the colours of the window, drawn beside the event loop."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PyQt5.QtCore import QPointF, QRectF, QSize, QSizeF, Qt, QTimer
from PyQt5.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget

from labcontrol.calibration import PROCEDURES, Calibration
from labcontrol.gui.shared.background import Background
from labcontrol.gui.shared.theme import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SETTLE_MS = 120
_DPI = 96
_BLACK = (0.0, 0.0, 0.0)


class FigureView(QWidget):
    """Shows one calibration, drawn for the size it has."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._calibration: Calibration | None = None
        self._theme = LIGHT
        self._image = QImage()
        self._wanted = False
        self._background = Background(self)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setMinimumSize(200, 140)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._draw)

    @property
    def is_drawn(self) -> bool:
        """Whether what is asked for is on show."""
        return not self._wanted and not self._background.is_busy

    def show_calibration(self, calibration: Calibration | None) -> None:
        """None: nothing."""
        if calibration is self._calibration:
            return
        self._calibration, self._image = calibration, QImage()
        self.update()
        self._ask(0)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._ask(0)

    def close_background(self) -> None:
        self._timer.stop()
        self._background.close()

    def sizeHint(self) -> QSize:
        return QSize(620, 300)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._ask(_SETTLE_MS)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self._image.isNull():
            return
        size = QSizeF(self._image.size()) / self._image.devicePixelRatioF()
        size.scale(QSizeF(self.size()), Qt.AspectRatioMode.KeepAspectRatio)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.SmoothPixmapTransform)
        corner = QPointF((self.width() - size.width()) / 2, (self.height() - size.height()) / 2)
        painter.drawImage(QRectF(corner, size), self._image)

    def _ask(self, after_ms: int) -> None:
        self._wanted = self._calibration is not None
        if self._wanted:
            self._timer.start(after_ms)

    def _draw(self) -> None:
        calibration, theme = self._calibration, self._theme
        if calibration is None or not calibration.outcome.arrays:
            self._wanted = False
            return
        ratio = self.devicePixelRatioF()
        width, height = self.width(), self.height()

        def job() -> bytes:
            return _png(calibration, theme, width, height, _DPI * ratio)

        def deliver(png: bytes) -> None:
            image = QImage.fromData(png)
            image.setDevicePixelRatio(ratio)
            if calibration is self._calibration:
                self._image = image
                self.update()

        if self._background.run(job, deliver):
            self._wanted = False
        else:
            self._timer.start(_SETTLE_MS)


def _png(calibration: Calibration, theme: Theme, width: int, height: int, dpi: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    PROCEDURES[calibration.kind].draw(calibration, figure)
    colour_figure(figure, theme)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def colour_figure(figure: Figure, theme: Theme) -> None:
    """Give a figure the colours of a theme: what is black or white by default, and what is blue or orange."""
    from matplotlib.colors import to_rgb, to_rgba
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    instead = {
        _BLACK: theme.text,
        to_rgb("tab:blue"): theme.accent,
        to_rgb("tab:orange"): theme.prediction,
        to_rgb("tab:red"): theme.danger,
    }
    figure.set_facecolor(theme.panel)
    for axes in figure.axes:
        _style_axes(axes, theme)
        for patch in axes.patches:
            colour = patch.get_facecolor()
            if to_rgba(colour)[3] > 0:  # what is not painted has a colour too
                patch.set_facecolor(instead.get(to_rgb(colour), colour))
    for artist in figure.findobj():
        if isinstance(artist, Legend):
            artist.get_frame().set(facecolor=theme.panel, edgecolor=theme.border)
        elif isinstance(artist, Text | Line2D):
            drawn = artist.get_color()
            artist.set_color(instead.get(to_rgb(drawn), drawn))


def _style_axes(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.plot)
    axes.tick_params(colors=theme.muted, which="both", labelsize=8)
    axes.title.set_fontsize(10)
    for spine in axes.spines.values():
        spine.set_edgecolor(theme.border)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)
