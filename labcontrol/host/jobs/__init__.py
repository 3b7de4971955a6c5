"""The jobs of a host. A new one is a module with a subclass of `Job`, and its line here."""

from __future__ import annotations

from importlib import import_module

from labcontrol.errors import UserError
from labcontrol.host.jobs.job import Job

__all__ = ["JOBS", "Job", "job_class", "job_name"]

JOBS = {
    "manual": "labcontrol.host.jobs.manual:ManualJob",
    "calibration": "labcontrol.host.jobs.calibration:CalibrationJob",
    "run": "labcontrol.host.jobs.run:RunJob",
}
"""Module and class of each job by its name on the line; imported when it is needed."""


def job_class(name: str) -> type[Job]:
    """The class of a job. Raises UserError for a name that is none."""
    if name not in JOBS:
        raise UserError(f"A host has no job {name!r}.", f"Known: {', '.join(JOBS)}.")
    module, _, attribute = JOBS[name].partition(":")
    found: type[Job] = getattr(import_module(module), attribute)
    return found


def job_name(job: Job) -> str:
    """What a job is called on the line."""
    place = f"{type(job).__module__}:{type(job).__name__}"
    return next(name for name, known in JOBS.items() if known == place)
