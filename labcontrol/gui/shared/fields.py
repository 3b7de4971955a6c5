"""Numbers that an operator sets, with unit and limits; sent when Enter is pressed or the field is left."""

from __future__ import annotations

from PyQt5.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox


class Quantity(QDoubleSpinBox):
    """A physical quantity, shown in `unit` of `scale` SI units; `si` and `set_si` speak SI."""

    def __init__(self, unit: str, scale: float, decimals: int, tip: str) -> None:
        super().__init__()
        self._scale = scale
        self.setDecimals(decimals)
        self.setSuffix(f" {unit}")
        _prepare(self, tip)

    @property
    def si(self) -> float:
        return self.value() * self._scale

    def set_si(self, value: float) -> None:
        """Show a value, unless a person is typing one."""
        if not self.hasFocus():
            self.setValue(value / self._scale)

    def set_limits_si(self, low: float, high: float) -> None:
        self.setRange(low / self._scale, high / self._scale)


class Whole(QSpinBox):
    """A count of pixels, samples or levels."""

    def __init__(self, unit: str, low: int, high: int, tip: str) -> None:
        super().__init__()
        self.setRange(low, high)
        self.setSuffix(f" {unit}" if unit else "")
        _prepare(self, tip)

    def show_value(self, value: int) -> None:
        """Show a value, unless a person is typing one."""
        if not self.hasFocus():
            self.setValue(value)


def _prepare(box: QDoubleSpinBox | QSpinBox, tip: str) -> None:
    box.setToolTip(tip)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QAbstractSpinBox.NoButtons)
    box.setMinimumWidth(72)
