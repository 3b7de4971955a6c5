"""The page where the next run is set up: form, files, and what it will come to."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from labcontrol.bench import bench_for
from labcontrol.config import BenchConfig, ExperimentConfig, load_bench, load_experiment, load_fault_script
from labcontrol.config.toml_text import commented_toml
from labcontrol.errors import UserError
from labcontrol.formatting import count
from labcontrol.gui.experiment.form import ExperimentForm
from labcontrol.gui.experiment.queue_list import QueuedRun
from labcontrol.gui.experiment.queue_panel import QueuePanel
from labcontrol.gui.shared.buttons import button

_FILES = "Experiment files (*.toml)"
_BENCHES = "Bench files (*.toml)"
_FAULT_SCRIPTS = "Fault scripts (*.toml)"


class ExperimentPage(QWidget):
    """Edits the experiment of the next run. `problem` emits a UserError about a file."""

    problem = pyqtSignal(object)

    def __init__(self, experiment: ExperimentConfig, bench: BenchConfig, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._given = (experiment, bench)
        self.form = ExperimentForm()
        self.form.set_experiment(experiment)
        self.summary = QLabel("")
        self.summary.setProperty("role", "muted")
        heading = QLabel("The next run")
        heading.setProperty("role", "title")
        bar = QHBoxLayout()
        bar.addWidget(heading)
        bar.addSpacing(12)
        bar.addWidget(self.summary, 1)
        for text, tip, act in (
            ("Open…", "Read an experiment file", self._choose_and_open),
            ("Bench…", "Choose the bench file this experiment runs on", self._choose_bench),
            ("Faults…", "Play the faults of a script on the simulated table, or no longer", self._choose_faults),
            ("Save as…", "Write these settings as an experiment file, with every key explained", self._choose_and_save),
            ("Defaults", "The experiment that needs no setting", lambda: self.show_experiment(ExperimentConfig())),
        ):
            bar.addWidget(button(text, tip, act))
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 12)
        layout.addLayout(bar)
        self.queue = QueuePanel()
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(scroll, 1)
        row.addWidget(self.queue)
        layout.addLayout(row, 1)
        self.queue.add_asked.connect(self._add_to_queue)
        self.queue.edit_asked.connect(lambda run: self.show_experiment(run.experiment))
        self.form.changed.connect(self._summarise)
        self._summarise()

    def chosen(self) -> tuple[ExperimentConfig, BenchConfig]:
        """The experiment of the form, and the bench it names. Raises UserError."""
        experiment = self.form.experiment()
        return experiment, self.bench_of(experiment)

    def bench_of(self, experiment: ExperimentConfig) -> BenchConfig:
        """The bench an experiment names. Raises UserError."""
        given, bench = self._given
        if (experiment.bench, experiment.neurons, experiment.seed) == (given.bench, given.neurons, given.seed):
            return bench
        return bench_for(experiment)

    def open(self, path: Path) -> None:
        """Show the experiment of a file."""
        try:
            self.show_experiment(load_experiment(path))
        except UserError as error:
            self.problem.emit(error)

    def save(self, path: Path) -> None:
        """Write the experiment of the form to a file."""
        try:
            path.write_text(commented_toml(self.form.experiment()), encoding="utf-8", newline="\n")
        except UserError as error:
            self.problem.emit(error)
        except OSError as error:
            self.problem.emit(UserError(f"{path} cannot be written: {error.strerror}.", "Choose another place."))

    def show_experiment(self, experiment: ExperimentConfig) -> None:
        """Put an experiment into the form."""
        self.form.set_experiment(experiment)
        self._summarise()

    def _summarise(self) -> None:
        try:
            experiment = self.form.experiment()
        except UserError:
            self.summary.setText("Some values cannot be used yet; see the fields.")
            return
        replays = experiment.epochs + experiment.prediction.pilot_flips
        steps = replays * (experiment.task.washout + experiment.task.steps)
        self.summary.setText(
            f"{count(experiment.neurons)} neurons ({experiment.side} × {experiment.side}), at most "
            f"{count(experiment.epochs)} epochs, {count(steps)} steps of the table"
            + (", with faults from a script" if experiment.fault_script else "")
        )

    def _choose_and_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open an experiment", "", _FILES)
        if name:
            self.open(Path(name))

    def _choose_bench(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a bench", "", _BENCHES)
        if name:
            self.use_bench(Path(name))

    def use_bench(self, path: Path) -> None:
        """Run on the bench of this file from now on."""
        try:
            load_bench(path)
        except UserError as error:
            self.problem.emit(error)
        else:
            self.form.set_value("bench", str(path))

    def _choose_faults(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Choose a fault script; Cancel for a run without", "", _FAULT_SCRIPTS
        )
        self.use_faults(Path(name) if name else None)

    def use_faults(self, path: Path | None) -> None:
        """Play the faults of this script during the next run; None: no faults."""
        try:
            script = None if path is None else load_fault_script(path)
            self.show_experiment(self.form.experiment().model_copy(update={"fault_script": script}))
        except UserError as error:
            self.problem.emit(error)

    def _add_to_queue(self) -> None:
        try:
            experiment, _ = self.chosen()
        except UserError as error:
            self.problem.emit(error)
        else:
            self.queue.add(QueuedRun(experiment))

    def _choose_and_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the experiment", "experiment.toml", _FILES)
        if name:
            self.save(Path(name))
