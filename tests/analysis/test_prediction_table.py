"""Numbers beside their prediction, and guesses why they are not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from predictions import TAU, exponential, pilot_result

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import STEPS, SyntheticRun

from labcontrol.analysis.likely_cause import likely_cause
from labcontrol.analysis.prediction_table import prediction_table
from labcontrol.analysis.run_models import RunModels, pilot_prediction, run_models
from labcontrol.analysis.verdict import VerdictKind
from labcontrol.config import LearningConfig, StopConfig
from labcontrol.engine.pilot import predict
from labcontrol.records import RETRIED, RunReader, RunWriter


def models_of(epochs: int, factor: float = 1.0) -> RunModels:
    k = np.arange(epochs, dtype=np.float64)
    return run_models(LearningConfig(), pilot_prediction(pilot_result()), k, factor * exponential(k), 20)


def test_each_number_is_inside_or_outside_or_not_measured_yet() -> None:
    rows = {row.what: row for row in prediction_table(models_of(50), neurons=16)}
    assert list(rows) == [f"mse at epoch {epoch}" for epoch in (16, 32, 64, 99)] + ["time constant, epochs"]
    assert rows["mse at epoch 16"].measured == pytest.approx(exponential(np.array([16.0]))[0])
    assert rows["mse at epoch 16"].measured_text.endswith(", inside")
    assert rows["mse at epoch 64"].measured is None
    assert rows["mse at epoch 64"].measured_text == "not measured yet"
    assert rows["time constant, epochs"].measured == pytest.approx(TAU, rel=0.01)
    slow = {row.what: row for row in prediction_table(models_of(50, factor=2.0), neurons=16)}
    assert slow["mse at epoch 32"].measured_text.endswith(", outside")


def test_a_time_constant_is_not_measured_before_one_has_passed() -> None:
    assert prediction_table(models_of(8), neurons=16)[-1].measured is None


def test_the_time_to_a_target_is_among_them() -> None:
    row = prediction_table(models_of(50), 16, target_error=0.1)[-1]
    assert row.what == "epochs to the target error 0.100"
    assert row.measured == row.predicted[0] == np.ceil(TAU * np.log(0.99 / 0.09))
    assert prediction_table(models_of(5), 16, target_error=0.1)[-1].measured is None


def test_without_a_prediction_there_is_nothing_to_compare() -> None:
    k = np.arange(20.0)
    bare = run_models(LearningConfig(), pilot_prediction(pilot_result(predicted=False)), k, exponential(k), 5)
    assert prediction_table(bare, neurons=16) == []


# --- why ------------------------------------------------------------------------------------------------------------
def drifting(writer: RunWriter) -> None:
    columns = ("error", "level", "offset", "light", "picture", "power", "change", "excess")
    values = {name: 9.0 if name == "excess" else 1.0 for name in columns}
    writer.write_drift(0, {"epoch": 5, "output": np.zeros(STEPS), **values})


def disturbed(writer: RunWriter) -> None:
    for _ in range(10):
        writer.fault("camera", RETRIED, "a frame was dropped", "measured again")


@pytest.mark.parametrize(
    ("happened", "unexplained", "expected"),
    [
        (lambda _: None, 0.0, ""),
        (lambda _: None, 0.02, "the responses do not tell all: 2.0%"),
        (disturbed, 0.0, "measurements were disturbed: 10"),
        (drifting, 0.02, "the table drifted: its start mask moved by 9"),
    ],
    ids=["nothing", "unexplained", "retries", "drift"],
)
def test_the_likeliest_cause_is_named(tmp_path: Path, happened: object, unexplained: float, expected: str) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5", replays=20, finish=False)
    assert callable(happened)
    with RunWriter.reopen(path) as writer:
        happened(writer)
    with RunReader(path) as run:
        found = likely_cause(run, pilot_result(unexplained=unexplained))
    assert expected in found
    assert bool(found) == bool(expected)


def test_a_cause_is_told_only_of_a_run_that_strays(tmp_path: Path) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5", replays=20, finish=False)
    with RunWriter.reopen(path) as writer:
        disturbed(writer)
    with RunReader(path) as run:
        straying, following = models_of(90, factor=3.0).with_cause(run), models_of(90).with_cause(run)
    assert straying.verdict.kind is VerdictKind.SLOWER
    assert straying.verdict.text.endswith("10 were made again")
    assert following.verdict.kind is VerdictKind.AS_PREDICTED
    assert not following.cause


def test_a_run_without_end_is_predicted_as_far_as_anything_happens() -> None:
    synthetic = SyntheticRun()
    endless = synthetic.experiment.model_copy(update={"stop": StopConfig(epochs=10**6)})
    told = predict(endless, synthetic.findings, synthetic.initial_mask, synthetic.header.target)
    assert told is not None
    assert told.epochs[-1] == 40 * len(synthetic.initial_mask)
    for curve, last in zip(told.at(np.array([10.0**6])), (told.median, told.low, told.high), strict=True):
        assert curve == pytest.approx(last[-1])
