"""The learning view: verdict, curve, residual and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from labcontrol.gui.curve_table import CurveTable
from labcontrol.gui.learning_data import LearningData
from labcontrol.gui.learning_plot import HORIZONTALS, LearningPlot, Overlay
from labcontrol.gui.model_curves import ModelCurve, verdict
from labcontrol.gui.theme import LIGHT, Theme


class LearningView(QFrame):
    """Shows one run's learning curve against its models, live or from a record.

    Call `begin` once a run, `set_models` when models are known or renewed, `refresh` when the data has grown.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._data = LearningData("nmse")
        self._models: dict[str, ModelCurve] = {}
        self._planned = 1
        self._theme = LIGHT

        self.title = QLabel("Learning curve")
        self.title.setProperty("role", "title")
        self.verdict = QLabel("")
        self.plot = LearningPlot()
        self.table = CurveTable()
        self.loss = _combo("Which of the two error measures is shown", "nmse", "mse")
        self.horizontal = _combo("What the horizontal axis counts", *HORIZONTALS)
        self.log_x = _toggle("log x", "Logarithmic horizontal axis")
        self.log_y = _toggle("log y", "Logarithmic error axis")
        self.follow = _toggle(
            "follow", "Axes follow the run; zooming or dragging stops that, a double click resumes it"
        )
        self.log_y.setChecked(True)
        self.follow.setChecked(True)

        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.title)
        bar.addSpacing(8)
        bar.addWidget(self.verdict)
        bar.addStretch(1)
        for widget in (self.loss, self.horizontal, self.log_x, self.log_y, self.follow):
            bar.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 12)
        layout.setSpacing(8)
        layout.addLayout(bar)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.table)

        self.table.hidden_changed.connect(self.plot.set_hidden)
        self.loss.currentTextChanged.connect(self._change_loss)
        self.horizontal.currentTextChanged.connect(lambda _: self._change_axes())
        self.log_x.toggled.connect(lambda _: self._change_axes())
        self.log_y.toggled.connect(lambda _: self._change_axes())
        self.follow.clicked.connect(self.plot.set_following)
        self.plot.followed.connect(self.follow.setChecked)
        self._change_axes()

    def begin(self, data: LearningData, planned: int) -> None:
        """Show a run from its start. planned: epochs it may take."""
        self._data, self._planned = data, planned
        self._models = {}
        self.verdict.setText("")
        self.table.set_errors({}, {})
        self.table.set_models({}, data.neurons)
        self.plot.set_data(data, planned)
        self.loss.setCurrentText(data.loss)
        self._change_loss(data.loss)
        self.plot.set_models({})

    def set_models(self, models: Iterable[ModelCurve]) -> None:
        """Add models, or replace those of the same key."""
        self._models |= {model.key: model for model in models}
        self.plot.set_models(self._models)
        self.table.set_models(self._models, self._data.neurons)
        self._show_values()

    @property
    def models(self) -> Mapping[str, ModelCurve]:
        return self._models

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        """Other runs to compare with."""
        self.plot.set_overlays(overlays)

    def refresh(self) -> None:
        """Draw what is new."""
        if self.isVisible():
            self.plot.refresh()
            self._show_values()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.plot.set_theme(theme)
        self.table.set_theme(theme)
        self._show_values()

    # --- parts --------------------------------------------------------------------------------------------------
    def _show_values(self) -> None:
        end = {key: _at(model, float(self._planned)) for key, model in self._models.items()}
        now: dict[str, float] = {}
        if len(self._data):
            epoch, measured = self._data.index.values[-1], float(self._data.incumbent(self._data.loss)[-1])
            now = {key: _at(model, epoch) for key, model in self._models.items()} | {"incumbent": measured}
            self._show_verdict(measured, epoch)
        self.table.set_errors(now, end)

    def _show_verdict(self, measured: float, epoch: float) -> None:
        kind, words = verdict(measured, epoch, self._models)
        colour = {"good": self._theme.good, "caution": self._theme.caution}.get(kind, self._theme.muted)
        self.verdict.setText(f'<span style="color:{colour}; font-weight:600">{words}</span>')

    def _change_loss(self, loss: str) -> None:
        self.plot.set_loss(loss)

    def _change_axes(self) -> None:
        self.plot.set_logarithmic(x=self.log_x.isChecked(), y=self.log_y.isChecked())
        self.plot.set_horizontal(HORIZONTALS[self.horizontal.currentText()])


def _at(model: ModelCurve, epoch: float) -> float:
    return float(model.values(np.array([epoch]))[0])


def _toggle(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName("toggle")
    button.setText(text)
    button.setToolTip(tip)
    button.setCheckable(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _combo(tip: str, *items: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tip)
    combo.addItems(list(items))
    return combo
