"""Manual control of the detector: its trace live."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QLabel, QWidget

from drivers.interfaces import Samples
from labcontrol.formatting import count, power, power_unit, rounded
from labcontrol.gui.devices.camera import SIDE_PX
from labcontrol.gui.devices.card import DeviceCard
from labcontrol.gui.devices.live_button import LiveButton
from labcontrol.gui.shared.axes import readable_plot, style_plot
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.fields import Quantity, Whole, all_right
from labcontrol.gui.shared.layouts import NO_MARGINS, grid, holder, label, row
from labcontrol.gui.shared.theme import Theme
from labcontrol.host.jobs.manual import DetectorFacts, Facts


class DetectorCard(DeviceCard):
    """Signal: `trace_requested` with the number of samples and their rate in Hz."""

    trace_requested = pyqtSignal(int, float)
    title, role = "Detector", "detector"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.samples = Whole("", 1, 10_000_000, "Samples of one trace")
        self.samples.setValue(500)
        self.rate = Quantity("kHz", 1e3, 3, "Samples a second")
        self.read_button = button("Read", "Acquire one trace", self._ask)
        self.live_button = LiveButton("Acquire continuously", self.read_button, self.clear_problem, self._ask)
        self.reading = label("–", "value")
        self.reading.setToolTip("Mean of the trace, and the standard deviation of its samples as a fraction of it")
        self.reading.setTextFormat(Qt.TextFormat.RichText)
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setMinimumSize(120, 100)
        self.plot = readable_plot("power", "time in ms")
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.getAxis("left").setWidth(66)
        self.canvas.addItem(self.plot)
        self.curve = pg.PlotCurveItem()
        self.plot.addItem(self.curve)
        controls = grid(8, 6, margins=NO_MARGINS)
        for place, (words, field) in enumerate((("Samples", self.samples), ("Rate", self.rate))):
            controls.addWidget(QLabel(words), place, 0)
            controls.addWidget(field, place, 1)
        controls.addLayout(row((self.read_button, 1), (self.live_button, 1), spacing=6), 2, 0, 1, 2)
        controls.addWidget(self.reading, 3, 0, 1, 2)
        controls.setRowStretch(4, 1)
        side = holder(controls)
        side.setFixedWidth(SIDE_PX)
        self.body.addLayout(row(side, (self.canvas, 1), spacing=12), 1)

    def choose_rate(self, rate_hz: float) -> None:
        """The rate the bench file asks for."""
        self.rate.setMaximum(max(self.rate.maximum(), rate_hz / 1e3))
        self.rate.setValue(rate_hz / 1e3)

    def show_facts(self, facts: Facts) -> None:
        assert isinstance(facts, DetectorFacts)
        self.rate.set_limits_si(1.0, facts.max_rate_hz)
        self.samples.setMaximum(facts.max_samples)
        trigger = "can be triggered by the DMD" if facts.has_trigger else "without trigger"
        self.facts.setText(
            f"up to {facts.max_rate_hz / 1e3:.4g} kHz and {count(facts.max_samples)} samples · {trigger}"
        )

    def show_disconnected(self) -> None:
        super().show_disconnected()
        if hasattr(self, "live_button"):
            self.live_button.setChecked(False)
            self.reading.setText("–")

    def show_problem(self, error: BaseException) -> None:
        super().show_problem(error)
        self.live_button.setChecked(False)

    def show_trace(self, samples: Samples) -> None:
        data = samples.data
        scale, unit = power_unit(float(np.abs(data).max()))
        self.curve.setData(1e3 * np.arange(data.size) / samples.rate_hz, data / scale)
        self.plot.setLabel("left", f"power in {unit}")
        low, high = float(data.min()), float(data.max())
        room = max(high - low, 1e-6 * abs(high), 1e-15) / 10
        self.plot.setYRange((low - room) / scale, (high + room) / scale, padding=0)
        mean = float(data.mean())
        spread = f"± {rounded(100 * float(data.std()) / abs(mean), 2)} %" if mean else ""
        note = "OVERLOAD" if samples.overload else spread
        self.reading.setText(f"{power(mean)} <span style='font-size:8pt; font-weight:400'>{note}</span>")

    def set_theme(self, theme: Theme) -> None:
        self.canvas.setBackground(theme.panel)
        style_plot(self.plot, theme)
        self.curve.setPen(pg.mkPen(theme.accent, width=1.5))

    def _ask(self) -> None:
        if all_right(self.samples, self.rate):
            self.trace_requested.emit(self.samples.value(), self.rate.si)
