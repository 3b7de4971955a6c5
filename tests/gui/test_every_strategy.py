"""Every strategy is set up in the form, runs to its end, and is compared with what speaks of it and nothing else."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import RunState
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.window.main_window import MainWindow
from labcontrol.learning import STRATEGIES

LAWS = {"prediction", "exponential"}
SHORT = {"neurons": "16", "task.steps": "40", "task.test_steps": "10", "task.washout": "5", "stop.epochs": "60"}
MANY_A_REPLAY = set(STRATEGIES) - {"coordinate-descent", "noise-aware", "spsa"}
DRAW_MIRRORS = {"coordinate-descent", "noise-aware", "speculative"}
READOUTS = {"quadratic-identification": "coherent"}
VARIANTS = [
    *({"options.selection": selection} for selection in ("uniform", "amplitude-greedy", "blocks")),
    {"options.acceptance": "re-measured"},
    *({"strategy": strategy} for strategy in STRATEGIES if strategy != "coordinate-descent"),
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: next(iter(variant.values())))
def test_it_runs_from_the_form_to_its_end(window_here: MainWindow, qtbot: QtBot, variant: dict[str, str]) -> None:
    strategy, selection = variant.get("strategy", "coordinate-descent"), variant.get("options.selection", "uniform")
    window = window_here
    form, learning = window.page(ExperimentPage).form, window.page(LivePage).learning
    bench = simulated_bench(16, 1)
    assert bench.table is not None
    bench.table.options["readout"] = READOUTS.get(strategy, "incoherent")
    window.context.setup._given = (ExperimentConfig(neurons=16), bench)
    wanted = SHORT | {f"learning.{key}": value for key, value in variant.items()}
    if strategy in DRAW_MIRRORS:
        wanted["learning.options.selection"] = selection
    for field, value in wanted.items():
        form.set_value(field, value)
    assert form.check()

    window.starter.start_form()
    qtbot.waitUntil(lambda: knows_all(window), timeout=180_000)
    assert window.table.status.state is RunState.FINISHED, window.table.status

    descends = strategy in ("coordinate-descent", "noise-aware")
    assert set(learning.models) & LAWS == (LAWS if descends else set())
    assert "fit" not in learning.models or descends
    assert ("flips accepted" if descends else "masks accepted") in learning.outlook.text()
    assert ("A curve is predicted of" in learning.outlook.text()) == (not set(learning.models) & LAWS)
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
    live, table = window.page(LivePage), window.table
    shown = not table.is_running and live.learning.epochs == table.status.epoch > 0
    return shown and live.follower.is_up_to_date and not live.follower._background.is_busy
