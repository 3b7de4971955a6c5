"""The end of the calibration: can this table learn, and at which operating point?"""

from __future__ import annotations

from html import escape

import numpy as np
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QLabel, QProgressBar, QWidget

from labcontrol.config import ReservoirConfig
from labcontrol.formatting import count, duration, rounded
from labcontrol.gui.calibration.scan_plot import ScanPlot
from labcontrol.gui.calibration.step_texts import StepState
from labcontrol.gui.shared.banner import message_and_remedy
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.fields import Whole, all_right
from labcontrol.gui.shared.layouts import NO_MARGINS, ROOM, column, grid, label, panel, row
from labcontrol.gui.shared.theme import LIGHT, Theme
from labcontrol.host.jobs.calibration_events import SelfTestFound
from labcontrol.selftest import Trial
from labcontrol.selftest.selftest import GOOD_CONSISTENCY

_TRIALS = 50
_TITLE = "Self-test: can this table learn?"
_WORDS = (
    "Every neuron is measured twice with the task of the experiment form and once with random input; a mask is then "
    "learned from these measurements. The scan tries other operating points on the table itself."
)
_ROWS = (
    "measured",
    "effective dimension",
    "consistency",
    "linear memory",
    "signal to noise",
    "error",
    "learning time",
)


class SelftestPage(QWidget):
    """Signals: `test`; `scan` with a number of trials; `stop`; `use` with the ReservoirConfig to put into the form."""

    test = pyqtSignal()
    scan = pyqtSignal(int)
    stop = pyqtSignal()
    use = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._found: SelfTestFound | None = None
        self._problem = ""
        self.verdict = label(wraps=True)
        self._values = {name: QLabel("–") for name in _ROWS}
        self.plot = ScanPlot()
        self.found_label = label(wraps=True)
        self.trials = Whole("points", 2, 1000, "How many operating points to try")
        self.trials.setValue(_TRIALS)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.doing = label("", "muted")
        self.test_button = button("Test", "Test the table with the settings of the experiment form", self.test.emit)
        self.scan_button = button("Scan", "Try other operating points", self._on_scan)
        self.use_button = button("Use this operating point", "Put it into the experiment form", self._on_use)
        self.stop_button = button("Stop", "Light off at once", self.stop.emit)
        self.test_button.setObjectName("primary")
        self._lay_out()
        self.show_ready("")

    def _on_scan(self) -> None:
        if all_right(self.trials):
            self.scan.emit(self.trials.value())

    # --- what is shown ------------------------------------------------------------------------------------------
    def show_ready(self, obstacle: str) -> None:
        """Nothing is going on. obstacle: why nothing can be, or empty."""
        for one in (self.test_button, self.scan_button, self.trials):
            one.setEnabled(not obstacle)
        self.stop_button.hide()
        self.bar.hide()
        self.doing.setText(obstacle)
        self._show_best()

    def show_working(self, trials: int) -> None:
        for one in (self.test_button, self.scan_button, self.trials, self.use_button):
            one.setEnabled(False)
        self._problem = ""
        self.stop_button.show()
        self.bar.setRange(0, trials)
        self.bar.setValue(0)
        self.bar.show()
        if trials:
            self.plot.clear()
        else:
            self._found = None
        self._show_verdict()

    def show_activity(self, words: str) -> None:
        self.doing.setText(words)

    def show_found(self, found: SelfTestFound) -> None:
        self._found = found
        f = found.figures
        half = np.flatnonzero(found.memory < 0.5)
        seen = "all" if found.neurons == found.total else f"{count(found.neurons)} of"
        texts = (
            f"{seen} {count(found.total)} neurons, {count(found.steps)} steps, twice",
            f"{f.dimension:.1f}; {f.modes} modes above the noise",
            f"{f.consistency:.4f} (1: two replays agree)",
            f"{found.memory.sum():.1f} steps" + (f", half lost after {half[0]}" if len(half) else ""),
            rounded(f.signal_to_noise),
            f"starts at {rounded(f.start, 2)}, a learned mask is expected to reach {rounded(f.floor, 2)}",
            f"{count(f.epochs)} masks of {found.epoch_s:.2f} s: {duration(found.learning_s)}, one mask a replay",
        )
        for name, text in zip(_ROWS, texts, strict=True):
            self._values[name].setText(text)
        self._show_verdict()

    def show_trial(self, trial: Trial) -> None:
        self.plot.add(trial)
        self.bar.setValue(len(self.plot.trials))
        self.doing.setText(f"{len(self.plot.trials)} of {self.bar.maximum()} points")
        self._show_best()

    def show_error(self, error: BaseException) -> None:
        message, remedy = message_and_remedy(error)
        self._problem = f"{message} {remedy}".strip()
        self._show_verdict()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.plot.set_theme(theme)
        self._show_verdict()
        self._show_best()

    @property
    def state(self) -> tuple[StepState, str]:
        """State and text for the list of steps."""
        if self._found is None:
            return StepState.MISSING, "can this table learn?"
        if self._found.advice:
            return StepState.STALE, "learns badly as it is"
        return StepState.FRESH, "this table can learn"

    @property
    def best(self) -> ReservoirConfig | None:
        """The operating point that the scan recommends."""
        best = self.plot.best
        return best.config if best is not None and best.figures is not None else None

    # --- parts --------------------------------------------------------------------------------------------------
    def _on_use(self) -> None:
        if self.best is not None:
            self.use.emit(self.best)

    def _show_verdict(self) -> None:
        theme, found = self._theme, self._found
        lines = []
        if self._problem:
            lines.append(_coloured(theme.danger, f"✕ {self._problem}"))
        if found is not None:
            if not found.advice:
                lines.append(f'<span style="color:{theme.good}; font-weight:600">● This table can learn.</span>')
            lines += [_coloured(theme.caution, f"▲ {words[:1].upper()}{words[1:]}") for words in found.advice]
            good = found.figures.consistency >= GOOD_CONSISTENCY
            self._values["consistency"].setStyleSheet(f"color: {theme.good if good else theme.danger}")
        elif not self._problem:
            lines.append("Not tested yet.")
        self.verdict.setText("<br>".join(lines))

    def _show_best(self) -> None:
        trials, best = self.plot.trials, self.plot.best
        self.use_button.setEnabled(self.best is not None and self.stop_button.isHidden())
        if best is None:
            self.found_label.setText("No scan yet.")
            return
        if best.figures is None:
            self.found_label.setText(f"None of {len(trials)} points could be measured. {escape(best.reason)}")
            return
        point = best.config
        gain = trials[0].error / max(best.error, 1e-12)
        better = f"{gain:.1f} times lower than at the start" if best is not trials[0] else "no better point was found"
        self.found_label.setText(
            f"<b>Best of {len(trials)}:</b> feedback {point.feedback:g}, injection {point.injection:g}, phase offset "
            f"{point.phase_offset:g}: expected nmse {rounded(best.error, 2)}, {better} "
            f"<span style='color:{self._theme.muted}'>(■ start, ★ best, ✕ could not be measured)</span>"
        )

    def _lay_out(self) -> None:
        values = grid(18, 3, wide=1)
        for number, (name, value) in enumerate(self._values.items()):
            values.addWidget(label(name[:1].upper() + name[1:], "muted"), number, 0)
            values.addWidget(value, number, 1)
        inside = (14, 10, 14, 12)
        buttons = (self.stop_button, self.test_button, self.trials, self.scan_button, self.use_button)
        self.setLayout(
            column(
                label(_TITLE, "title"),
                label(_WORDS, wraps=True),
                panel(column(self.verdict, values, margins=inside)),
                (panel(column(self.found_label, (self.plot, 1), margins=inside)), 1),
                row((self.bar, 1), self.doing, ROOM, *buttons, spacing=8),
                spacing=6,
                margins=NO_MARGINS,
            )
        )


def _coloured(colour: str, words: str) -> str:
    return f'<span style="color:{colour}">{escape(words)}</span>'
