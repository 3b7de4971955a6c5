"""One step of the calibration: what it is for, what to look for, the camera live, the result, accept or repeat."""

from __future__ import annotations

import time
from html import escape

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QProgressBar, QPushButton, QWidget

from drivers.interfaces import Frame
from labcontrol.calibration import PROCEDURES, Calibration, CalibrationStatus
from labcontrol.formatting import duration
from labcontrol.gui.calibration.overview import CalibrationOverview
from labcontrol.gui.calibration.result import ResultView
from labcontrol.gui.calibration.step_texts import STATES, StepState, status_text, text_of
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.elided import ElidedLabel
from labcontrol.gui.shared.layouts import NO_MARGINS, ROOM, chip, column, label, panel, row, splitter
from labcontrol.gui.shared.theme import LIGHT, Theme, restyle, set_kind

_LIVE, _LAST = ("good", "live"), ("idle", "last picture; the light is off")
_NO_PICTURE = "No picture yet.\nIt comes with the measurement."


class StepPage(QWidget):
    """Shows a step; decides nothing. Signals: `measure`, `accept`, `skip`, `stop`; `go_to` with the kind of a step."""

    measure = pyqtSignal()
    accept = pyqtSignal()
    skip = pyqtSignal()
    stop = pyqtSignal()
    go_to = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = ""
        self._theme = LIGHT
        self._begun_s = 0.0
        self.title, self.state = label("", "title"), chip()
        self.reason = ElidedLabel()
        self.description, self.needs = label(wraps=True), label()
        self.needs.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse)
        self.needs.linkActivated.connect(self.go_to.emit)
        self.view = CameraView()
        self.view.setObjectName("picture")
        self.view.show_marks.setText("neurons")
        self.live = chip()
        self.live.hide()
        self.no_picture = label(_NO_PICTURE, "muted", centred=True)
        self.result = ResultView()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.progress = label("", "muted")
        self.measure_button = button("Measure", "Run this step", self.measure.emit)
        self.accept_button = button("Accept", "Keep this result and go on to the next step", self.accept.emit)
        self.skip_button = button("Skip", "Skip; steps that depend on it stay blocked", self.skip.emit)
        self.stop_button = button("Stop", "Light off at once, and end this measurement", self.stop.emit)
        self._lay_out()

    # --- what is shown ------------------------------------------------------------------------------------------
    def show_step(self, kind: str, overview: CalibrationOverview) -> None:
        """Turn to a step, as it stands in the store."""
        self.kind = kind
        words, procedure = text_of(kind), PROCEDURES[kind]
        self.title.setText(procedure.title.replace("->", "→"))
        lines = [escape(words.purpose)]
        if words.before:
            lines.append(f"<b>Before:</b> {escape(words.before)}")
        lines.append(f"<b>Look for:</b> {escape(procedure.look_for)}")
        self.description.setText("<br>".join(lines))
        self.show_overview(overview)
        calibration = overview[kind].calibration
        if calibration is not None:
            self.result.show_calibration(calibration)
        else:
            self.result.show_nothing("Not measured yet.")

    def show_overview(self, overview: CalibrationOverview) -> None:
        """How this step and those it builds on stand now."""
        status = overview[self.kind]
        self.show_state(StepState(status.state), status.reason)
        colours = {"good": self._theme.good, "danger": self._theme.danger, "caution": self._theme.caution}
        parts = []
        for need in PROCEDURES[self.kind].needs:
            kind, mark = STATES[StepState(overview[need].state)]
            colour = colours.get(kind, self._theme.muted)
            parts.append(
                f'<span style="color:{colour}">{mark}</span> <a style="color:{self._theme.accent}" href="{need}" '
                f'title="{escape(status_text(overview[need]))}">{text_of(need).name}</a>'
                + ("" if overview[need].is_fresh else f" {overview[need].state}")
            )
        self.needs.setText("Builds on  " + " · ".join(parts))
        self.needs.setVisible(bool(parts))

    def show_state(self, state: StepState, reason: str) -> None:
        self.state.setText(state)
        set_kind(self.state, STATES[state][0])
        self.reason.setText(reason)
        self.reason.setToolTip(reason)

    def show_ready(self, status: CalibrationStatus, obstacle: str) -> None:
        """Nothing is being measured. obstacle: why this step cannot be, or empty."""
        self._show_buttons(measure=True, accept=False, skip=True, stop=False)
        self.measure_button.setText("Measure again" if status.calibration is not None else "Measure")
        self.measure_button.setEnabled(not obstacle)
        self._make_primary(self.skip_button if status.is_fresh else self.measure_button)
        self.skip_button.setText("Next" if status.is_fresh else "Skip")
        self._rest(obstacle)

    def show_measuring(self) -> None:
        self.show_state(StepState.MEASURING, "")
        self.result.show_nothing("Measuring…")
        self._show_buttons(measure=False, accept=False, skip=False, stop=True)
        self._begun_s = time.monotonic()
        self.bar.setRange(0, 0)
        self.bar.show()

    def show_activity(self, words: str) -> None:
        self.progress.setText(words.replace("->", "→"))

    def show_progress(self, done: int, total: int) -> None:
        if done == total:
            self.bar.setRange(0, 0)
            self.progress.setText("computing the result")
            return
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        gone_s = time.monotonic() - self._begun_s
        left = f" · {duration(gone_s * (total - done) / done)} left" if done and gone_s > 1 else ""
        self.progress.setText(f"{done} of {total}{left}")

    def show_result(self, calibration: Calibration) -> None:
        """A new result, for a person to accept where it passed."""
        self.result.show_calibration(calibration)
        self._show_buttons(measure=True, accept=calibration.passed, skip=True, stop=False)
        self.measure_button.setText("Repeat")
        self.measure_button.setEnabled(True)
        self.skip_button.setText("Skip")
        if calibration.passed:
            self.show_state(StepState.TO_ACCEPT, "it counts when it is accepted")
            self._make_primary(self.accept_button)
        else:
            self.show_state(StepState.FAILED, "; ".join(calibration.outcome.failures))
            self._make_primary(self.measure_button)
        self._rest("")

    def show_error(self, error: BaseException) -> None:
        self.result.show_error(error)
        self._make_primary(self.measure_button)

    def show_frame(self, frame: Frame) -> None:
        self.no_picture.hide()
        self.live.show()
        self.view.show()
        self.view.set_frame(frame)

    def show_live(self, live: bool) -> None:
        """Whether the picture is of now: between two steps there is none without light."""
        kind, words = _LIVE if live else _LAST
        self.live.setText(words)
        set_kind(self.live, kind)

    def show_neurons(self, pixels: NDArray[np.float64] | None) -> None:
        """pixels: (N, 2) row and column of each neuron on the sensor, where that is known."""
        self.view.show_marks.setVisible(pixels is not None)
        self.view.set_neurons(np.empty((0, 2)) if pixels is None else pixels)

    def clear_picture(self) -> None:
        self.view.hide()
        self.live.hide()
        self.no_picture.show()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.view.set_theme(theme)
        self.result.set_theme(theme)

    def close_background(self) -> None:
        self.result.figure.close_background()

    # --- parts --------------------------------------------------------------------------------------------------
    def _rest(self, words: str) -> None:
        self.bar.hide()
        self.progress.setText(words)

    def _show_buttons(self, *, measure: bool, accept: bool, skip: bool, stop: bool) -> None:
        self.measure_button.setVisible(measure)
        self.accept_button.setVisible(accept)
        self.skip_button.setVisible(skip)
        self.stop_button.setVisible(stop)

    def _make_primary(self, primary: QPushButton) -> None:
        for one in (self.measure_button, self.accept_button, self.skip_button):
            name = "primary" if one is primary else ""
            if one.objectName() != name:
                one.setObjectName(name)
                restyle(one)

    def _lay_out(self) -> None:
        self.view.hide()
        picture = column(
            (self.live, 0, Qt.AlignmentFlag.AlignLeft), (self.no_picture, 1), (self.view, 1), margins=(8, 8, 8, 8)
        )
        result = column(self.result, margins=(14, 10, 10, 10))
        self.splitter = splitter(panel(picture), panel(result), stretch=(2, 3), sizes=(340, 600), collapsible=False)
        buttons = (self.stop_button, self.skip_button, self.measure_button, self.accept_button)
        for one in buttons:
            one.setMinimumWidth(96)
        self.setLayout(
            column(
                row(self.title, (self.state, 0, Qt.AlignmentFlag.AlignVCenter), (self.reason, 1), spacing=10),
                self.description,
                self.needs,
                (self.splitter, 1),
                row((self.bar, 1), self.progress, ROOM, *buttons, spacing=8),
                spacing=6,
                margins=NO_MARGINS,
            )
        )
