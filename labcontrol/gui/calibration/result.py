"""What a calibration step has found: verdict, quantities with their intervals, figure."""

from __future__ import annotations

import math
from datetime import datetime
from html import escape

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QScrollArea, QWidget

from labcontrol.calibration import Calibration, Quantity
from labcontrol.formatting import rounded, superscript
from labcontrol.gui.calibration.figure import FigureView
from labcontrol.gui.shared.banner import message_and_remedy
from labcontrol.gui.shared.layouts import NO_MARGINS, column, grid, holder, label
from labcontrol.gui.shared.theme import LIGHT, Theme

_ROW_PX = 20
_MOST_ROWS = 8
_MOST_DECIMALS = 7
_LARGEST = 1e5
_SMALL = -3  # power of ten


class ResultView(QWidget):
    """Shows a calibration, or why there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._calibration: Calibration | None = None
        self._said: tuple[str, str] = ("", "")
        self.verdict = label(wraps=True, selectable=True)
        self.figure = FigureView()
        self._grid = grid(14, 2, wide=0, margins=(0, 0, 8, 0))
        self.table = QScrollArea()
        self.table.setWidgetResizable(True)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setWidget(holder(self._grid))
        self._room = QWidget()
        self.setLayout(
            column(self.verdict, (self.figure, 1), self.table, (self._room, 1), spacing=6, margins=NO_MARGINS)
        )

    @property
    def calibration(self) -> Calibration | None:
        return self._calibration

    def show_calibration(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._show_verdict()
        drawn = bool(calibration.outcome.arrays)
        self.figure.setVisible(drawn)
        self._room.setVisible(not drawn)
        self.figure.show_calibration(calibration)
        self._fill(calibration)

    def show_error(self, error: BaseException) -> None:
        """A step that could not be measured."""
        message, remedy = message_and_remedy(error)
        self._say(f"Not measured: {message}", remedy)

    def show_nothing(self, words: str) -> None:
        self._say("", words)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.figure.set_theme(theme)
        self._show_verdict()

    # --- parts --------------------------------------------------------------------------------------------------
    def _say(self, problem: str, words: str) -> None:
        self._calibration, self._said = None, (problem, words)
        self.figure.show_calibration(None)
        self.figure.hide()
        self._room.show()
        self.table.hide()
        self._show_verdict()

    def _show_verdict(self) -> None:
        theme, calibration = self._theme, self._calibration
        if calibration is None:
            problem, words = self._said
            said = f'<span style="color:{theme.danger}; font-weight:600">{escape(problem)}</span>' if problem else ""
            self.verdict.setText(
                "<br>".join(filter(None, (said, f'<span style="color:{theme.muted}">{escape(words)}</span>')))
            )
            return
        when = f"{datetime.fromtimestamp(calibration.measured_unix_s):%Y-%m-%d %H:%M:%S}"
        colour, word = (theme.good, "● Passed") if calibration.passed else (theme.danger, "✕ Failed")
        lines = [
            f'<span style="color:{colour}; font-weight:600">{word}</span> '
            f'<span style="color:{theme.muted}">measured {when}</span>'
        ]
        lines += [f'<span style="color:{theme.danger}">{escape(_sentence(w))}</span>'
                  for w in calibration.outcome.failures]  # fmt: skip
        lines += [f'<span style="color:{theme.caution}">▲ {escape(_sentence(w))}</span>'
                  for w in calibration.outcome.notices]  # fmt: skip
        self.verdict.setText("<br>".join(lines))

    def _fill(self, calibration: Calibration) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, quantity in enumerate(calibration.outcome.quantities.values()):
            value = label(quantity_words(quantity), selectable=True)
            value.setToolTip(f"95 % interval: {quantity.low:.6g} to {quantity.high:.6g} {quantity.unit}".rstrip())
            self._grid.addWidget(label(_sentence(quantity.meaning, dot=False), "muted", narrow=True), row, 0)
            self._grid.addWidget(value, row, 1, Qt.AlignmentFlag.AlignRight)
        rows = len(calibration.outcome.quantities)
        self.table.setVisible(rows > 0)
        self.table.setFixedHeight(min(rows, _MOST_ROWS) * _ROW_PX + 6)


# Units in which a person reads what is stored in SI.
_READABLE = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
             "W": ((1.0, "W"), (1e-3, "mW"), (1e-6, "µW"), (1e-9, "nW")),
             "Hz": ((1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz"))}  # fmt: skip


def quantity_words(quantity: Quantity) -> str:
    """Value and half width of its 95 % interval, to as many figures as the interval leaves."""
    half = (quantity.high - quantity.low) / 2
    size = max(abs(quantity.value), half)
    units = _READABLE.get(quantity.unit, ((1.0, quantity.unit),))
    scale, unit = next(((s, u) for s, u in units if size >= s), units[-1]) if size > 0 else (1.0, quantity.unit)
    power = math.floor(math.log10(size / scale)) if size > 0 else 0
    if half > 0 and power < _SMALL:  # unlike 0.0000517 ± 0.0000011, this can be read
        scale *= 10.0**power
        return f"({_with_interval(quantity.value / scale, half / scale)}) × 10{superscript(power)} {unit}".rstrip()
    value = quantity.value / scale
    if half <= 0:
        text = rounded(value, 4) if value != round(value) or abs(value) > 1e6 else f"{value:.0f}"
        return f"{text} {unit}".rstrip()
    return f"{_with_interval(value, half / scale)} {unit}".rstrip()


def _with_interval(value: float, half: float) -> str:
    decimals = max(0, 1 - math.floor(math.log10(half)))
    if decimals > _MOST_DECIMALS or half > _LARGEST:
        return f"{rounded(value)} ± {rounded(half, 2)}".replace("-", "\u2212")
    return f"{value:.{decimals}f} ± {half:.{decimals}f}".replace("-", "\u2212")


def _sentence(words: str, *, dot: bool = True) -> str:
    text = words[:1].upper() + words[1:]
    return text if text.endswith((".", "?")) or not dot else f"{text}."
