"""A form for an experiment, made from the same models as its file: names, help, ranges and checks are theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFormLayout, QFrame, QWidget

from labcontrol.bench import BUILT_IN_BENCHES
from labcontrol.config import ExperimentConfig, Section, user_error
from labcontrol.errors import UserError
from labcontrol.gui.experiment.editor import Editor, plain_fields
from labcontrol.gui.shared.layouts import NO_MARGINS, ROOM, column, label, row
from labcontrol.learning import STRATEGIES, strategy_class
from labcontrol.tasks import TASKS

# What a text field of the file may say, where that is known; other values can be typed.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "bench": tuple(BUILT_IN_BENCHES),
    "task.name": tuple(TASKS),
    "learning.strategy": tuple(STRATEGIES),
}
_OPTIONS = "learning.options"
_UNITS = ("s", "w", "hz", "px")
_COLUMNS = [["", "task", "stop"], ["reservoir", "prediction"], ["learning", _OPTIONS]]
_TITLES = {
    "": "Run",
    "stop": "When to stop",
    "prediction": "Prediction before the run",
    _OPTIONS: "Options of the strategy",
}


class ExperimentForm(QWidget):
    """Shows and edits an experiment. `changed` after every edit; what is wrong is said at the field."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = ExperimentConfig()
        self._editors: dict[str, Editor] = {}
        self._options: dict[str, Editor] = {}
        self._settings: type[Section] = Section
        self._panels: dict[str, _Panel] = {}
        columns = _columns()
        for section in (name for sections in columns for name in sections):
            self._panels[section] = _Panel(_TITLES.get(section, section.capitalize()))
            if section != _OPTIONS:
                self._editors |= self._fill(self._panels[section], section, _model(section))
        stacks = (column(*(self._panels[name] for name in sections), ROOM, spacing=8) for sections in columns)
        self.setLayout(row(*((stack, 1) for stack in stacks), spacing=8, margins=NO_MARGINS))
        self.set_experiment(ExperimentConfig())

    def set_experiment(self, experiment: ExperimentConfig) -> None:
        """Show this one."""
        self._shown = experiment
        for name, editor in self._editors.items():
            value: Any = experiment
            for part in name.split("."):
                value = getattr(value, part)
            editor.set(value)
        self._show_options()
        for key, value in experiment.learning.options.items():
            if f"{_OPTIONS}.{key}" in self._options:
                self._options[f"{_OPTIONS}.{key}"].set(value)
        self.check()

    def set_value(self, name: str, value: object) -> None:
        """Put a value into the field of this dotted name, as if it had been typed."""
        (self._editors | self._options)[name].type_in(value)

    def experiment(self) -> ExperimentConfig:
        """What the form says. Raises UserError when it does not hold together."""
        try:
            options = self._chosen_options()
        except ValidationError as error:
            raise user_error(error, self._settings, "The options of the strategy") from None
        try:
            return ExperimentConfig.model_validate(self._values(options))
        except ValidationError as error:
            raise user_error(error, ExperimentConfig, "The experiment") from None

    def check(self) -> bool:
        """Mark what is wrong, field by field; True if nothing is."""
        problems: dict[str, str] = {}
        try:
            self._chosen_options()
        except ValidationError as error:
            problems |= _problems(error, f"{_OPTIONS}.")
        try:
            ExperimentConfig.model_validate(self._values({}))
        except ValidationError as error:
            problems |= _problems(error, "")
        for name, editor in (self._editors | self._options).items():
            editor.mark(problems.get(name, ""))
        return not problems

    # --- parts --------------------------------------------------------------------------------------------------
    def _values(self, options: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = self._shown.model_dump()  # also what one line of text cannot say
        for name, editor in self._editors.items():
            *sections, key = name.split(".")
            section = values
            for part in sections:
                section = section[part]
            section[key] = editor.value()
        values["learning"]["options"] = options
        return values

    def _chosen_options(self) -> dict[str, Any]:
        """The strategy's options that differ from their defaults. Raises ValidationError."""
        given = {name.removeprefix(f"{_OPTIONS}."): editor.value() for name, editor in self._options.items()}
        settings = self._settings.model_validate(given)
        fields = type(settings).model_fields
        return {key: value for key, value in settings if value != fields[key].default}

    def _show_options(self) -> None:
        """The options of the strategy that is named now, and what it does."""
        named = self._editors["learning.strategy"]
        chosen = STRATEGIES.get(named.value() or "")
        named.explain(chosen.description if chosen else "")
        try:
            wanted = strategy_class(self._editors["learning.strategy"].value() or "").Settings
        except UserError:
            wanted = Section
        if wanted is self._settings:
            return
        self._settings = wanted
        panel = self._panels[_OPTIONS]
        panel.clear()
        self._options = self._fill(panel, _OPTIONS, wanted)
        for name, editor in self._options.items():
            editor.set(wanted.model_fields[name.removeprefix(f"{_OPTIONS}.")].default)
        panel.setVisible(bool(self._options))

    def _fill(self, panel: _Panel, section: str, model: type[BaseModel]) -> dict[str, Editor]:
        editors = {}
        for key, field in plain_fields(model):
            name = f"{section}.{key}" if section else key
            editors[name] = editor = Editor(field, CHOICES.get(name, ()))
            editor.edited.connect(self._on_edit)
            panel.add(_label(key), editor)
        return editors

    def _on_edit(self) -> None:
        self._show_options()  # before anybody hears of it: another strategy has other options
        self.check()
        self.changed.emit()


def _label(key: str) -> str:
    """A key as words, its unit in brackets."""
    stem, _, unit = key.rpartition("_")
    words, unit = (stem, f" ({unit})") if unit in _UNITS else (key, "")
    return words.replace("_", " ").capitalize() + unit


class _Panel(QFrame):
    """A section: its title and its fields."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(2)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self.setLayout(column(label(title, "title"), self._form, margins=(14, 10, 14, 12)))

    def add(self, words: str, editor: Editor) -> None:
        name = label(words)
        name.setToolTip(editor.help)
        self._form.addRow(name, editor.input)
        self._form.addRow(editor)

    def clear(self) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)


def _columns() -> list[list[str]]:
    """The sections of an experiment in columns; one that nobody has given a place goes where there is most room."""
    columns = [list(sections) for sections in _COLUMNS]
    placed = {section for sections in columns for section in sections}
    for name, field in ExperimentConfig.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section) and name not in placed:
            min(columns, key=_fields_in).append(name)
    return columns


def _fields_in(sections: list[str]) -> int:
    return sum(len(_model(section).model_fields) for section in sections if section != _OPTIONS)


def _model(section: str) -> type[BaseModel]:
    model = ExperimentConfig if not section else ExperimentConfig.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


def _problems(error: ValidationError, prefix: str) -> dict[str, str]:
    """What is wrong, by the dotted name of the field."""
    return {
        prefix + ".".join(map(str, detail["loc"])): detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
        for detail in error.errors()
    }
