"""The queue of runs beside the form: add, reorder, remove, run through, stop after this one."""

from __future__ import annotations

from PyQt5.QtCore import QSignalBlocker, Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QFrame, QListWidget, QListWidgetItem, QWidget

from labcontrol.formatting import count
from labcontrol.gui.session.run_queue import RunQueue
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.layouts import column, label, row

_EMPTY = "Nothing waits.\nSet up a run in the form, then “Add to queue”.\nRuns that wait are kept between sessions."

_LONG = 30


class QueuePanel(QFrame):
    """Shows a `RunQueue` and edits it.

    Signals: `add_requested`; `edit_requested` with a QueuedRun taken out of the queue.
    """

    add_requested = pyqtSignal()
    edit_requested = pyqtSignal(object)

    def __init__(self, queue: RunQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.queue = queue
        self._run_is_active = False
        self.heading = label("Queue", "title")
        self.list = QListWidget()
        self.list.setObjectName("plain")
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        self.list.setResizeMode(QListWidget.Adjust)
        self.list.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentRowChanged.connect(lambda _: self._show_buttons())
        self.list.itemDoubleClicked.connect(lambda _: self._edit())
        self.empty = label(_EMPTY, "muted", wraps=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.add_button = button("Add to queue", "Let the run of the form wait for its turn", self.add_requested.emit)
        self.up_button = button("Up", "One place earlier", lambda: self._move(-1))
        self.down_button = button("Down", "One place later", lambda: self._move(1))
        self.edit_button = button("Edit", "Take it out of the queue and into the form (double click)", self._edit)
        self.remove_button = button("Remove", "Take it out of the queue", self._remove)
        self.go_button = button(
            "Run the queue",
            "Start the first run; each next one starts when the one before has ended by itself",
            queue.run_through,
        )
        self.halt = QCheckBox("Stop after this run")
        self.halt.setToolTip("Start nothing more from the queue when the present run is over")
        self.halt.toggled.connect(queue.halt)
        self._lay_out()
        queue.changed.connect(self.refresh)
        self.refresh()

    def select_last(self) -> None:
        """Select the run that was added last."""
        self.list.setCurrentRow(self.list.count() - 1)

    def show_run(self, *, active: bool) -> None:
        """Whether a run owns the table now."""
        if active != self._run_is_active:
            self._run_is_active = active
            self.refresh()

    def refresh(self) -> None:
        """Show what the queue holds now."""
        row = self.list.currentRow()
        self.list.clear()
        for place, run in enumerate(self.queue.waiting, start=1):
            rule, rest = run.how
            # what does not fit into its line would be cut with all that follows
            gap = "\n" if len(rule) + len(rest) > _LONG else " · "
            item = QListWidgetItem(f"{place}.  {run.what}\n{rule}{gap}{rest}")
            note = f"\n{run.experiment.note}" if run.experiment.note else ""
            item.setToolTip(f"At most {count(run.experiment.epochs)} epochs on {run.experiment.bench}{note}")
            self.list.addItem(item)
        self.list.setCurrentRow(min(row, self.list.count() - 1))
        waiting = len(self.queue.waiting)
        self.heading.setText(f"Queue · {waiting} waiting" if waiting else "Queue")
        self.list.setVisible(waiting > 0)
        self.empty.setVisible(waiting == 0)
        with QSignalBlocker(self.halt):
            self.halt.setChecked(self.queue.halts)
        self._show_buttons()

    # --- parts --------------------------------------------------------------------------------------------------
    def _move(self, by: int) -> None:
        self.list.setCurrentRow(self.queue.move(self.list.currentRow(), by))

    def _remove(self) -> None:
        self.queue.remove(self.list.currentRow())

    def _edit(self) -> None:
        self.edit_requested.emit(self.queue.remove(self.list.currentRow()))

    def _show_buttons(self) -> None:
        row, waiting = self.list.currentRow(), len(self.queue.waiting)
        chosen = 0 <= row < waiting
        self.up_button.setEnabled(chosen and row > 0)
        self.down_button.setEnabled(chosen and row < waiting - 1)
        self.edit_button.setEnabled(chosen)
        self.remove_button.setEnabled(chosen)
        self.go_button.setEnabled(waiting > 0 and not self._run_is_active)
        self.halt.setEnabled(self.queue.going and self._run_is_active)

    def _lay_out(self) -> None:
        order = row(self.up_button, self.down_button, self.edit_button, self.remove_button, spacing=6)
        lists = (self.list, 1), (self.empty, 1)
        last = self.go_button, self.halt
        self.setLayout(column(self.heading, self.add_button, *lists, order, *last, spacing=8, margins=(14, 10, 14, 12)))
        self.setFixedWidth(300)
