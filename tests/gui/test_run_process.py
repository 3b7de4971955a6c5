"""A run in its own process: the same run, and safe whatever becomes of the window."""

from __future__ import annotations

import multiprocessing
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from gui_helpers import NEURONS

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import EpochDone, Finished, Predicted, Prepared, Run, RunState, Seen
from labcontrol.errors import UserError
from labcontrol.gui.processes.process_talk import LostProcessError
from labcontrol.gui.processes.run_process import RunProcess
from labcontrol.records import RunReader


def make_run(directory: Path, epochs: int = 12, bench_driver: str = "simulated-camera") -> Run:
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": NEURONS,
            "task": {"steps": 30, "test_steps": 10, "washout": 5},
            "stop": {"epochs": epochs},
            "prediction": {"pilot_flips": 8},
        }
    )
    return Run(experiment, simulated_bench(NEURONS, 1), directory)


def test_it_is_the_same_run(tmp_path: Path) -> None:
    here = make_run(tmp_path / "here")
    here.execute()
    run = RunProcess(partial(make_run, tmp_path / "there"))
    mailbox = run.subscribe()
    run.start()
    assert run.wait(60)
    events = mailbox.drain()
    assert run.error is None
    assert run.status.state is RunState.FINISHED
    assert run.result == here.result
    kinds = [type(event) for event in events if not isinstance(event, Seen)]
    assert kinds.index(Prepared) < kinds.index(Predicted) < kinds.index(EpochDone) < kinds.index(Finished)
    with RunReader(here.record) as expected:
        np.testing.assert_array_equal(
            [event.epoch.mse for event in events if isinstance(event, EpochDone)], expected.epochs.mse
        )


def test_wishes_reach_it(tmp_path: Path) -> None:
    run = RunProcess(partial(make_run, tmp_path, epochs=100_000))
    run.start()
    wait_for(run, RunState.RUNNING)
    run.pause()
    wait_for(run, RunState.PAUSED)
    assert run.status.laser_on
    run.resume()
    wait_for(run, RunState.RUNNING)
    run.abort()
    assert run.wait(30)
    assert run.status.state is RunState.ABORTED
    assert not run.status.laser_on


def test_what_went_wrong_keeps_its_remedy(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where a folder should be")
    run = RunProcess(partial(make_run, taken))
    run.start()
    assert run.wait(60)
    assert isinstance(run.error, UserError)
    assert run.error.remedy
    assert run.status.state is RunState.FAILED


def test_when_the_window_is_gone_the_run_ends_in_order(tmp_path: Path) -> None:
    run = RunProcess(partial(make_run, tmp_path, epochs=100_000))
    run.start()
    wait_for(run, RunState.RUNNING)
    assert run.status.record is not None
    run._line.close()  # what the system does when the window's process dies
    run._process.join(30)
    assert run._process.exitcode == 0
    with RunReader(run.status.record) as record:
        assert record.state.name == "aborted"


def test_when_its_process_is_killed_the_run_has_failed_and_says_how(tmp_path: Path) -> None:
    run = RunProcess(partial(make_run, tmp_path, epochs=100_000))
    run.start()
    wait_for(run, RunState.RUNNING)
    run._process.kill()
    assert run.wait(30)
    assert run.status.state is RunState.FAILED
    assert isinstance(run.error, LostProcessError)
    assert "was killed" in run.error.message
    assert "labcontrol resume" in run.error.remedy


def test_nothing_starts_before_it_is_asked_to(tmp_path: Path) -> None:
    run = RunProcess(partial(make_run, tmp_path))
    run.abort()
    assert run.wait(0)
    assert run.pid is None
    assert not multiprocessing.active_children()


def wait_for(run: RunProcess, state: RunState) -> None:
    deadline = time.monotonic() + 60
    while run.status.state is not state:
        assert not run.wait(0.02), f"the run ended: {run.error or run.status}"
        if time.monotonic() > deadline:
            pytest.fail(f"still {run.status.state}, expected {state}")
