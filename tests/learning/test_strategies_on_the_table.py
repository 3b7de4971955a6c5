"""Every strategy on the simulated table in real time, with a stale frame and a command that is not answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labcontrol.bench import simulated_bench
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine import FaultSeen, Run, RunState
from labcontrol.engine.verify import verify
from labcontrol.learning import STRATEGIES
from labcontrol.records import RunReader

NEURONS, REPLAYS = 16, 5

# Real time, on devices fast enough for a test; the warm-up of a laser is not what is tested here.
QUICK = {
    "clock": "real",
    "laser": {"warm_up_time_s": 0.0, "warm_up_share": 0.0},
    "slm": {"refresh_hz": 2000.0, "response_time_s": 0.0, "latency_s": 0.0},
    "camera": {"readout_time_s": 2e-4},
}


def experiment(strategy: str) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "neurons": NEURONS,
            "task": {"steps": 20, "test_steps": 5, "washout": 5},
            "reservoir": {"reference_patterns": 2},
            "learning": {"strategy": strategy, "masks_per_replay": 20},
            "stop": {"replays": REPLAYS},
            "fault_script": {
                "fault": [
                    {"device": "camera", "kind": "stale", "at_step": 60},
                    {"device": "camera", "kind": "timeout", "at_step": 90},
                ]
            },
        }
    )


def bench(config: ExperimentConfig) -> BenchConfig:
    simulated = simulated_bench(config.neurons, config.seed)
    assert simulated.table is not None
    table = simulated.table.model_copy(update={"options": simulated.table.options | QUICK})
    return simulated.model_copy(update={"table": table})


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_learns_in_real_time_and_survives_faults(strategy: str, tmp_path: Path) -> None:
    config = experiment(strategy)
    run = Run(config, bench(config), tmp_path)
    heard = run.subscribe()
    status = run.execute()
    assert status.state is RunState.FINISHED
    faults = [event.fault for event in heard.drain() if isinstance(event, FaultSeen)]
    assert len(faults) >= 2  # a frame acquired again may make the next one late
    assert {fault.device for fault in faults} == {"camera"}
    assert status.retried >= 2
    assert run.result["replays"] <= REPLAYS
    assert np.isfinite(run.result["train"]["nmse"])
    with RunReader(run.record) as record:
        assert verify(record) == []


@pytest.mark.parametrize("pointing_cells", [0.0, 3.0], ids=["steady", "drifting"])
def test_only_a_beam_that_wanders_has_the_mirrors_identified_anew(pointing_cells: float, tmp_path: Path) -> None:
    config = ExperimentConfig.model_validate(
        {
            "neurons": 64,
            "task": {"steps": 60, "test_steps": 40, "washout": 10},
            "learning": {"strategy": "multiplexed-identification", "options": {"watch": True, "drift": 0.1}},
            "stop": {"replays": 24, "epochs": 100_000},
        }
    )
    simulated = simulated_bench(config.neurons, config.seed)
    assert simulated.table is not None
    optics = {"pointing_drift_cells": pointing_cells, "pointing_period_s": 400.0}
    options = simulated.table.options | {"optics": optics}
    wandering = simulated.model_copy(update={"table": simulated.table.model_copy(update={"options": options})})
    run = Run(config, wandering, tmp_path)
    assert run.execute().state is RunState.FINISHED
    assert (run.result["strategy_report"]["identifications"] > 1) == (pointing_cells > 0)
