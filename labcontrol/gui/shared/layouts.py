"""Widgets put together: rows, columns, grids, panels, splitters, and labels with the looks of the style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

Part = QWidget | QLayout | int | tuple[QWidget | QLayout | None, int] | tuple[QWidget | QLayout, int, Qt.AlignmentFlag]
"""What a row or a column is made of: a part, a gap in pixels, or a part with its stretch and perhaps its alignment."""
Margins = tuple[int, int, int, int]

ROOM = (None, 1)
"""Empty room that gives way first."""
NO_MARGINS = (0, 0, 0, 0)


def row(*parts: Part, spacing: int | None = None, margins: Margins | None = None) -> QHBoxLayout:
    """Parts side by side."""
    layout = QHBoxLayout()
    _fill(layout, parts, spacing, margins)
    return layout


def column(*parts: Part, spacing: int | None = None, margins: Margins | None = None) -> QVBoxLayout:
    """Parts one below the other."""
    layout = QVBoxLayout()
    _fill(layout, parts, spacing, margins)
    return layout


def _fill(layout: QBoxLayout, parts: Sequence[Part], spacing: int | None, margins: Margins | None) -> None:
    if margins is not None:
        layout.setContentsMargins(*margins)
    if spacing is not None:
        layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, int):
            layout.addSpacing(part)
            continue
        what, stretch, *alignment = part if isinstance(part, tuple) else (part, 0)
        if isinstance(what, QLayout):
            layout.addLayout(what, stretch)
        elif what is not None:
            layout.addWidget(what, stretch, *alignment)
        else:
            layout.addStretch(stretch)


def grid(horizontal: int, vertical: int, *, wide: int | None = None, margins: Margins | None = None) -> QGridLayout:
    """An empty grid with these spacings. wide: the column that takes what room there is."""
    layout = QGridLayout()
    layout.setHorizontalSpacing(horizontal)
    layout.setVerticalSpacing(vertical)
    if wide is not None:
        layout.setColumnStretch(wide, 1)
    if margins is not None:
        layout.setContentsMargins(*margins)
    return layout


def panel(inside: QLayout) -> QFrame:
    """A frame of its own ground."""
    frame = QFrame()
    frame.setObjectName("panel")
    frame.setLayout(inside)
    return frame


def holder(inside: QLayout) -> QWidget:
    """A widget that is nothing but its layout."""
    widget = QWidget()
    widget.setLayout(inside)
    return widget


def splitter(
    *widgets: QWidget,
    vertical: bool = False,
    stretch: Sequence[int] = (),
    sizes: Sequence[int] = (),
    collapsible: bool = True,
) -> QSplitter:
    """Widgets whose room a person can share out; stretch and sizes: of each."""
    split = QSplitter(Qt.Orientation.Vertical if vertical else Qt.Orientation.Horizontal)
    for widget in widgets:
        split.addWidget(widget)
    for number, factor in enumerate(stretch):
        split.setStretchFactor(number, factor)
    if sizes:
        split.setSizes(sizes)
    split.setChildrenCollapsible(collapsible)
    return split


def stack(*pages: QWidget) -> QStackedWidget:
    """Widgets of which one is seen."""
    made = QStackedWidget()
    for page in pages:
        made.addWidget(page)
    return made


def headed_grid(headings: Sequence[str], words: int) -> QGridLayout:
    """A grid with headings in its first row; after the first columns, so many, come numbers."""
    made = grid(18, 3, wide=1, margins=NO_MARGINS)
    for place, heading in enumerate(headings):
        head = label(heading, "head")
        head.setAlignment(Qt.AlignmentFlag.AlignRight if place >= words else Qt.AlignmentFlag.AlignLeft)
        made.addWidget(head, 0, place)
    return made


def tidy_table(table: QTableView, row_px: int, widths_px: Sequence[int]) -> None:
    """Whole rows to select, no lines, and columns of these widths, the last of which takes what is left."""
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setSelectionBehavior(QTableView.SelectRows)
    table.setSelectionMode(QTableView.ExtendedSelection)
    rows, columns = table.verticalHeader(), table.horizontalHeader()
    assert rows is not None
    assert columns is not None
    rows.hide()
    rows.setDefaultSectionSize(row_px)
    columns.setStretchLastSection(True)
    columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
    columns.setHighlightSections(False)
    for place, width_px in enumerate(widths_px):
        columns.resizeSection(place, width_px)


def label(
    text: str = "",
    role: str = "",
    *,
    wraps: bool = False,
    narrow: bool = False,
    selectable: bool = False,
    centred: bool = False,
) -> QLabel:
    """A text. role: its look in the style sheet. narrow: it gives way rather than widening the window."""
    made = QLabel(text)
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wraps)
    if narrow:
        made.setMinimumWidth(1)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if centred:
        made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return made


def chip(text: str = "") -> QLabel:
    """A small label with a border, for a state."""
    made = QLabel(text)
    made.setObjectName("smallChip")
    return made
