"""The page where the next run is set up: form, files, and what it will come to."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PyQt5.QtCore import QSettings
from PyQt5.QtWidgets import QFileDialog, QMenu, QScrollArea, QToolButton

from labcontrol.config import (
    PRESETS,
    ExperimentConfig,
    load_bench,
    load_experiment,
    load_fault_script,
    with_preset,
)
from labcontrol.config.toml_text import commented_toml
from labcontrol.errors import UserError
from labcontrol.formatting import count
from labcontrol.gui.experiment.form import ExperimentForm
from labcontrol.gui.experiment.queue_panel import QueuePanel
from labcontrol.gui.session.context import WindowContext
from labcontrol.gui.session.page import Invitation, Page
from labcontrol.gui.session.run_queue import QueuedRun
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.layouts import column, label, row

_FILES = "Experiment files (*.toml)"
_BENCHES = "Bench files (*.toml)"
_FAULT_SCRIPTS = "Fault scripts (*.toml)"
_QUEUE_KEY = "queue/waiting"
_FILE_PROBLEM = "The file cannot be used."


class ExperimentPage(Page):
    """Edits the experiment of the next run, and the queue of runs."""

    title = "Experiment"
    invitation = Invitation("Set up an experiment", "task, reservoir, learning rule, bench; from and to a file")

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._setup, self._queue, self._starter = context.setup, context.queue, context.starter
        self.form = ExperimentForm()
        self.form.set_experiment(self._setup.experiment())
        self.summary = label("", "muted")
        bar = row(label("The next run", "title"), 12, (self.summary, 1))
        for text, tip, act in (
            ("Open…", "Read an experiment file", self._choose_and_open),
            ("Bench…", "Choose the bench file this experiment runs on", self._choose_bench),
            ("Faults…", "Play the faults of a script on the simulated table, or no longer", self._choose_faults),
            ("Save as…", "Write these settings as an experiment file, with every key explained", self._choose_and_save),
            ("Defaults", "The experiment that needs no setting", lambda: self._setup.replace(ExperimentConfig())),
            ("Test the law", f"Start a run now with {PRESETS['law'].help}", self._test_the_law),
        ):
            bar.addWidget(button(text, tip, act))
        bar.insertWidget(bar.count() - 2, self._presets())
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.form)
        self.queue_panel = QueuePanel(self._queue)
        self.setLayout(column(bar, (row((scroll, 1), self.queue_panel, spacing=8), 1), margins=(12, 8, 12, 12)))
        self.queue_panel.add_requested.connect(self._add_to_queue)
        self.queue_panel.edit_requested.connect(lambda run: self._setup.replace(run.experiment))
        self.form.changed.connect(self._on_edit)
        self._setup.replaced.connect(self._on_replaced)
        context.table.changed.connect(lambda: self.queue_panel.show_run(active=context.table.is_running))
        self._summarise(self._setup.experiment())

    def save(self, settings: QSettings) -> None:
        settings.setValue(_QUEUE_KEY, self._queue.to_text())

    def restore(self, settings: QSettings) -> None:
        self._queue.load(str(settings.value(_QUEUE_KEY, "")))

    def open_file(self, path: Path) -> None:
        """Show the experiment of a file."""
        try:
            self._setup.replace(load_experiment(path))
        except UserError as error:
            self.problem.emit(error, _FILE_PROBLEM)

    def save_file(self, path: Path) -> None:
        """Write the experiment of the form to a file."""
        try:
            path.write_text(commented_toml(self.form.experiment()), encoding="utf-8", newline="\n")
        except UserError as error:
            self.problem.emit(error, _FILE_PROBLEM)
        except OSError as error:
            problem = UserError(f"{path} cannot be written: {error.strerror}.", "Choose another place.")
            self.problem.emit(problem, _FILE_PROBLEM)

    def _on_replaced(self) -> None:
        experiment = self._setup.experiment()
        self.form.set_experiment(experiment)
        self._summarise(experiment)
        self.wants_front.emit()

    def _on_edit(self) -> None:
        try:
            experiment = self.form.experiment()
        except UserError as error:
            self._setup.edit(error)
            self.summary.setText("Some values cannot be used yet; see the fields.")
        else:
            self._setup.edit(experiment)
            self._summarise(experiment)

    def _summarise(self, experiment: ExperimentConfig) -> None:
        replays = experiment.epochs
        steps = replays * (experiment.task.washout + experiment.task.steps)
        self.summary.setText(
            f"{count(experiment.neurons)} neurons ({experiment.side} × {experiment.side}), at most "
            f"{count(experiment.epochs)} epochs, {count(steps)} steps of the table"
            + (", with faults from a script" if experiment.fault_script else "")
        )

    def _presets(self) -> QToolButton:
        """A menu of ways to learn."""
        chosen = QToolButton()
        chosen.setText("Learn…")
        chosen.setToolTip("Set up another way to learn; task, table and length stay")
        chosen.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(chosen)
        menu.setToolTipsVisible(True)
        for name, preset in PRESETS.items():
            action = menu.addAction(preset.title, partial(self.use_preset, name))
            assert action is not None
            action.setToolTip(preset.help)
        chosen.setMenu(menu)
        return chosen

    def use_preset(self, name: str) -> None:
        """Learn as a preset says."""
        try:
            self._setup.replace(with_preset(self._setup.experiment(), name))
        except UserError as error:
            self.problem.emit(error, "The values of the form have to be put right first.")

    def _test_the_law(self) -> None:
        self.use_preset("law")
        self._starter.start_form()

    def _choose_and_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open an experiment", "", _FILES)
        if name:
            self.open_file(Path(name))

    def _choose_bench(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a bench", "", _BENCHES)
        if name:
            self.use_bench(Path(name))

    def use_bench(self, path: Path) -> None:
        """Run on the bench of this file from now on."""
        try:
            load_bench(path)
        except UserError as error:
            self.problem.emit(error, _FILE_PROBLEM)
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
            self._setup.replace(self._setup.experiment().model_copy(update={"fault_script": script}))
        except UserError as error:
            self.problem.emit(error, _FILE_PROBLEM)

    def _add_to_queue(self) -> None:
        try:
            experiment, _ = self._setup.chosen()
        except UserError as error:
            self.problem.emit(error, "This run cannot wait in the queue.")
        else:
            self._queue.add(QueuedRun(experiment))
            self.queue_panel.select_last()

    def _choose_and_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the experiment", "experiment.toml", _FILES)
        if name:
            self.save_file(Path(name))
