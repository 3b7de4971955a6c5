"""The window (PyQt5, pyqtgraph). Nothing else in the program imports it; importing this package does not load Qt.

`app` opens it; `window` is what is around the pages; `monitor` is a window that watches the run of another process.
Each page has a package of its own and is in its module `page`: `live`, `experiment`, `devices`, `calibration`, `runs`,
`scaling` and `log`, which know nothing of each other. Below them are `learning`, the learning curve that several show;
`processes`, in which the devices are; and `shared`, the smaller parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labcontrol.config import BenchConfig, ExperimentConfig

__all__ = ["run_window"]


def run_window(
    experiment: ExperimentConfig, bench: BenchConfig, directory: Path, autostart: bool = True, armed_by: str = ""
) -> int:
    """Open the window on an experiment and stay until it is closed; returns the exit code of the program.

    directory: where records go. autostart: start the run as soon as the window is there.
    armed_by: on whose word a real laser may emit. Raises UserError when
    experiment and bench do not go together. Ask `availability.why_not` first: Qt ends the program where it cannot open.
    """
    from labcontrol.gui.app import run_application

    return run_application(experiment, bench, directory, autostart=autostart, armed_by=armed_by)
