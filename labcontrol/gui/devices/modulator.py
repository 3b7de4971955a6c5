"""Manual control of SLM and DMD: test patterns."""

from __future__ import annotations

import numpy as np
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QComboBox, QLabel, QWidget

from drivers.interfaces import Pattern
from labcontrol.bench.test_patterns import PATTERNS, make_pattern
from labcontrol.formatting import rounded
from labcontrol.gui.devices.card import DeviceCard
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.fields import Whole, all_right
from labcontrol.gui.shared.image_panel import ImagePanel
from labcontrol.gui.shared.layouts import grid
from labcontrol.gui.shared.theme import Theme
from labcontrol.host.jobs.manual import Facts, ModulatorFacts

_PREVIEW_PX = 84
_WITHOUT_LEVEL = ("gradient",)
_WITH_PERIOD = ("checkerboard", "vertical stripes", "horizontal stripes")


class ModulatorCard(DeviceCard):
    """Signal: `show_pattern` with name, level and period in pixels."""

    show_pattern = pyqtSignal(str, int, int)
    role = "modulator"

    def __init__(self, title: str, role: str, parent: QWidget | None = None) -> None:
        self.title, self.role = title, role
        super().__init__(parent)
        self._facts: ModulatorFacts | None = None
        self.pattern = QComboBox()
        self.pattern.addItems(PATTERNS)
        self.pattern.setToolTip("Test pattern to show")
        self.level = Whole("", 0, 1, "Level of the bright pixels")
        self.period = Whole("px", 2, 4096, "Pixels from one edge to the next of the same kind")
        self.period.setValue(8)
        self.send_button = button("Show", "Show this pattern now; it stays until another one is shown", self._send)
        self.preview = ImagePanel()
        self.preview.setObjectName("picture")
        self.preview.setFixedSize(_PREVIEW_PX, _PREVIEW_PX)
        self.preview.canvas.setMinimumSize(10, 10)
        self.preview.rows.setContentsMargins(0, 0, 0, 0)
        self.preview.facts.hide()
        self.preview.setToolTip("The pattern chosen here, seen as grey levels")
        controls = grid(10, 4)
        controls.addWidget(self.preview, 0, 0, 2, 1)
        controls.addWidget(self.pattern, 0, 1, 1, 4)
        controls.addWidget(self.send_button, 0, 5)
        for column, words, field in ((1, "Level", self.level), (3, "Period", self.period)):
            controls.addWidget(QLabel(words), 1, column)
            controls.addWidget(field, 1, column + 1)
            controls.setColumnStretch(column + 1, 1)
        self.body.addLayout(controls)
        self.body.addStretch(1)
        self.pattern.currentTextChanged.connect(self._on_choice)
        self.level.valueChanged.connect(self._on_choice)
        self.period.valueChanged.connect(self._on_choice)

    def show_facts(self, facts: Facts) -> None:
        assert isinstance(facts, ModulatorFacts)
        rows, columns = facts.shape
        self.facts.setText(
            f"{columns} × {rows} pixels, {facts.bit_depth} bit · settles in {rounded(1e3 * facts.settle_time_s)} ms"
        )
        if facts.max_sequence_length > 1:
            self.facts.setToolTip(
                f"Sequences of up to {facts.max_sequence_length} patterns at {facts.max_pattern_rate_hz / 1e3:.3g} kHz"
            )
        if facts != self._facts:
            self._facts = facts
            top = 2**facts.bit_depth - 1
            self.level.setRange(0, top)
            self.level.setValue(top)
            self._on_choice()

    def set_theme(self, theme: Theme) -> None:
        self.preview.set_theme(theme)

    def chosen(self) -> Pattern | None:
        """The pattern as it would be sent; None while the device is not known."""
        facts = self._facts
        if facts is None:
            return None
        return make_pattern(
            self.pattern.currentText(), facts.shape, facts.bit_depth, self.level.value(), self.period.value()
        )

    def _on_choice(self) -> None:
        name, pattern = self.pattern.currentText(), self.chosen()
        self.level.setEnabled(name not in _WITHOUT_LEVEL)
        self.period.setEnabled(name in _WITH_PERIOD)
        if pattern is not None and self._facts is not None:
            step = max(1, max(pattern.shape) // (4 * _PREVIEW_PX))
            grey = pattern[::step, ::step].astype(np.float64) * (255 / (2**self._facts.bit_depth - 1))
            self.preview.set_rgb(np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2))

    def _send(self) -> None:
        if all_right(self.level, self.period):
            self.show_pattern.emit(self.pattern.currentText(), self.level.value(), self.period.value())
