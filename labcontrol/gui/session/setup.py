"""The experiment of the next run, and the bench that it names."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal

from labcontrol.bench import bench_for
from labcontrol.config import BenchConfig, ExperimentConfig, ReservoirConfig
from labcontrol.errors import UserError


class ExperimentSetup(QObject):
    """What the experiment form says, for whoever needs it.

    Parameters
    ----------
    experiment, bench : ExperimentConfig, BenchConfig
        To begin with; the bench is used for as long as bench, neurons and seed of the experiment stay the same.

    Signals
    -------
    replaced : ()
        Another experiment was put here, by something else than the form.
    """

    replaced = pyqtSignal()

    def __init__(self, experiment: ExperimentConfig, bench: BenchConfig, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._given = (experiment, bench)
        self._now: ExperimentConfig | UserError = experiment

    def experiment(self) -> ExperimentConfig:
        """Raises UserError while the form does not hold together."""
        if isinstance(self._now, UserError):
            raise self._now
        return self._now

    def chosen(self) -> tuple[ExperimentConfig, BenchConfig]:
        """The experiment, and the bench it names. Raises UserError."""
        experiment = self.experiment()
        return experiment, self.bench_of(experiment)

    def bench(self) -> BenchConfig:
        """The bench that the experiment names. Raises UserError."""
        return self.chosen()[1]

    def bench_of(self, experiment: ExperimentConfig) -> BenchConfig:
        """The bench an experiment names. Raises UserError."""
        given, bench = self._given
        if (experiment.bench, experiment.neurons, experiment.seed) == (given.bench, given.neurons, given.seed):
            return bench
        return bench_for(experiment)

    def edit(self, now: ExperimentConfig | UserError) -> None:
        """What the form says now, or why it says nothing."""
        self._now = now

    def replace(self, experiment: ExperimentConfig) -> None:
        """Set up this experiment."""
        self._now = experiment
        self.replaced.emit()

    def use_point(self, reservoir: ReservoirConfig) -> None:
        """Set up the same experiment at this operating point. Raises UserError."""
        self.replace(self.experiment().model_copy(update={"reservoir": reservoir}))
