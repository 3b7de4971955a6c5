"""What a person sees first: what this is, and one click to see it work."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from PyQt5.QtCore import QSettings, Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QGridLayout, QPushButton

from labcontrol.config import ExperimentConfig
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Page
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.layouts import ROOM, Part, column, grid, label, panel, row

_TEXT = (
    "A laser lights a spatial light modulator whose macro-pixels are the neurons of a recurrent network. A mirror "
    "array chooses which neurons a detector adds up. Learning means choosing those mirrors: flip one, replay the "
    "sequence, keep the flip if the error fell. This program does that, beside the curve that theory predicts."
)
_WIDTH_PX = 640
_KEY = "welcome/show"


class WelcomePage(Page):
    """One click to a simulated run, and a button for each page that has an invitation.

    Signal: `page_chosen` with the Page that a person wants to begin with.
    """

    title = "Welcome"

    page_chosen = pyqtSignal(object)

    def __init__(self, context: WindowContext, pages: Iterable[Page]) -> None:
        super().__init__(context)
        self.start_button = QPushButton("Start a simulated run")
        self.start_button.setObjectName("primary")
        self.start_button.setMinimumHeight(44)
        self.start_button.setToolTip("Run the experiment that needs no setting, on the simulated table")
        self.start_button.clicked.connect(lambda _: context.starter.start_simulated())
        note = label(
            f"{ExperimentConfig().neurons} neurons learn to predict a chaotic series; about a minute, no hardware "
            "needed.",
            "muted",
        )
        self.at_start = QCheckBox("Show this when the window opens")
        self.at_start.setChecked(True)
        self.at_start.setToolTip("The Help menu shows it at any time")
        words = (label("Welcome to labcontrol", "heading"), label(_TEXT, wraps=True))
        parts: tuple[Part, ...] = (self.start_button, note, 8, self._invitations(pages), 8, self.at_start)
        card = panel(column(*words, 8, *parts, spacing=12, margins=(32, 28, 32, 24)))
        card.setFixedWidth(_WIDTH_PX)
        self.setLayout(column((None, 2), row(ROOM, card, ROOM), (None, 3)))

    def save(self, settings: QSettings) -> None:
        settings.setValue(_KEY, self.at_start.isChecked())

    def restore(self, settings: QSettings) -> None:
        self.at_start.setChecked(settings.value(_KEY, True, type=bool))

    def _invitations(self, pages: Iterable[Page]) -> QGridLayout:
        ways = grid(14, 6, wide=1)
        for place, page in enumerate(page for page in pages if page.invitation is not None):
            assert page.invitation is not None
            text, meaning = page.invitation
            way = button(text, f"{text}: {meaning}", partial(self.page_chosen.emit, page))
            way.setMinimumWidth(180)
            ways.addWidget(way, place, 0)
            ways.addWidget(label(meaning, "muted"), place, 1, Qt.AlignmentFlag.AlignVCenter)
        return ways
