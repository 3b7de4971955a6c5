"""What program this is, with the versions that matter when something is reported."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PyQt5.QtCore import PYQT_VERSION_STR, QT_VERSION_STR
from PyQt5.QtWidgets import QMessageBox, QWidget

from labcontrol import __version__

_PACKAGES = ("numpy", "scipy", "numba", "h5py", "pyqtgraph", "pydantic")


def about_text() -> str:
    """As rich text."""
    versions = [("Python", platform.python_version()), ("Qt", QT_VERSION_STR), ("PyQt", PYQT_VERSION_STR)]
    for package in _PACKAGES:
        try:
            versions.append((package, version(package)))
        except PackageNotFoundError:
            versions.append((package, "not installed"))
    rows = "".join(f"<tr><td>{name}&nbsp;&nbsp;</td><td>{number}</td></tr>" for name, number in versions)
    return (
        f"<h3>labcontrol {__version__}</h3>"
        "<p>Trains the Boolean readout of a photonic reservoir in place, and shows whether learning follows its "
        "predicted curve.</p>"
        "<p>After L. Andreoli, S. Chrétien, X. Porte, D. Brunner, "
        "<i>Convergence and scaling of Boolean-weight optimization for hardware reservoirs</i>, arXiv 2305.07908.</p>"
        f"<table>{rows}</table><p>{platform.platform()}</p><p>GNU General Public License, version 3 or later.</p>"
    )


def show_about(parent: QWidget) -> None:
    """Show it until it is closed."""
    QMessageBox.about(parent, "About labcontrol", about_text())
