"""What a run came to: the object that `--json` prints and the record keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import ExperimentConfig
from labcontrol.engine.stop import StopRule
from labcontrol.learning import strategy_settings
from labcontrol.tasks import ErrorMeasure, Task


def final_result(
    experiment: ExperimentConfig,
    task: Task,
    gain: float,
    learning: StopRule,
    final_output: NDArray[np.float32],
    noise_std: float = 0.0,
) -> dict[str, Any]:
    """JSON types. Errors are as measured, and, as `..._without_noise`, with the detector's share in them taken off.

    gain: of the fixed-gain error. learning: errors of the incumbent, first and last. final_output: (T + S,) of the
    final mask, measured after learning over training and test part; its errors are free of the luck that acceptance
    selects for. noise_std: of one output sample.
    """
    steps, measure = len(task.train_target), ErrorMeasure(task.train_target, gain)
    return {
        "task": task.name,
        "neurons": experiment.neurons,
        "steps": steps,
        "seed": experiment.seed,
        **experiment.learning.model_dump(mode="json", exclude={"options"}),
        **strategy_settings(experiment.learning).model_dump(mode="json"),
        "epochs": learning.epochs,
        "gain": measure.gain,
        "start_error": learning.start_error,
        "incumbent_error": learning.error,
        "train": _errors(measure, final_output[:steps], noise_std),
        "test": _errors(ErrorMeasure(task.test_target, measure.gain), final_output[steps:], noise_std)
        if len(task.test_target)
        else None,
    }


def _errors(measure: ErrorMeasure, output: NDArray[np.float32], noise_std: float) -> dict[str, float]:
    as_measured = {loss: float(measure.errors(loss, output[None])[0]) for loss in ("mse", "nmse")}
    return as_measured | {
        f"{loss}_without_noise": measure.without_noise(loss, output[None], noise_std) for loss in as_measured
    }
