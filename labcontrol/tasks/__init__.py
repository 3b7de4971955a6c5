"""What is learned: input and target sequences, and the errors of an output against its target."""

from labcontrol.tasks.errors import ErrorMeasure, mse, nmse, standardised
from labcontrol.tasks.series import Series
from labcontrol.tasks.task import TASKS, Task, make_task

__all__ = ["TASKS", "ErrorMeasure", "Series", "Task", "make_task", "mse", "nmse", "standardised"]
