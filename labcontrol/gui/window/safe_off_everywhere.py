"""Safe off in every state of the program: by its key with any dialog or menu in front, by a button in every dialog."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QCoreApplication, QEvent, QObject, Qt
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QDialog, QGridLayout, QPushButton

SAFE_OFF_KEY = Qt.Key.Key_F12


class SafeOffEverywhere(QObject):
    """Sees every event of the application, as long as it lives.

    A dialog keeps clicks and shortcuts from the window behind it. Its key events come by here, and while the laser
    emits it gets a red button of its own, whatever dialog it is: nobody who adds one has to think of this.

    Parameters
    ----------
    safe_off : callable
        What the red button of the window does.
    is_lit : callable
        Whether the laser emits, as far as is known.
    """

    def __init__(self, safe_off: Callable[[], None], is_lit: Callable[[], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._safe_off, self._is_lit = safe_off, is_lit
        app = QCoreApplication.instance()
        assert app is not None
        app.installEventFilter(self)
        app.aboutToQuit.connect(self._let_go)  # a method, not a closure: that would keep the window for ever

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        kind = event.type() if event is not None else QEvent.Type.None_
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() == SAFE_OFF_KEY:
            if not event.isAutoRepeat() and watched is not None and watched.isWidgetType():
                self._safe_off()  # once: a window of the system hands the same event on to its widget
            return watched is not None and watched.isWidgetType()
        if kind == QEvent.Type.Show and isinstance(watched, QDialog) and watched.isModal() and self._is_lit():
            self._put_button_into(watched)
        return False

    def _let_go(self) -> None:
        """Events that Qt still sends while Python ends would find no Python there."""
        app = QCoreApplication.instance()
        assert app is not None
        app.removeEventFilter(self)

    def _put_button_into(self, dialog: QDialog) -> None:
        layout = dialog.layout()
        if layout is None or dialog.findChild(QPushButton, "safeOff") is not None:
            return
        button = QPushButton("Safe off (F12)")
        button.setObjectName("safeOff")
        button.setToolTip("Laser off at once; this dialog stays")
        button.setAutoDefault(False)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda _: self._safe_off())
        if isinstance(layout, QGridLayout):
            layout.addWidget(button, layout.rowCount(), 0, 1, layout.columnCount())
        else:
            layout.addWidget(button)
        button.show()  # children were shown before the dialog's own event
