"""The self-test tells good operating points from bad ones, and a scan leaves a bad one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from drivers.interfaces import DeviceFaultError, Frame
from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig, ReservoirConfig, TaskConfig
from labcontrol.errors import UserError
from labcontrol.selftest import Report, measure_responses, memory_capacity, scan, selftest
from labcontrol.tasks import make_task
from mock_devices.table import SimulatedTable

NEURONS = 64
TASK = TaskConfig(steps=100, test_steps=20)
BADLY_TUNED = ReservoirConfig(feedback=0.8, injection=0.25)


def with_small_coupling() -> BenchConfig:
    bench = simulated_bench(NEURONS, 1)
    assert bench.table is not None
    table = bench.table.model_copy(update={"options": bench.table.options | {"optics": {"kernel_size": 3}}})
    return bench.model_copy(update={"table": table})


def report_at(reservoir: ReservoirConfig) -> Report:
    experiment = ExperimentConfig(neurons=NEURONS, task=TASK, reservoir=reservoir)
    with Bench(with_small_coupling()) as bench:
        return selftest(bench, experiment, make_task(TASK, 1))


def test_a_good_point_can_learn() -> None:
    report = report_at(ReservoirConfig())
    assert report.advice == ()
    assert report.figures.consistency > 0.99
    assert report.figures.floor < 0.05
    assert report.memory.sum() > 1


def test_a_chaotic_point_is_named() -> None:
    report = report_at(BADLY_TUNED)
    assert not report.can_learn
    assert "chaotic" in report.advice[0]


def test_a_scan_leaves_the_badly_tuned_table() -> None:
    with Bench(with_small_coupling()) as bench:
        found = scan(bench, BADLY_TUNED, 8, make_task(TASK, 1), seed=1, trials=12, method="sobol")
    assert found.gain > 5
    assert len(found.trials) == 12


def test_an_adaptive_scan_goes_on_from_what_it_found() -> None:
    pytest.importorskip("nevergrad")
    with Bench(with_small_coupling()) as bench:
        found = scan(bench, BADLY_TUNED, 8, make_task(TASK, 1), seed=1, trials=12)
    assert found.gain > 5


def test_an_unknown_scan_is_refused() -> None:
    with Bench(with_small_coupling()) as bench, pytest.raises(UserError, match="Known are: adaptive"):
        scan(bench, BADLY_TUNED, 8, make_task(TASK, 1), seed=1, trials=3, method="magic")


def test_memory_of_a_delay_line_is_its_length() -> None:
    inputs = np.random.default_rng(1).random(600)
    states = np.stack([np.roll(inputs, k) for k in range(5)])
    capacity = memory_capacity(states, inputs)
    assert capacity[:5] == pytest.approx(np.ones(5), abs=1e-3)
    assert capacity.sum() == pytest.approx(5, abs=0.3)


def test_noise_remembers_nothing() -> None:
    rng = np.random.default_rng(2)
    assert memory_capacity(rng.random((20, 600)), rng.random(600)).sum() < 0.5


@pytest.mark.parametrize("steps_left", [60, 2])
def test_states_seen_after_the_laser_went_off_are_none(steps_left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = make_task(TASK, 1).training_sequence[:40]

    def look(off_at: int) -> int:
        with Bench(with_small_coupling()) as bench:
            read, frames = bench.camera.read, [0]

            def watched(timeout_s: float = 1.0) -> Frame:
                frames[0] += 1
                if frames[0] == off_at:
                    assert isinstance(bench.table, SimulatedTable)
                    bench.table.laser.switch(False, bench.clock.now_s())
                return read(timeout_s)

            monkeypatch.setattr(bench.camera, "read", watched)
            measure_responses(bench, ReservoirConfig(), 8, inputs, 10, 1)
            return frames[0]

    frames = look(off_at=0)
    with pytest.raises(DeviceFaultError, match="laser: has stopped emission"):
        look(off_at=frames - steps_left)


# In a process of its own, where nothing has been loaded yet. What is compiled for the simulated light does not count.
LOOK = """
import sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from labcontrol.bench import Bench, simulated_bench
from labcontrol.config import ReservoirConfig
from labcontrol.selftest import measure_responses

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith("labcontrol.")]
    functions = [value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)]
    return {(f.py_func.__name__, signature) for f in functions for signature in f.signatures}

before_light, light_on = [], Bench.light_on

def seen_light_on(bench):
    before_light.append(compiled())
    light_on(bench)

Bench.light_on = seen_light_on
with Bench(simulated_bench(16, 1)) as bench:
    measure_responses(bench, ReservoirConfig(), 4, np.linspace(0, 1, 20), 5, 1)
print(len(before_light[0]) > 0, sorted(map(str, compiled() - before_light[0])))
"""


def test_nothing_is_compiled_while_there_is_light() -> None:
    """A guardian would hear nothing of the program meanwhile, and switch off."""
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=False)
    assert done.stdout == "True []\n", done.stderr
