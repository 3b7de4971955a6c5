"""What a person sees first: what this is, and one click to see it work."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from labcontrol.gui.shared.buttons import button

_TEXT = (
    "A laser lights a spatial light modulator whose macro-pixels are the neurons of a recurrent network. A mirror "
    "array chooses which neurons a detector adds up. Learning means choosing those mirrors: flip one, replay the "
    "sequence, keep the flip if the error fell. This program does that, beside the curve that theory predicts."
)
_WIDTH_PX = 640


class WelcomePage(QWidget):
    """Signals: `start_simulated`, `open_experiment`, `show_devices`, `show_calibration`,
    `show_runs`; `shown_at_start` with a choice.
    """

    start_simulated = pyqtSignal()
    show_experiment = pyqtSignal()
    show_devices = pyqtSignal()
    show_calibration = pyqtSignal()
    show_runs = pyqtSignal()
    shown_at_start = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        card = QFrame()
        card.setObjectName("panel")
        card.setFixedWidth(_WIDTH_PX)
        heading = QLabel("Welcome to labcontrol")
        heading.setProperty("role", "heading")
        text = QLabel(_TEXT)
        text.setWordWrap(True)
        self.start_button = QPushButton("Start a simulated run")
        self.start_button.setObjectName("primary")
        self.start_button.setMinimumHeight(44)
        self.start_button.clicked.connect(lambda _: self.start_simulated.emit())
        note = QLabel("256 neurons learn to predict a chaotic series; about a minute, no hardware needed.")
        note.setProperty("role", "muted")
        self.at_start = QCheckBox("Show this when the window opens")
        self.at_start.setChecked(True)
        self.at_start.toggled.connect(self.shown_at_start.emit)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(32, 28, 32, 24)
        layout.setSpacing(12)
        layout.addWidget(heading)
        layout.addWidget(text)
        layout.addSpacing(8)
        layout.addWidget(self.start_button)
        layout.addWidget(note)
        layout.addSpacing(8)
        layout.addLayout(self._other_ways())
        layout.addSpacing(8)
        layout.addWidget(self.at_start)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(card)
        row.addStretch(1)
        whole = QVBoxLayout(self)
        whole.addStretch(2)
        whole.addLayout(row)
        whole.addStretch(3)

    def _other_ways(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for row, (words, meaning, signal) in enumerate(
            (
                (
                    "Set up an experiment",
                    "task, reservoir, learning rule, bench; from and to a file",
                    self.show_experiment,
                ),
                ("Check the devices", "connect, test patterns, live camera, manual laser", self.show_devices),
                ("Calibrate a table", "step by step, then see whether it can learn", self.show_calibration),
                ("Browse earlier runs", "compare, report, export, continue an interrupted one", self.show_runs),
            )
        ):
            way = button(words, f"{words}: {meaning}", signal.emit)
            way.setMinimumWidth(180)
            what = QLabel(meaning)
            what.setProperty("role", "muted")
            grid.addWidget(way, row, 0)
            grid.addWidget(what, row, 1, Qt.AlignmentFlag.AlignVCenter)
        return grid
