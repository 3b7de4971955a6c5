"""The list of calibration steps, each with how it stands."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QFont, QPainter
from PyQt5.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from labcontrol.gui.calibration.step_texts import STATES, StepState
from labcontrol.gui.shared.theme import LIGHT, Theme

_STATE_ROLE = int(Qt.ItemDataRole.UserRole)
_TEXT_ROLE = _STATE_ROLE + 1
_KIND_ROLE = _STATE_ROLE + 2
_ROW_PX = 44
_MARK_PX = 26


class StepList(QListWidget):
    """Signals: `chosen` with the kind of the step that a person, or the program, has gone to."""

    chosen = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plain")
        self._delegate = _StepDelegate(self)
        self.setItemDelegate(self._delegate)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.currentItemChanged.connect(self._on_item)

    def add(self, kind: str, name: str) -> None:
        item = QListWidgetItem(name)
        item.setData(_KIND_ROLE, kind)
        self.addItem(item)

    def show_state(self, kind: str, state: StepState, text: str) -> None:
        item = self._item(kind)
        item.setData(_STATE_ROLE, state.value)
        item.setData(_TEXT_ROLE, text)
        item.setToolTip(f"{item.text()}: {text}")

    def state_of(self, kind: str) -> StepState:
        return StepState(self._item(kind).data(_STATE_ROLE))

    def go_to(self, kind: str) -> None:
        self.setCurrentItem(self._item(kind))

    @property
    def kind(self) -> str:
        """Of the step that is on show."""
        item = self.currentItem()
        return str(item.data(_KIND_ROLE)) if item is not None else ""

    def set_theme(self, theme: Theme) -> None:
        self._delegate.theme = theme
        viewport = self.viewport()
        assert viewport is not None
        viewport.update()

    def _item(self, kind: str) -> QListWidgetItem:
        for row in range(self.count()):
            item = self.item(row)
            if item is not None and item.data(_KIND_ROLE) == kind:
                return item
        raise KeyError(kind)

    def _on_item(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(self.kind)


class _StepDelegate(QStyledItemDelegate):
    """A mark, the name, and below it how the step stands."""

    theme: Theme = LIGHT

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(120, _ROW_PX)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if painter is None:
            return
        theme = self.theme
        kind, mark = STATES[StepState(index.data(_STATE_ROLE) or StepState.MISSING)]
        colour = QColor({
            "good": theme.good, "danger": theme.danger, "caution": theme.caution, "active": theme.accent
        }.get(kind, theme.muted))  # fmt: skip
        box = QRectF(option.rect).adjusted(2, 1, -2, -1)
        painter.save()
        painter.setRenderHint(QPainter.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor(theme.accent))
            painter.setBrush(QColor(theme.faint))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(colour)
        bold = QFont(option.font)
        bold.setWeight(QFont.DemiBold)
        painter.setFont(bold)
        painter.drawText(QRectF(box.left() + 4, box.top(), _MARK_PX, box.height()), Qt.AlignmentFlag.AlignCenter, mark)
        text = box.adjusted(_MARK_PX + 10, 4, -6, -4)
        painter.setPen(QColor(theme.text))
        painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop), index.data())
        small = QFont(option.font)
        small.setPointSizeF(max(7.0, option.font.pointSizeF() - 1.5))
        painter.setFont(small)
        painter.setPen(colour if kind != "good" else QColor(theme.muted))
        words = painter.fontMetrics().elidedText(
            str(index.data(_TEXT_ROLE) or ""), Qt.TextElideMode.ElideRight, int(text.width())
        )
        painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom), words)
        painter.restore()
