"""The learning view: verdict, outlook, curve, residual and values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QComboBox, QToolButton, QWidget

from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.run_models import why_no_law
from labcontrol.analysis.verdict import NO_VERDICT, Verdict, VerdictKind
from labcontrol.config import LearningConfig
from labcontrol.formatting import duration, rounded
from labcontrol.gui.learning.axes import HORIZONTALS, Scales
from labcontrol.gui.learning.curve_table import CurveTable
from labcontrol.gui.learning.data import LearningData
from labcontrol.gui.learning.marks import Mark
from labcontrol.gui.learning.plot import LearningPlot, Overlay
from labcontrol.gui.shared.layouts import ROOM, column, label, row
from labcontrol.gui.shared.panel import Panel
from labcontrol.gui.shared.theme import LIGHT, Theme
from labcontrol.learning import strategy_facts

_RECENT_EPOCHS = 100


class LearningView(Panel):
    """Shows one run's learning curve against its models, live or from a record.

    Call `begin` once a run, `set_models` when models are known or renewed, `set_marks` when something happened,
    `renew` when the data has grown.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data = LearningData("nmse")
        self._models: dict[str, ModelCurve] = {}
        self._judged = NO_VERDICT
        self._planned = 1
        self._at_end: dict[str, float] = {}
        self._expected = ""
        self._is_over = False
        self._remark, self._tried = "", "flips"
        self._theme = LIGHT

        self.title = label("Learning curve", "title")
        self.verdict, self.outlook = label(narrow=True), label(narrow=True)
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
        self._lay_out()

        self.table.hidden_changed.connect(self.plot.set_hidden)
        self.table.against_changed.connect(self.plot.set_against)
        self.loss.currentTextChanged.connect(self._change_loss)
        self.horizontal.currentTextChanged.connect(lambda _: self._change_axes())
        self.log_x.toggled.connect(lambda _: self._change_axes())
        self.log_y.toggled.connect(lambda _: self._change_axes())
        self.follow.clicked.connect(self.plot.set_following)
        self.plot.followed.connect(self.follow.setChecked)
        self.plot.set_hidden(self.table.hidden)
        self._change_axes()

    def begin(
        self,
        data: LearningData,
        planned: int,
        learning: LearningConfig,
        *,
        is_over: bool = False,
    ) -> None:
        """Show a run from its start. planned: epochs it may take. is_over: nothing more will come."""
        self._data, self._planned, self._is_over = data, planned, is_over
        facts = strategy_facts(learning)
        self._remark = why_no_law(facts)
        self.outlook.setVisible(not is_over or bool(self._remark))
        self._tried = "flips" if facts.flip_by_flip else "masks"
        self._models, self._judged = {}, NO_VERDICT
        self._look_ahead()
        self.verdict.setText("")
        self.outlook.setText("")
        self.table.set_errors({}, {})
        self.table.set_models({}, data.neurons)
        self.plot.set_data(data, len(data) if is_over else planned)
        self.plot.set_hidden(self.table.hidden)
        self.loss.setCurrentText(data.loss)
        self._change_loss(data.loss)
        self.plot.set_models({})
        self.renew()

    def set_models(self, models: Iterable[ModelCurve], judged: Verdict = NO_VERDICT) -> None:
        """Add models, or replace those of the same key. judged: how the run compares with its prediction by now."""
        self._judged = judged
        self._models |= {model.key: model for model in models}
        self._look_ahead()
        self.plot.set_models(self._models)
        self.table.set_models(self._models, self._data.neurons)
        self.renew()

    @property
    def epochs(self) -> int:
        """Taken in so far."""
        return len(self._data)

    @property
    def models(self) -> Mapping[str, ModelCurve]:
        return self._models

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        """Other runs to compare with."""
        self.plot.set_overlays(overlays)

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """What happened to the run."""
        self.plot.set_marks(marks)
        self.renew()

    def set_over(self) -> None:
        """Nothing more will come."""
        self._is_over = True
        self.plot.set_planned(len(self._data))
        self.renew()

    def draw(self) -> None:
        self.plot.refresh()
        self._show_values()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.plot.set_theme(theme)
        self.table.set_theme(theme)
        self._show_values()

    # --- parts --------------------------------------------------------------------------------------------------
    def _show_values(self) -> None:
        now: dict[str, float] = {}
        if self._data.rows:
            epoch, measured = float(self._data.index[-1]), float(self._data.incumbent(self._data.loss)[-1])
            telling = {key: model for key, model in self._models.items() if epoch <= model.until}
            now = {key: model.at(epoch) for key, model in telling.items()} | {"incumbent": measured}
            judged = self._judged
            colour, weight = self._theme.muted, 400
            if judged.kind in (VerdictKind.AS_PREDICTED, VerdictKind.FASTER):
                colour, weight = self._theme.good, 600
            elif judged.kind is VerdictKind.SLOWER:
                colour, weight = self._theme.caution, 600
            self.verdict.setToolTip(judged.text)
            self.verdict.setText(f'<span style="color:{colour}; font-weight:{weight}">{judged.text}</span>')
            self.outlook.setText(self._outlook(epoch))
        self.table.set_errors(now, self._at_end)

    def _look_ahead(self) -> None:
        """Errors at the last epoch, and in words what is expected there; changes with the models only."""
        last = float(self._planned - 1)
        self._at_end = {key: model.at(last) for key, model in self._models.items() if model.until >= last}
        self._expected = ""
        if "prediction" in self._at_end:
            low, high = self._models["prediction"].interval_at(last) or (math.nan, math.nan)
            value = rounded(self._at_end["prediction"])
            self._expected = f"Expected at epoch {self._planned}: <b>{value}</b> ({rounded(low)} to {rounded(high)})"

    def _outlook(self, epoch: float) -> str:
        """What is to be expected of the rest of the run, in one line."""
        parts = [self._remark] if self._remark else []
        if self.loss.currentText() != self._data.loss:
            parts.append(f"the run decides by <b>{self._data.loss}</b>: prediction, verdict and values are of that")
        if not self._is_over:
            if self._expected:
                reached = float(self._data.incumbent(self._data.loss)[-1]) <= self._at_end["prediction"]
                parts.append(self._expected + (", reached already" if reached else ""))
            left_s = max(self._planned - 1 - epoch, 0) * self._data.epoch_s
            if left_s > 0:
                parts.append(f"<b>{duration(left_s)}</b> left")
        whole, recent = self._data.accepted_share(), self._data.accepted_share(_RECENT_EPOCHS)
        if math.isfinite(whole):
            lately = f", of the last {_RECENT_EPOCHS} <b>{recent:.0%}</b>" if len(self._data) > _RECENT_EPOCHS else ""
            parts.append(f"{self._tried} accepted: <b>{whole:.0%}</b>{lately}")
        words = " &nbsp;·&nbsp; ".join(parts)
        return f'<span style="color:{self._theme.muted}">{words}</span>'

    def _change_loss(self, loss: str) -> None:
        self.plot.set_loss(loss)
        self._show_values()

    def _change_axes(self) -> None:
        horizontal = HORIZONTALS[self.horizontal.currentText()]
        self.plot.set_scales(Scales(horizontal, self.log_x.isChecked(), self.log_y.isChecked()))

    def _lay_out(self) -> None:
        controls = (self.loss, self.horizontal, self.log_x, self.log_y, self.follow)
        bar = row(self.title, 8, self.verdict, ROOM, *controls, spacing=8)
        self.setLayout(column(bar, self.outlook, (self.plot, 1), self.table, spacing=6, margins=(14, 10, 14, 12)))


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
