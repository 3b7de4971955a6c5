"""What program this is, with the versions that matter when something is reported."""

from __future__ import annotations

from html import escape

from PyQt5.QtCore import PYQT_VERSION_STR, QT_VERSION_STR
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QWidget

from drivers.registry import driver_names
from labcontrol.gui.shared.layouts import column, label
from labcontrol.records.provenance import provenance

_PACKAGES = ("numpy", "scipy", "numba", "h5py", "pyqtgraph", "pydantic", "pyvisa", "pyserial")


def versions() -> dict[str, str]:
    """What is asked first when something is reported."""
    known = provenance()
    git = known["git"]
    revision = (
        "not a checkout" if git is None else git["revision"][:12] + (" with changes" if git["changes_sha256"] else "")
    )
    packages = {name.lower(): number for name, number in known["packages"].items()}
    return {
        "labcontrol": known["version"],
        "Revision": revision,
        "Python": known["python"],
        "Qt": f"{QT_VERSION_STR}, PyQt {PYQT_VERSION_STR}",
        **{name: packages[name] for name in _PACKAGES if name in packages},
        "System": known["platform"],
        "Drivers": str(len(driver_names())),
    }


class AboutDialog(QDialog):
    """Purpose, source, licence and versions; a button copies the versions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About labcontrol")
        self._versions = versions()
        rows = "".join(
            f"<tr><td style='padding-right:14px'>{escape(name)}</td><td>{escape(number)}</td></tr>"
            for name, number in self._versions.items()
        )
        text = label(
            "<h3>labcontrol</h3>"
            "<p>Trains the Boolean readout of a photonic reservoir in place, and shows whether learning follows its "
            "predicted curve.</p>"
            "<p>After L. Andreoli, S. Chrétien, X. Porte, D. Brunner, <i>Convergence and scaling of Boolean-weight "
            "optimization for hardware reservoirs</i>, arXiv 2305.07908.</p>"
            f"<table>{rows}</table>"
            "<p>GNU General Public License, version 3 or later.</p>",
            wraps=True,
            selectable=True,
        )
        text.setMinimumWidth(460)
        buttons = QDialogButtonBox(QDialogButtonBox.Close)
        copy = buttons.addButton("Copy versions", QDialogButtonBox.ActionRole)
        assert copy is not None
        copy.clicked.connect(lambda _: self.copy())
        buttons.rejected.connect(self.reject)
        self.setLayout(column(text, buttons, margins=(24, 12, 24, 18)))

    def copy(self) -> None:
        """Put the versions on the clipboard, one a line."""
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        clipboard.setText("\n".join(f"{name}: {number}" for name, number in self._versions.items()))


def show_about(parent: QWidget) -> None:
    """Show it until it is closed."""
    AboutDialog(parent).exec_()
