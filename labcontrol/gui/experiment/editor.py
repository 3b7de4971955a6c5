"""One value of a file as a field of a form: with what it means, its range, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from PyQt5.QtCore import QSignalBlocker, pyqtSignal
from PyQt5.QtWidgets import QComboBox, QLineEdit, QWidget

from labcontrol.config import choices_of
from labcontrol.formatting import count
from labcontrol.gui.shared.fields import number_in
from labcontrol.gui.shared.layouts import column, label

_ENDLESS = 2**53  # a limit of the computer's, which nobody comes near


class Editor(QWidget):
    """One value as text in `input`; the widget itself is what stands below it: the meaning, and what is wrong."""

    edited = pyqtSignal()

    def __init__(self, field: FieldInfo, choices: tuple[str, ...]) -> None:
        super().__init__()
        self._optional = not field.is_required() and field.default is None
        self._is_number = not {int, float}.isdisjoint((field.annotation, *get_args(field.annotation)))
        limits = _range(field)
        self.help = " ".join(filter(None, (_sentence(field.description or ""), limits and f"{limits}.")))
        self.input: QLineEdit | QComboBox
        choices = choices or _literals(field)
        if choices:
            self.input = QComboBox()
            self.input.addItems(choices)
            self.input.setEditable(True)
            line = self.input.lineEdit()
            assert line is not None
        else:
            self.input = line = QLineEdit()
        self._line = line
        line.setPlaceholderText("not set" if self._optional else "")
        line.setAccessibleName(self.help)
        line.textChanged.connect(lambda _: self.edited.emit())
        self.input.setToolTip(self.help)
        self.input.setMinimumWidth(120)
        self._caption, self._problem = label(self.help, "caption", wraps=True), label("", "problem", wraps=True)
        self._problem.hide()
        self.setLayout(column(self._caption, self._problem, spacing=1, margins=(0, 0, 0, 4)))

    def set(self, value: object) -> None:
        with QSignalBlocker(self._line):
            self.type_in(value)
        self._line.setCursorPosition(0)  # a long name is seen from its beginning

    def explain(self, words: str) -> None:
        """What the chosen value means, instead of the field; empty for the field again."""
        self._caption.setText(_sentence(words) or self.help)

    def type_in(self, value: object) -> None:
        """As `set`, as if a person had typed it."""
        self._line.setText("" if value is None else _text(value))

    def value(self) -> str | None:
        text = self._line.text().strip()
        if self._is_number:
            with suppress(ValueError):  # what is none, the model refuses
                text = number_in(text)
        return None if self._optional and not text else text

    def mark(self, problem: str) -> None:
        """Say what is wrong; empty when nothing is."""
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))


def plain_fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields of a section that one line of text can say: no sections, tables or lists."""
    for key, field in model.model_fields.items():
        if not any(_is_composed(part) for part in (field.annotation, *get_args(field.annotation))):
            yield key, field


def _is_composed(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, BaseModel | dict | list | tuple)


def _literals(field: FieldInfo) -> tuple[str, ...]:
    """What may be chosen, where the model says it."""
    if field.annotation is bool:
        return ("true", "false")
    return choices_of(field)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _range(field: FieldInfo) -> str:
    found = {
        name: getattr(item, name) for item in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(item, name)
    }
    low, high = found.get("ge", found.get("gt")), found.get("le", found.get("lt"))
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}" if high < _ENDLESS else f"{_number(low)} or more"
    if low is not None:
        return f"Above {_number(low)}" if "gt" in found else f"{_number(low)} or more"
    return f"Up to {_number(high)}" if high is not None else ""


def _number(value: Any) -> str:
    return count(value) if isinstance(value, int) and value < 10**12 else f"{value:g}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""
