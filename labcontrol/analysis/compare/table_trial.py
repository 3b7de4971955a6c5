"""A trial on the full simulated table: devices, noise of every kind, and the engine that runs experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labcontrol.analysis.compare.known_table import quiet_outputs, spread, spread_masks
from labcontrol.analysis.compare.noisy_benches import ReadoutKind, noisy_bench
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.engine import Run, RunState
from labcontrol.errors import UserError
from labcontrol.records import RunReader
from labcontrol.tasks import make_task, nmse


def run_on_table(
    experiment: ExperimentConfig,
    learning: LearningConfig,
    readout: ReadoutKind,
    *,
    noise: float,
    masks: int,
    folder: Path,
) -> dict[str, Any]:
    """Run one contender, then judge its final mask on the same table without noise. JSON types.

    noise: of one output, as a share of the spread of random masks; 0 keeps the table's own. masks: shown at most.
    folder: for the record. The errors without noise are `train_nmse` and `test_nmse`; `measured_nmse` is the training
    error as the run itself measured it. Raises UserError when the run does not finish.
    """
    task = make_task(experiment.task, experiment.seed)
    steps = len(task.train_target)
    random = quiet_outputs(experiment, readout, spread_masks(experiment.neurons))[:, :steps]
    bench = noisy_bench(experiment.neurons, experiment.seed, readout, noise * spread(random))
    stop = experiment.stop.model_copy(update={"epochs": masks})
    run = Run(experiment.model_copy(update={"learning": learning, "stop": stop}), bench, folder)
    status = run.execute()
    if status.state is not RunState.FINISHED:
        raise UserError(f"The run {run.record} ended early: {status.reason}.", "What was done before it is kept.")
    with RunReader(run.record) as record:
        final = record.final_mask
    assert final is not None
    clean = quiet_outputs(experiment, readout, final[None])[0]
    return {
        "masks": run.result["epochs"],
        "replays": run.result["replays"],
        "train_nmse": float(nmse(clean[:steps], task.train_target)),
        "test_nmse": float(nmse(clean[steps:], task.test_target)),
        "measured_nmse": run.result["train"]["nmse"],
        "strategy_report": run.result["strategy_report"],
        "record": str(run.record),
    }
