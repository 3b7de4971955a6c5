"""The window that watches a run of another process: it follows the record, and nothing it does reaches the run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QSettings
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from labcontrol.gui.monitor.window import MonitorWindow
from labcontrol.gui.window.desktop import Appearance
from labcontrol.records import RunReader, RunWriter

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

MakeMonitor = Callable[[Path], MonitorWindow]


@pytest.fixture
def make_monitor(qapp: QApplication, qtbot: QtBot, settings: QSettings) -> Iterator[MakeMonitor]:
    windows: list[MonitorWindow] = []  # Qt goes on painting after the test that made one has forgotten it

    def make(record: Path) -> MonitorWindow:
        windows.append(MonitorWindow(record, Appearance(qapp, settings), settings, interval_s=0.02))
        windows[-1].show()
        return windows[-1]

    yield make
    for window in windows:
        window.close()
        window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.DeferredDelete)


class Writer:
    """A run as another process writes it, some replays at a time."""

    def __init__(self, path: Path) -> None:
        self.path, self._run = path, SyntheticRun(selection="uniform", loss="nmse")
        self.writer = RunWriter.create(path, self._run.header)
        self._run.write_pilot(self.writer)
        self._replays: Iterator = self._run.replays(144)

    def go_on(self, replays: int) -> None:
        for _ in range(replays):
            self.writer.append_many(next(self._replays))

    def end(self) -> None:
        self.writer.finish("aborted", "aborted by the user")
        self.writer.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Writer]:
    run = Writer(tmp_path / "run.h5")
    yield run
    run.writer.close()


def test_it_shows_a_run_from_where_it_is_and_follows_it(run: Writer, make_monitor: MakeMonitor, qtbot: QtBot) -> None:
    run.go_on(40)
    window = make_monitor(run.path)
    qtbot.waitUntil(lambda: window.learning.epochs == 40)
    run.go_on(5)
    run.writer.fault("camera", "timeout", "no frame", "taken again")
    run.writer.log("warning", "the room is warm")
    qtbot.waitUntil(lambda: window.learning.epochs == 45)
    qtbot.waitUntil(lambda: "the room is warm" in window.log.toPlainText())
    assert window.state.text() == "running"
    assert "epoch <b>45</b> of 144" in window.facts.text()
    assert "left" in window.facts.text()
    with RunReader(run.path) as reader:
        errors, mask = reader.incumbent_errors(), reader.last_mask()[0]
    np.testing.assert_array_equal(window.learning._data.incumbent("nmse"), errors)
    np.testing.assert_array_equal(window.follower._mask, mask)
    qtbot.waitUntil(lambda: {"prediction", "fit"} <= set(window.learning.models))
    assert window.output._scaled.size


def test_it_stays_beyond_the_end_and_follows_the_continuation(
    run: Writer, make_monitor: MakeMonitor, qtbot: QtBot
) -> None:
    run.go_on(20)
    window = make_monitor(run.path)
    qtbot.waitUntil(lambda: window.learning.epochs == 20)
    run.end()
    qtbot.waitUntil(lambda: window.state.text() == "aborted")
    assert "aborted by the user" in window.facts.text()
    run.writer = RunWriter.reopen(run.path)
    run.go_on(10)
    qtbot.waitUntil(lambda: window.state.text() == "running" and window.learning.epochs == 30)


def test_a_run_whose_process_died_is_said_to_be_interrupted_and_how_to_go_on(
    run: Writer, make_monitor: MakeMonitor, qtbot: QtBot
) -> None:
    run.go_on(3)
    window = make_monitor(run.path)
    run.writer.close()
    qtbot.waitUntil(lambda: window.state.text() == "interrupted")
    assert "labcontrol resume" in window.trouble.text()


def test_a_record_that_goes_away_is_said_so_and_comes_back(
    run: Writer, make_monitor: MakeMonitor, qtbot: QtBot
) -> None:
    run.go_on(3)
    run.end()
    window = make_monitor(run.path)
    qtbot.waitUntil(lambda: window.learning.epochs == 3)
    elsewhere = run.path.rename(run.path.with_name("elsewhere.h5"))
    qtbot.waitUntil(lambda: "cannot be read any more" in window.trouble.text())
    elsewhere.rename(run.path)
    qtbot.waitUntil(lambda: not window.trouble.isVisible())


def test_watching_from_before_the_pilot_to_the_first_epochs(
    tmp_path: Path, make_monitor: MakeMonitor, qtbot: QtBot
) -> None:
    synthetic = SyntheticRun(selection="uniform")
    with RunWriter.create(tmp_path / "run.h5", synthetic.header) as writer:
        window = make_monitor(tmp_path / "run.h5")
        qtbot.waitUntil(lambda: window.state.text() == "running")
        assert window.learning.epochs == 0
        synthetic.write_pilot(writer)
        qtbot.waitUntil(lambda: "prediction" in window.learning.models)
        for epochs in synthetic.replays(4):
            writer.append_many(epochs)
        qtbot.waitUntil(lambda: window.learning.epochs == 4)
