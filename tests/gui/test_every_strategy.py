"""Every strategy is set up in the form, runs to its end, and is compared with what speaks of it and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt5.QtCore import QSettings
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import Run, RunState
from labcontrol.gui.window.desktop import Appearance
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.learning import STRATEGIES

LAWS = {"prediction", "coverage"}
SHORT = {"neurons": "16", "task.steps": "40", "task.test_steps": "10", "task.washout": "5", "stop.epochs": "60"}
MANY_A_REPLAY = set(STRATEGIES) - {"coordinate-descent", "noise-aware", "spsa"}
DRAW_MIRRORS = {"coordinate-descent", "noise-aware", "speculative"}
READOUTS = {"quadratic-identification": "coherent"}
VARIANTS = [
    *({"options.selection": selection} for selection in ("uniform", "amplitude-greedy", "blocks")),
    {"options.acceptance": "re-measured"},
    *({"strategy": strategy} for strategy in STRATEGIES if strategy != "coordinate-descent"),
]


class ThreadRuns:
    """Runs in threads of this process, which start faster than processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.armed_by = folder, ""

    def new(self, experiment: ExperimentConfig, bench: BenchConfig) -> Run:
        return Run(experiment, bench, self.folder)

    def continued(self, record: Path) -> Run:
        return Run.continued(record)


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot, settings: QSettings, tmp_path: Path) -> MainWindow:
    experiment = ExperimentConfig(neurons=16)
    window = MainWindow(experiment, simulated_bench(16, 1), ThreadRuns(tmp_path), Appearance(qapp, settings), settings)
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: next(iter(variant.values())))
def test_it_runs_from_the_form_to_its_end(window: MainWindow, qtbot: QtBot, variant: dict[str, str]) -> None:
    strategy, selection = variant.get("strategy", "coordinate-descent"), variant.get("options.selection", "uniform")
    form, learning = window.experiment.form, window.live.learning
    bench = simulated_bench(16, 1)
    assert bench.table is not None
    bench.table.options["readout"] = READOUTS.get(strategy, "incoherent")
    window.experiment._given = (ExperimentConfig(neurons=16), bench)
    wanted = SHORT | {f"learning.{key}": value for key, value in variant.items()}
    if strategy in DRAW_MIRRORS:
        wanted["learning.options.selection"] = selection
    for field, value in wanted.items():
        form.set_value(field, value)
    assert form.check()

    window.starter.start_form()
    qtbot.waitUntil(lambda: knows_all(window), timeout=60_000)
    assert window.controller.status.state is RunState.FINISHED, window.controller.status

    descends = strategy in ("coordinate-descent", "noise-aware")
    assert set(learning.models) & LAWS == (
        LAWS if strategy == "coordinate-descent" and selection != "blocks" else set()
    )
    assert "fit" not in learning.models or descends
    assert ("flips accepted" if descends else "masks accepted") in learning.outlook.text()
    assert ("The laws speak of" in learning.outlook.text()) == (not set(learning.models) & LAWS)
    assert window.minimumSizeHint().width() <= 1280
    assert window.header.progress.value() == window.header.progress.maximum()
    # nothing was planned beyond the last epoch any more
    low, high = learning.plot.plot.vb.viewRange()[0]
    assert low == 0
    assert high <= 1.5 * learning.epochs

    # over replays, which many masks can share
    learning.horizontal.setCurrentText("replays")
    data = learning._data
    assert data.replays_at(data.index[-1:])[0] == data.replay[-1]
    assert data.replay[-1] < data.index[-1] or strategy not in MANY_A_REPLAY
    drawn, _ = learning.plot.measured.incumbent.getData()
    assert drawn[-1] == data.replay[-1]


def knows_all(window: MainWindow) -> bool:
    """Whether the window shows the run's end, with the models of all its epochs."""
    controller, follower = window.controller, window.controller._follower
    shown = controller._reported and window.live.learning.epochs == controller.status.epoch > 0
    return shown and follower.is_up_to_date and not follower._background.is_busy
