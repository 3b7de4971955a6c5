"""Colours and style sheet of the window, light and dark.

Curves and states use the palette of Okabe and Ito (https://jfly.uni-koeln.de/color), which people with any common kind
of colour blindness can distinguish; line style and text repeat it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

from PyQt5.QtGui import QColor, QPalette
from PyQt5.QtWidgets import QApplication, QWidget

from labcontrol.analysis.curve_facts import MEASURED, MODELS, OVERLAYS_DARK, OVERLAYS_LIGHT


@dataclass(frozen=True)
class Theme:
    """Colours by use, as #rrggbb.

    accent: measured data and what is active. prediction, mean_field, fit: some of the curves it is compared with.
    overlays: other runs (from Tol's muted set). light: the laser emits. good, caution, danger: states; on_*: text upon
    them.
    """

    name: str
    window: str
    panel: str
    plot: str
    border: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    each_epoch: str
    prediction: str
    mean_field: str
    fit: str
    light: str
    on_light: str
    good: str
    caution: str
    danger: str
    on_danger: str
    overlays: tuple[str, ...]


LIGHT = Theme(
    name="light",
    window="#f3f5f8",
    panel="#ffffff",
    plot="#ffffff",
    border="#d8dee7",
    text="#17202b",
    muted="#5a6675",
    faint="#e9edf2",
    accent=MEASURED["incumbent"].light,
    on_accent="#ffffff",
    each_epoch=MEASURED["each"].light,
    prediction=MODELS["prediction"].light,
    mean_field=MODELS["mean-field"].light,
    fit=MODELS["fit"].light,
    light="#f0c419",
    on_light="#1d1700",
    good="#00805c",
    caution="#b35c00",
    danger="#b3261e",
    on_danger="#ffffff",
    overlays=OVERLAYS_LIGHT,
)

DARK = Theme(
    name="dark",
    window="#12161c",
    panel="#1a2029",
    plot="#151a21",
    border="#2c3542",
    text="#e8ecf2",
    muted="#9aa6b6",
    faint="#232b36",
    accent=MEASURED["incumbent"].dark,
    on_accent="#06202f",
    each_epoch=MEASURED["each"].dark,
    prediction=MODELS["prediction"].dark,
    mean_field=MODELS["mean-field"].dark,
    fit=MODELS["fit"].dark,
    light="#f5d547",
    on_light="#1d1700",
    good="#3fcf9f",
    caution="#f0a848",
    danger="#e5554a",
    on_danger="#ffffff",
    overlays=OVERLAYS_DARK,
)

_ICONS = Path(__file__).resolve().parent / "icons"

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Give the whole application the colours of a theme."""
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    tick = (_ICONS / f"tick-{theme.name}.svg").as_posix()
    app.setStyleSheet(Template(_STYLE_SHEET).substitute(vars(theme), tick=tick))


def set_kind(widget: QWidget, kind: str) -> None:
    """Give a widget the look the style sheet has for this kind."""
    if widget.property("kind") != kind:
        widget.setProperty("kind", kind)
        restyle(widget)


def restyle(widget: QWidget) -> None:
    """Have the style sheet look at a widget again, whose name or property is another."""
    style = widget.style()
    assert style is not None
    style.unpolish(widget)
    style.polish(widget)


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    roles: dict[QPalette.ColorRole, str] = {
        QPalette.Window: theme.window,
        QPalette.WindowText: theme.text,
        QPalette.Base: theme.panel,
        QPalette.AlternateBase: theme.faint,
        QPalette.ToolTipBase: theme.panel,
        QPalette.ToolTipText: theme.text,
        QPalette.PlaceholderText: theme.muted,
        QPalette.Text: theme.text,
        QPalette.Button: theme.panel,
        QPalette.ButtonText: theme.text,
        QPalette.Highlight: theme.accent,
        QPalette.HighlightedText: theme.on_accent,
        QPalette.Link: theme.accent,
        QPalette.Mid: theme.border,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.Text, QPalette.WindowText, QPalette.ButtonText):
        palette.setColor(QPalette.Disabled, role, QColor(theme.muted))
    return palette


_STYLE_SHEET = """
QWidget { color: $text; }
QMainWindow, QDialog { background: $window; }
QToolTip { background: $panel; color: $text; border: 1px solid $border; padding: 4px; }

QLabel[role="caption"] { color: $muted; font-size: 8pt; }
QLabel[role="value"] { font-size: 13pt; font-weight: 600; }
QLabel[role="title"] { font-size: 12pt; font-weight: 600; }
QLabel[role="heading"] { font-size: 18pt; font-weight: 600; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="problem"] { color: $danger; font-size: 8pt; }
QLabel[role="dock"] { color: $muted; font-weight: 600; }
QLabel[role="head"] { color: $muted; font-size: 8pt; }

QFrame#panel { background: $panel; border: 1px solid $border; border-radius: 8px; }
QFrame#picture { background: $panel; border: 1px solid $faint; border-radius: 6px; }
QFrame#header { background: $panel; border: none; border-bottom: 1px solid $border; }

QLabel#chip { border-radius: 6px; padding: 5px 12px; font-size: 11pt; font-weight: 600; border: 1px solid $border; }
QLabel#chip[kind="idle"] { color: $muted; background: transparent; }
QLabel#chip[kind="active"] { color: $on_accent; background: $accent; border-color: $accent; }
QLabel#chip[kind="good"] { color: $good; border: 2px solid $good; }
QLabel#chip[kind="caution"] { color: $caution; border: 2px solid $caution; }
QLabel#chip[kind="danger"] { color: $on_danger; background: $danger; border-color: $danger; }
QLabel#chip[kind="light"] { color: $on_light; background: $light; border-color: $light; }

QLabel#smallChip { border-radius: 5px; padding: 1px 7px; font-size: 8pt; font-weight: 600; border: 1px solid $border; }
QLabel#smallChip[kind="idle"] { color: $muted; background: transparent; }
QLabel#smallChip[kind="active"] { color: $on_accent; background: $accent; border-color: $accent; }
QLabel#smallChip[kind="good"] { color: $good; border-color: $good; }
QLabel#smallChip[kind="caution"] { color: $caution; border-color: $caution; }
QLabel#smallChip[kind="danger"] { color: $on_danger; background: $danger; border-color: $danger; }
QLabel#smallChip[kind="light"] { color: $on_light; background: $light; border-color: $light; }

QPushButton, QToolButton {
    background: $panel; border: 1px solid $border; border-radius: 6px; padding: 5px 12px;
}
QPushButton:hover, QToolButton:hover { border-color: $accent; }
QPushButton:pressed, QToolButton:pressed { background: $faint; }
QPushButton:disabled, QToolButton:disabled { color: $muted; background: transparent; border-color: $faint; }
QPushButton:focus, QToolButton:focus { border-color: $accent; }
QPushButton#primary { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; }
QPushButton#primary:disabled { background: transparent; color: $muted; border-color: $faint; }
QPushButton:checked { background: $faint; border-color: $accent; font-weight: 600; }
QPushButton#emission:enabled { background: $light; color: $on_light; border-color: $light; font-weight: 600; }
QPushButton#safeOff {
    background: $danger; color: $on_danger; border: 2px solid $danger; font-weight: 700; padding: 7px 16px;
}
QPushButton#safeOff:hover { border-color: $text; }
QToolButton#toggle { padding: 3px 9px; color: $muted; background: transparent; }
QToolButton#toggle:checked { color: $text; background: $faint; border-color: $accent; }

QFrame#banner { border-radius: 8px; background: $panel; border: 2px solid $danger; }
QFrame#banner[kind="note"] { border-color: $accent; }
QFrame#banner[kind="caution"] { border-color: $caution; }

QProgressBar { background: $faint; border: none; max-height: 4px; min-height: 4px; }
QProgressBar::chunk { background: $accent; }

QLineEdit, QPlainTextEdit, QTextEdit {
    background: $panel; border: 1px solid $border; border-radius: 6px; padding: 3px 8px;
    selection-background-color: $accent; selection-color: $on_accent;
}
QLineEdit:disabled { color: $muted; background: $window; }
QLineEdit:focus { border-color: $accent; }
QLineEdit[kind="wrong"] { border: 2px solid $danger; color: $danger; }

QTabBar::tab { background: transparent; color: $muted; padding: 6px 14px; border: none;
    border-bottom: 2px solid $window; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QTabBar::tab:hover { color: $text; }
QFrame#tabs { background: $window; }

QMenuBar { background: transparent; border: none; }
QMenuBar::item { padding: 6px 10px; background: transparent; color: $muted; }
QMenuBar::item:selected { color: $text; background: $faint; border-radius: 6px; }
QMenu { background: $panel; border: 1px solid $border; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 24px; border-radius: 4px; }
QMenu::item:selected { background: $faint; color: $text; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }

QToolButton#dockButton { border: none; padding: 0; background: transparent; }
QToolButton#dockButton:hover { background: $faint; }
QMainWindow::separator { background: $window; width: 6px; height: 6px; }
QMainWindow::separator:hover { background: $border; }
QSplitter::handle { background: $window; }

QHeaderView::section {
    background: $panel; color: $muted; border: none; border-bottom: 1px solid $border; padding: 6px 8px;
}
QTableView, QTreeView, QListView {
    background: $panel; border: 1px solid $border; border-radius: 8px; gridline-color: $faint;
    alternate-background-color: $panel; selection-background-color: $faint; selection-color: $text;
}
QTableView::item { padding: 4px 8px; }
QListView#plain { border: none; border-radius: 0; }
QListView::item { padding: 5px 6px; border-radius: 5px; border: 1px solid transparent; }
QListView::item:selected { background: $faint; color: $text; border: 1px solid $accent; }
QScrollArea { border: none; background: transparent; }
QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 4px; min-height: 24px; min-width: 24px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QCheckBox { spacing: 8px; }
QCheckBox::indicator, QRadioButton::indicator, QTableView::indicator {
    width: 12px; height: 12px; border: 1px solid $muted; border-radius: 3px; background: $panel;
}
QRadioButton::indicator { border-radius: 7px; }
QCheckBox::indicator:checked, QRadioButton::indicator:checked, QTableView::indicator:checked {
    background: $accent; border-color: $accent;
}
QCheckBox::indicator:checked, QTableView::indicator:checked { image: url("$tick"); }
QRadioButton::indicator:checked { background: $panel; border: 4px solid $accent; width: 6px; height: 6px; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $border; background: transparent; }
QCheckBox::indicator:checked:disabled { background: $border; }
QGroupBox { border: none; margin-top: 22px; font-weight: 600; }
QGroupBox::title { subcontrol-origin: margin; left: 0; padding: 4px 0; }
"""
