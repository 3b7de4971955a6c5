"""The strip that is always visible: state, laser, progress, buttons, and the way to safety."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction, QFrame, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from labcontrol.engine import RunState, RunStatus
from labcontrol.formatting import count, duration, power, rounded
from labcontrol.gui.session.table import TableSession
from labcontrol.gui.shared.layouts import NO_MARGINS, ROOM, Part, column, label, row
from labcontrol.gui.shared.run_states import STATE_LABELS
from labcontrol.gui.shared.theme import set_kind
from labcontrol.host import HostState

_HOLDING = (RunState.PREPARING, RunState.RUNNING, RunState.STOPPING)
_MANUAL = ("idle", "Manual", "Devices are connected on the Devices page; no run holds the table")
_CALIBRATION = ("idle", "Calibration", "The calibration holds the table")
_CALIBRATING = ("active", "Calibrating", "The calibration holds the table")


class RunHeader(QFrame):
    """Shows who holds the table and how its run is; turns buttons and keys into signals, and decides nothing.

    Signals: start, pause, pause_dark, resume, stop, abort, safe_off.
    """

    start = pyqtSignal()
    pause = pyqtSignal()
    pause_dark = pyqtSignal()
    resume = pyqtSignal()
    stop = pyqtSignal()
    abort = pyqtSignal()
    safe_off = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self._state = RunState.IDLE
        self.state = _chip("What the run is doing")
        self.laser = _chip("Whether the program has the laser's emission switched on")
        self.error = _Fact("best error", "0.00000")
        self.epoch = _Fact("epoch", "100 / 100")
        self.left = _Fact("time left", "59 s")
        self.accepted = _Fact("accepted", "10%")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1)

        self.start_action = self._action("Start", "F5", "Start a run", self.start.emit)
        self.pause_action = self._action(
            "Pause",
            "F6",
            "Hold before the next step; the light stays on, with Shift it goes off",
            self._toggle_pause,
        )
        self.pause_dark_action = self._action(
            "Pause in the dark", "Shift+F6", "Laser off before the next step, and hold", self.pause_dark.emit
        )
        self.stop_action = self._action(
            "Stop", "F7", "Finish this epoch, measure the result, laser off, record closed", self.stop.emit
        )
        self.abort_action = self._action(
            "Abort", "F8", "End before the next step, laser off, record closed; no result is measured", self.abort.emit
        )
        self.safe_action = self._action(
            "Safe off", "F12", "Laser off at once; ends the run and keeps what was measured", self.safe_off.emit
        )
        self.buttons = {
            action: self._button(action)
            for action in (self.start_action, self.pause_action, self.stop_action, self.abort_action)
        }
        self.buttons[self.start_action].setObjectName("primary")
        self.safe_button = self._button(self.safe_action)
        self.safe_button.setObjectName("safeOff")

        facts = (self.error, self.epoch, self.left, self.accepted)
        buttons: list[Part] = [*self.buttons.values(), 8, self.safe_button]
        bar = row(self.state, self.laser, 6, *facts, ROOM, *buttons, spacing=12, margins=(16, 8, 16, 8))
        self.setLayout(column(bar, self.progress, spacing=0, margins=NO_MARGINS))
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Fixed)
        self.show_status(RunStatus(), "nmse")

    def show_table(self, table: TableSession) -> None:
        """What is done with the table now."""
        run = table.run
        self.show_status(table.status, run.experiment.learning.loss if run is not None else "nmse")
        self._show_laser(table)
        if table.state is HostState.MANUAL:
            _set_chip(self.state, *_MANUAL)
        elif table.state is HostState.CALIBRATION:
            _set_chip(self.state, *(_CALIBRATING if table.is_measuring else _CALIBRATION))
            self.start_action.setEnabled(not table.is_measuring)
        if table.host.silent_s:
            _set_chip(self.state, "danger", f"No answer for {table.host.silent_s:.0f} s", "The process hangs")

    def show_status(self, status: RunStatus, loss: str) -> None:
        """loss: name of the error shown."""
        self._state = state = status.state
        kind, text = STATE_LABELS[state]
        _set_chip(self.state, kind, f"{text}: {status.doing}" if status.doing else text, status.reason)
        measured = status.epoch > 0
        self.error.set(rounded(status.error) if measured else "–", f"best {loss}")
        self.epoch.set(f"{count(status.epoch)} / {count(status.epochs)}" if status.epochs else "–")
        self.left.set(duration(status.seconds_left) if measured and not state.is_final else "–", _left_caption(state))
        self.accepted.set(f"{status.accepted / max(status.epoch - 1, 1):.0%}" if measured else "–")
        # Whole replays go beyond the epochs planned; a strategy that is done needs fewer.
        whole = max(status.epoch if state is RunState.FINISHED else status.epochs, status.epoch, 1)
        if self.progress.maximum() != whole:
            self.progress.setRange(0, whole)
        if self.progress.value() != status.epoch:
            self.progress.setValue(status.epoch)
        self._enable(state)
        self.pause_dark_action.setEnabled(state in _HOLDING or (state is RunState.PAUSED and status.laser_on))

    def _show_laser(self, table: TableSession) -> None:
        lost = table.lost_laser.known
        if lost is not None:
            _set_chip(self.laser, lost.kind, lost.chip, lost.words)
        elif table.host.silent_s:
            was = "on" if table.light_is_on else "off"
            _set_chip(self.laser, "danger", "Laser: not known", f"It was {was} when the program was last heard")
        elif table.light_is_on:
            text = "☀  Laser ON" + (f" · {power(table.power_w)}" if table.power_w else "")
            _set_chip(self.laser, "light", text, "Emission is on; the power is the setpoint")
        else:
            _set_chip(self.laser, "idle", "○  Laser off", "The program has not switched emission on")

    def _enable(self, state: RunState) -> None:
        over = state is RunState.IDLE or state.is_final
        self.start_action.setEnabled(over)
        self.start_action.setText("Run again" if state.is_final else "Start")
        self.pause_action.setEnabled(state in _HOLDING or state is RunState.PAUSED)
        self.pause_action.setText("Resume" if state is RunState.PAUSED else "Pause")
        self.stop_action.setEnabled(state in (RunState.PREPARING, RunState.RUNNING, RunState.PAUSED))
        self.abort_action.setEnabled(not over)
        # never disabled: who wants the light off must not have to think about states
        self.safe_action.setEnabled(True)

    def _toggle_pause(self) -> None:
        (self.resume if self._state is RunState.PAUSED else self.pause).emit()

    def _action(self, text: str, key: str, tip: str, on_trigger: object) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(key))
        action.setShortcutContext(Qt.ShortcutContext.ApplicationShortcut)
        action.setToolTip(f"{tip} ({key})")
        action.triggered.connect(lambda _: on_trigger())  # type: ignore[operator]
        self.addAction(action)
        return action

    def _button(self, action: QAction) -> QPushButton:
        button = QPushButton(action.text())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(action.trigger)

        def follow() -> None:
            button.setText(action.text())
            button.setToolTip(action.toolTip())
            button.setEnabled(action.isEnabled())

        action.changed.connect(follow)
        follow()
        return button


class _Fact(QWidget):
    """A small caption over a large value. widest: a value as wide as most, so that the strip stays still."""

    def __init__(self, caption: str, widest: str) -> None:
        super().__init__()
        self._widest = widest
        self._caption, self._value = label(caption, "caption"), label("–", "value")
        self.setLayout(column(self._caption, self._value, spacing=0, margins=(4, 0, 4, 0)))

    def set(self, value: str, caption: str | None = None) -> None:
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance(self._widest))
        self._value.setText(value)
        if caption is not None:
            self._caption.setText(caption)

    @property
    def text(self) -> str:
        return self._value.text()


def _chip(tip: str) -> QLabel:
    chip = label(centred=True)
    chip.setObjectName("chip")
    chip.setToolTip(tip)
    return chip


def _set_chip(chip: QLabel, kind: str, text: str, tip: str) -> None:
    chip.setText(text)
    chip.setToolTip(tip)
    set_kind(chip, kind)


def _left_caption(state: RunState) -> str:
    return "time left (paused)" if state is RunState.PAUSED else "time left"
