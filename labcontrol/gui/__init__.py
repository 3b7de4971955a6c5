"""The window (PyQt5, pyqtgraph). Nothing else in the program imports it; importing this package does not load Qt.

`app` opens it; `window` is what is around the pages; `monitor` is a window that watches the run of another process.
Each page has a package of its own and is in its module `page`: `live`, `experiment`, `devices`, `calibration`, `runs`,
`scaling` and `log`, which know nothing of each other. Below them are `learning`, the learning curve that several show;
`session`, with what a page is and what pages share, the table above all; and `shared`, the smaller parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labcontrol.config import BenchConfig, ExperimentConfig

__all__ = ["run_window"]


def run_window(
    experiment: ExperimentConfig,
    bench: BenchConfig,
    directory: Path,
    autostart: bool = True,
    armed_by: str = "",
    unattended: bool = False,
) -> int:
    """Open the window on an experiment and stay until it is closed; returns the exit code of the program.

    Ask `availability.why_not` first: Qt ends the program where it cannot open.

    Parameters
    ----------
    experiment, bench : ExperimentConfig, BenchConfig
        Of the first run.
    directory : Path
        Where records go.
    autostart : bool
        Start the run as soon as the window is there. Otherwise the window attaches to a run that is going on.
    armed_by : str
        Operator who armed a real laser; empty where nobody has.
    unattended : bool
        Whether a run with a real laser may go on while nobody is attached.
    """
    from labcontrol.gui.app import run_application
    from labcontrol.gui.session.arming import Arming

    return run_application(experiment, bench, directory, autostart=autostart, arming=Arming(armed_by, unattended))
