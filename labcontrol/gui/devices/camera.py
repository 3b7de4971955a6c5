"""The camera under manual control: exposure, gain, region, and its picture live."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QWidget

from drivers.interfaces import Frame, Roi
from labcontrol.formatting import rounded
from labcontrol.gui.devices.card import DeviceCard
from labcontrol.gui.devices.live_button import LiveButton
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.fields import Quantity, Whole
from labcontrol.gui.shared.layouts import NO_MARGINS, grid, holder, label, row
from labcontrol.gui.shared.theme import Theme
from labcontrol.host.jobs.manual import CameraFacts, Facts

SIDE_PX = 236
REGION_WORDS = (
    "Offset y: first row of the region",
    "Offset x: first column of the region",
    "Height in pixels",
    "Width in pixels",
)


class CameraCard(DeviceCard):
    """Signals: `set_camera` with exposure in s, gain in dB and Roi; `frame_requested`."""

    set_camera = pyqtSignal(float, float, object)
    frame_requested = pyqtSignal()
    title, role = "Camera", "camera"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts: CameraFacts | None = None
        self.view = CameraView()
        self.view.setObjectName("picture")
        self.view.show_marks.hide()
        self.view.canvas.setMinimumSize(80, 60)
        self.view.hide()
        self.nothing_yet = label("No frame yet: connect, then Snap or Live", "muted", centred=True)
        self.exposure = Quantity("ms", 1e-3, 3, "Exposure time")
        self.gain = Quantity("dB", 1.0, 1, "Gain")
        self.region = [Whole("", 0, 65_535, tip) for tip in REGION_WORDS]
        for field in self.region:
            field.setMinimumWidth(48)
        self.whole_button = button("Whole sensor", "Use every pixel", self._use_whole)
        self.snap_button = button("Snap", "Acquire one frame", self.frame_requested.emit)
        self.live_button = LiveButton(
            "Acquire continuously", self.snap_button, self.clear_problem, self.frame_requested.emit
        )
        for field in (self.exposure, self.gain, *self.region):
            field.valueChanged.connect(self._send)
        self.body.addLayout(self._controls_and_picture(), 1)

    def show_facts(self, facts: Facts) -> None:
        assert isinstance(facts, CameraFacts)
        rows, columns = facts.sensor_shape
        shortest, longest = (rounded(1e3 * limit, 2) for limit in facts.exposure_limits_s)
        self.facts.setText(
            f"{columns} × {rows} pixels, {facts.bit_depth} bit · exposure {shortest} to {longest} ms · "
            f"readout {rounded(1e3 * facts.readout_time_s)} ms"
        )
        self._facts = facts
        self.view.set_bit_depth(facts.bit_depth)
        fields = (self.exposure, self.gain, *self.region)
        for field in fields:
            field.blockSignals(True)
        self.exposure.set_limits_si(*facts.exposure_limits_s)
        self.exposure.set_si(facts.exposure_s)
        self.gain.set_limits_si(*facts.gain_limits_db)
        self.gain.set_si(facts.gain_db)
        roi = facts.roi
        for field, value, most in zip(
            self.region, (roi.row, roi.column, roi.rows, roi.columns), (rows, columns, rows, columns), strict=True
        ):
            field.setMaximum(most)
            field.show_value(value)
        for field in fields:
            field.blockSignals(False)

    def show_disconnected(self) -> None:
        super().show_disconnected()
        self._facts = None
        if hasattr(self, "live_button"):
            self.live_button.setChecked(False)

    def show_problem(self, error: BaseException) -> None:
        super().show_problem(error)
        self.live_button.setChecked(False)

    def show_frame(self, frame: Frame) -> None:
        self.nothing_yet.hide()
        self.view.show()
        self.view.set_frame(frame)

    def set_theme(self, theme: Theme) -> None:
        self.view.set_theme(theme)

    def _controls_and_picture(self) -> QHBoxLayout:
        """Controls on the left, the picture on the right."""
        controls = grid(8, 6, margins=NO_MARGINS)
        for place, (words, fields) in enumerate(
            (
                ("Exposure", [self.exposure]),
                ("Gain", [self.gain]),
                ("Offset x, y", self.region[1::-1]),
                ("Width, height (px)", self.region[:1:-1]),
            )
        ):
            controls.addWidget(QLabel(words), place, 0)
            for column, field in enumerate(fields, start=1):
                controls.addWidget(field, place, column, 1, 3 - len(fields))
        controls.addWidget(self.whole_button, 4, 0, 1, 3)
        controls.addLayout(row((self.snap_button, 1), (self.live_button, 1), spacing=6), 5, 0, 1, 3)
        controls.setRowStretch(6, 1)
        side = holder(controls)
        side.setFixedWidth(SIDE_PX)
        return row(side, (self.nothing_yet, 1), (self.view, 1), spacing=12)

    # --- parts --------------------------------------------------------------------------------------------------
    def _use_whole(self) -> None:
        if self._facts is not None:
            rows, columns = self._facts.sensor_shape
            self._ask(Roi(0, 0, rows, columns))

    def _send(self) -> None:
        self._ask(Roi(*(field.value() for field in self.region)))

    def _ask(self, roi: Roi) -> None:
        if self._facts is not None:
            self.clear_problem()
            self.set_camera.emit(self.exposure.si, self.gain.si, roi)
