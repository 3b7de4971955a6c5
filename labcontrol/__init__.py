"""labcontrol: operate a photonic reservoir, train its Boolean readout in place, and predict the learning curve.

What a script or a notebook needs is here: ``from labcontrol import Run``. See docs/from-python.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from labcontrol.companions import check_companions

if TYPE_CHECKING:
    from labcontrol.analysis.plots.run_figure import run_figure
    from labcontrol.analysis.report import write_report
    from labcontrol.config import BenchConfig, ExperimentConfig, load_bench, load_experiment
    from labcontrol.engine import EpochDone, FaultSeen, Finished, Run, RunState, RunStatus
    from labcontrol.errors import UserError
    from labcontrol.records import RunReader

__version__ = "0.2.0"

__all__ = [
    "BenchConfig",
    "EpochDone",
    "ExperimentConfig",
    "FaultSeen",
    "Finished",
    "Run",
    "RunReader",
    "RunState",
    "RunStatus",
    "UserError",
    "load_bench",
    "load_experiment",
    "run_figure",
    "write_report",
]

check_companions()

_MODULES = {
    "labcontrol.config": ("BenchConfig", "ExperimentConfig", "load_bench", "load_experiment"),
    "labcontrol.engine": ("EpochDone", "FaultSeen", "Finished", "Run", "RunState", "RunStatus"),
    "labcontrol.errors": ("UserError",),
    "labcontrol.analysis.plots.run_figure": ("run_figure",),
    "labcontrol.records": ("RunReader",),
    "labcontrol.analysis.report": ("write_report",),
}


def __getattr__(name: str) -> object:
    """Import a name when it is asked for: the set-up runs on a bare Python, and most commands need a part only."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
