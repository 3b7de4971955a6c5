"""Numbers that an operator sets, with unit and limits; sent when Enter is pressed or the field is left.

Point and comma are both the decimal mark, whatever the desktop's language, and nothing separates groups of digits. What
is no number, or is beyond the limits, stays as it was typed, in red and with the limits; nothing is sent until it is
right. Esc shows the last right number again, the arrow keys count up and down; a mouse wheel does nothing.
"""

from __future__ import annotations

import re

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QLineEdit, QToolTip

from labcontrol.gui.shared.theme import set_kind

_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)
_STEPS = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}


def number_in(text: str) -> str:
    """A number as a person types it, with a point as its decimal mark. Raises ValueError for anything else."""
    bare = text.strip().replace("\u2212", "-")
    if not _NUMBER.fullmatch(bare):
        raise ValueError(f"{text!r} is no number")
    return bare.replace(",", ".")


class NumberField(QLineEdit):
    """A number and its unit as one line of text.

    Signals: `valueChanged` when another right number was typed or set.
    """

    valueChanged = pyqtSignal(float)  # noqa: N815  # as Qt's own fields have it

    def __init__(self, unit: str, decimals: int, tip: str) -> None:
        super().__init__()
        self._unit, self._decimals, self._tip = unit, decimals, tip
        self._value, self._low, self._high = 0.0, 0.0, 100.0
        self.setToolTip(tip)
        self.setMinimumWidth(72)
        self.textEdited.connect(lambda _: self._judge())
        self.editingFinished.connect(self._take)
        self._show()

    @property
    def problem(self) -> str:
        """Why what stands there cannot be taken; empty when it can."""
        try:
            value = self._typed()
        except ValueError:
            return f"Should be a number from {self._limits}."
        if not self._decimals and not value.is_integer():
            return f"Should be a whole number from {self._limits}."
        unseen = 0.5 * 10.0**-self._decimals  # a limit with more decimals than are shown is met by what is shown of it
        return "" if self._low - unseen <= value <= self._high + unseen else f"Should be from {self._limits}."

    def setRange(self, low: float, high: float) -> None:
        """Limits, in the unit shown; a value beyond them becomes the nearer one."""
        self._low, self._high = low, high
        if not low <= self._value <= high:
            self._put(self._value)
        self._judge()

    def setMaximum(self, high: float) -> None:
        self.setRange(min(self._low, high), high)

    def maximum(self) -> float:
        return self._high

    def setValue(self, value: float) -> None:
        """As the program has it, in the unit shown; what a person was typing is gone."""
        self._put(value)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        assert event is not None
        if event.key() in _STEPS and not self.isReadOnly():
            self.setValue(self._value + _STEPS[Qt.Key(event.key())])
        elif event.key() == Qt.Key.Key_Escape and self.text() != self._words:
            self._show()
        else:
            super().keyPressEvent(event)

    @property
    def _limits(self) -> str:
        return f"{self._number(self._low)} to {self._number(self._high)} {self._unit}".rstrip()

    @property
    def _words(self) -> str:
        return f"{self._number(self._value)} {self._unit}".rstrip()

    def _typed(self) -> float:
        """Raises ValueError for what is no number."""
        return float(number_in(self.text().strip().removesuffix(self._unit)))

    def _number(self, value: float) -> str:
        text = f"{value:.{self._decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text

    def _show(self) -> None:
        self.setText(self._words)
        self._judge()

    def _put(self, value: float) -> None:
        value = min(max(round(value, self._decimals), self._low), self._high)
        changed, self._value = value != self._value, value
        self._show()
        if changed:
            self.valueChanged.emit(value)

    def _judge(self) -> None:
        problem = self.problem
        set_kind(self, "wrong" if problem else "")
        self.setToolTip(f"{problem} {self._tip}".strip() if problem else self._tip)

    def _take(self) -> None:
        problem = self.problem
        if problem:
            QToolTip.showText(self.mapToGlobal(self.rect().bottomLeft()), problem, self)
            return
        self._put(self._typed())


class Quantity(NumberField):
    """A physical quantity, shown in `unit` of `scale` SI units; `si` and `set_si` speak SI."""

    def __init__(self, unit: str, scale: float, decimals: int, tip: str) -> None:
        super().__init__(unit, decimals, tip)
        self._scale = scale

    @property
    def si(self) -> float:
        return self._value * self._scale

    def set_si(self, value: float) -> None:
        """Show a value, unless a person is typing one."""
        if not self.hasFocus() and not self.problem:
            self.setValue(value / self._scale)

    def set_limits_si(self, low: float, high: float) -> None:
        self.setRange(low / self._scale, high / self._scale)


class Whole(NumberField):
    """A count of pixels, samples or levels."""

    def __init__(self, unit: str, low: int, high: int, tip: str) -> None:
        super().__init__(unit, 0, tip)
        self.setRange(low, high)

    def value(self) -> int:
        return round(self._value)

    def show_value(self, value: int) -> None:
        """Show a value, unless a person is typing one."""
        if not self.hasFocus() and not self.problem:
            self.setValue(value)


def all_right(*fields: NumberField) -> bool:
    """Whether every field holds what can be sent; one that does not is shown to the person."""
    for field in fields:
        if field.problem:
            field.setFocus()
            QToolTip.showText(field.mapToGlobal(field.rect().bottomLeft()), field.problem, field)
            return False
    return True
