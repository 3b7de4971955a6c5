"""A form for an experiment, made from the same models as its file: names, help, ranges and checks are theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QComboBox, QFormLayout, QFrame, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from labcontrol.config import ExperimentConfig, Section, user_error
from labcontrol.learning import ACCEPTANCES, SELECTIONS, STRATEGIES
from labcontrol.tasks import TASKS

# What a text field of the file may say, where that is known; other values can be typed.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "task.name": tuple(name for name in TASKS if not name.endswith(".csv")),
    "learning.strategy": tuple(STRATEGIES),
    "learning.selection": tuple(SELECTIONS),
    "learning.acceptance": tuple(ACCEPTANCES),
    "learning.loss": ("nmse", "mse"),
}
_COLUMNS = (("", "task"), ("reservoir", "prediction"), ("learning", "stop"))
_TITLES = {"": "Run", "stop": "When to stop", "prediction": "Prediction before the run"}


class ExperimentForm(QWidget):
    """Shows and edits an experiment. `changed` after every edit; what is wrong is said at the field."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editors: dict[str, _Editor] = {}
        self._shown = ExperimentConfig()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for sections in _COLUMNS:
            column = QVBoxLayout()
            column.setSpacing(8)
            for section in sections:
                column.addWidget(self._panel(section))
            column.addStretch(1)
            row.addLayout(column, 1)
        self.set_experiment(ExperimentConfig())

    def set_experiment(self, experiment: ExperimentConfig) -> None:
        """Show this one."""
        self._shown = experiment
        for name, editor in self._editors.items():
            value: Any = experiment
            for part in name.split("."):
                value = getattr(value, part)
            editor.set(value)
        self.check()

    def experiment(self) -> ExperimentConfig:
        """What the form says. Raises UserError when it does not hold together."""
        try:
            return ExperimentConfig.model_validate(self._values())
        except ValidationError as error:
            raise user_error(error, ExperimentConfig, "The experiment") from None

    def check(self) -> bool:
        """Mark what is wrong, field by field; True if nothing is."""
        problems: dict[str, str] = {}
        try:
            ExperimentConfig.model_validate(self._values())
        except ValidationError as error:
            for detail in error.errors():
                message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
                problems[".".join(map(str, detail["loc"]))] = message
        for name, editor in self._editors.items():
            editor.mark(problems.get(name, ""))
        return not problems

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, editor in self._editors.items():
            *sections, key = name.split(".")
            section = values
            for part in sections:
                section = section.setdefault(part, {})
            section[key] = editor.value()
        learning = self._shown.learning  # options belong to a strategy and cannot be edited here
        if values["learning"]["strategy"] == learning.strategy:
            values["learning"]["options"] = learning.options
        return values

    def _panel(self, section: str) -> QFrame:
        model = ExperimentConfig if not section else ExperimentConfig.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        panel = QFrame()
        panel.setObjectName("panel")
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(14, 10, 14, 12)
        title = QLabel(_TITLES.get(section, section.capitalize()))
        title.setProperty("role", "title")
        layout.addWidget(title)
        form = QFormLayout()
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(4)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        for key, field in _plain_fields(model):
            name = f"{section}.{key}" if section else key
            editor = _Editor(field, CHOICES.get(name, ()))
            editor.edited.connect(self._on_edit)
            label = QLabel(key.replace("_", " ").capitalize())
            label.setToolTip(editor.help)
            form.addRow(label, editor)
            self._editors[name] = editor
        layout.addLayout(form)
        return panel

    def _on_edit(self) -> None:
        self.check()
        self.changed.emit()


class _Editor(QWidget):
    """One value as text, with its range beside and what is wrong with it below."""

    edited = pyqtSignal()

    def __init__(self, field: FieldInfo, choices: tuple[str, ...]) -> None:
        super().__init__()
        self._optional = not field.is_required() and field.default is None
        limits = _range(field)
        explanation = _sentence(field.description or "")
        self.help = f"{explanation} Range: {limits}." if limits else explanation
        self._input: QLineEdit | QComboBox
        if choices:
            self._input = QComboBox()
            self._input.addItems(choices)
            self._input.setEditable(True)
            line = self._input.lineEdit()
            assert line is not None
        else:
            self._input = line = QLineEdit()
        self._line = line
        line.setPlaceholderText("not set" if self._optional else "")
        line.textChanged.connect(lambda _: self.edited.emit())
        self._input.setToolTip(self.help)
        self._input.setMinimumWidth(120)
        caption = QLabel(explanation)
        caption.setProperty("role", "caption")
        caption.setWordWrap(True)
        self._problem = QLabel("")
        self._problem.setProperty("role", "problem")
        self._problem.setWordWrap(True)
        self._problem.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 1, 0, 1)
        layout.setSpacing(1)
        layout.addWidget(self._input)
        layout.addWidget(caption)
        layout.addWidget(self._problem)

    def set(self, value: object) -> None:
        self._line.blockSignals(True)
        self._line.setText("" if value is None else str(value))
        self._line.blockSignals(False)

    def value(self) -> str | None:
        text = self._line.text().strip()
        return None if self._optional and not text else text

    def mark(self, problem: str) -> None:
        """Say what is wrong; empty when nothing is."""
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))


def _plain_fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for key, field in model.model_fields.items():
        is_section = isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        if not is_section and get_origin(field.annotation) is not dict:
            yield key, field


def _range(field: FieldInfo) -> str:
    found = {
        name: getattr(item, name) for item in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(item, name)
    }
    low, high = found.get("ge", found.get("gt")), found.get("le", found.get("lt"))
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"above {low}" if "gt" in found else f"{low} or more"
    return f"up to {high}" if high is not None else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""
