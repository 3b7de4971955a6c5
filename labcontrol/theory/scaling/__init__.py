"""Scaling studies: learning time over the number of neurons, for selection rules and errors, on states of a kind.

`run_study(plan, folder)` makes one, `load_study(folder)` reads it back, finished or not.
"""

from labcontrol.theory.scaling.cells import QUANTITIES, Cell, CellResult, judged
from labcontrol.theory.scaling.execute import Job, JobRunner, Progress, run_study, run_twin_job
from labcontrol.theory.scaling.plan import STATES, StudyPlan
from labcontrol.theory.scaling.storage import load_study
from labcontrol.theory.scaling.study import Exponent, Group, Study

__all__ = [
    "QUANTITIES",
    "STATES",
    "Cell",
    "CellResult",
    "Exponent",
    "Group",
    "Job",
    "JobRunner",
    "Progress",
    "Study",
    "StudyPlan",
    "judged",
    "load_study",
    "run_study",
    "run_twin_job",
]
