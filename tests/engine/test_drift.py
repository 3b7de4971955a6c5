"""The reference mask shows when the table is no longer what it was, and what has probably changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from small_runs import assert_same_learning, at_epoch, at_state, experiment, small_run

from labcontrol.engine import DriftMeasured, Run, RunState
from labcontrol.engine.drift import REPEATS, DriftError, DriftWatch, ReferenceMeasurement
from labcontrol.engine.drift_correction import drift_normalised_mse, reference_gain
from labcontrol.engine.verify import verify
from labcontrol.records import RunReader

EVERY = 10


def watched(folder: Path, epochs: int = 40, **table_options: Any) -> Run:
    config = experiment(stop={"epochs": epochs}, drift={"every_epochs": EVERY}, faults={"give_up_after_s": 0.0})
    return small_run(folder, config, **table_options)


def test_a_steady_table_does_not_drift(tmp_path: Path) -> None:
    run = watched(tmp_path, epochs=200)
    mailbox = run.subscribe()
    run.execute()
    events = [event for event in mailbox.drain() if isinstance(event, DriftMeasured)]
    with RunReader(run.record) as record:
        drift = record.drift
        assert len(record.epochs) == 200
        assert verify(record) == []
    assert [event.epoch for event in events] == list(range(EVERY, 200, EVERY))
    assert drift["epoch"].tolist() == [0] * REPEATS + [event.epoch for event in events]
    assert drift["excess"].max() < 5
    assert np.abs(drift["level"] - 1).max() < 2e-3
    assert run.status.state is RunState.FINISHED


@pytest.mark.parametrize(
    ("change", "device", "words"),
    [
        ({"laser": {"drift_share": 0.1, "drift_period_s": 400.0}}, "laser", "temperature"),
        ({"optics": {"pointing_drift_cells": 0.5, "pointing_period_s": 400.0}}, "camera", "have moved"),
        ({"detector": {"offset_drift_w_per_h": 1e-3}}, "detector", "ReferenceMeasurement at its offset"),
    ],
)
def test_a_table_that_drifts_pauses_the_run_and_the_cause_is_named(
    tmp_path: Path, change: dict[str, Any], device: str, words: str
) -> None:
    run = watched(tmp_path, **change)
    with pytest.raises(DriftError, match=device) as drift:
        run.execute()
    assert words in str(drift.value)
    assert not run.status.laser_on
    with RunReader(run.record) as record:
        assert [fault.device for fault in record.faults if fault.kind == "drift"] == [device]
        assert len(record.epochs) <= 3 * EVERY


def test_a_person_may_let_a_drifted_table_go_on_and_it_is_the_new_reference(tmp_path: Path) -> None:
    config = experiment(drift={"every_epochs": EVERY})
    run = small_run(tmp_path, config, detector={"offset_w": 0.0})
    shift = run_with_shift(run, at=15, offset_w=1e-4)
    at_state(run, RunState.PAUSED, run.resume)
    run.execute()
    assert shift == [1e-4]
    with RunReader(run.record) as record:
        drift = record.drift
        assert [fault.kind for fault in record.faults] == ["drift"]
        assert len(record.epochs) == 40
    assert drift["epoch"].tolist() == [0] * REPEATS + [10, 20] + [20] * REPEATS + [30]
    assert drift["offset"][REPEATS + 1] == pytest.approx(1e-4, rel=0.1)
    assert drift["excess"][-1] < 5


def run_with_shift(run: Run, at: int, offset_w: float) -> list[float]:
    """The detector's offset jumps after so many epochs."""
    done: list[float] = []
    start = run._on_bench

    def on_bench(bench: Any) -> str:
        def jump() -> None:
            detector = bench.table.detector
            detector._options = detector._options.model_copy(update={"offset_w": offset_w})
            done.append(offset_w)

        at_epoch(run, at, jump)
        return start(bench)

    run._on_bench = on_bench  # type: ignore[method-assign]
    return done


@pytest.mark.parametrize("epoch", [10, 13])
def test_a_continued_run_measures_its_reference_as_if_nothing_had_been(tmp_path: Path, epoch: int) -> None:
    whole, broken = watched(tmp_path / "whole"), watched(tmp_path / "broken")
    whole.execute()
    at_epoch(broken, epoch, broken.abort)
    broken.execute()
    Run.continued(broken.record).execute()
    assert_same_learning(broken.record, whole.record)
    with RunReader(broken.record) as ours, RunReader(whole.record) as theirs:
        for name, values in theirs.drift.items():
            np.testing.assert_array_equal(ours.drift[name], values)


def test_a_fault_within_a_measurement_is_followed_by_a_checkpoint(tmp_path: Path) -> None:
    """A simulated table would not do the same again from the last one before it."""
    unplugged = {"device": "camera", "kind": "disconnect", "at_epoch": EVERY, "seconds": 1.5}
    config = experiment(drift={"every_epochs": EVERY}, fault_script={"fault": [unplugged]})
    run = small_run(tmp_path, config)
    run.execute()
    with RunReader(run.record) as record:
        assert {fault.epoch for fault in record.faults} == {EVERY}
        assert record.checkpoint_epochs.tolist() == [0, EVERY]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_noise_alone_has_an_excess_of_a_few(share: float) -> None:
    """share: noise that all steps of a replay have in common, over that of each step."""
    random = np.random.default_rng(1)
    found = []
    for _ in range(200):
        watch = DriftWatch()
        known = random.random(200)

        def measurement(known: np.ndarray = known) -> ReferenceMeasurement:
            noise = random.standard_normal(200) + share * random.standard_normal()
            return ReferenceMeasurement((10 + known + 0.01 * noise).astype(np.float32), 1.0, 0.0, 1.0)

        for _ in range(REPEATS):
            watch.begin(measurement())
        found.append(watch.compare(measurement()).excess)
    assert np.median(found) < 2
    assert np.quantile(found, 0.95) < 6


def test_a_gain_that_drifted_is_taken_out_of_the_fixed_gain_error(tmp_path: Path) -> None:
    run = watched(tmp_path, epochs=200)
    run.execute()
    with RunReader(run.record) as record:
        steady = record.epochs.mse
        _, gains = reference_gain(record)
    noise = float(np.std(gains[REPEATS:]))
    with h5py.File(run.record, "r+") as file:  # as if the amplifier had lost a fifth of its gain from first to last
        kept = 1 - 0.2 * np.arange(200) / 200
        file["epochs/output"][:200] *= kept[:, None].astype(np.float32)
        file["drift/output"][: len(gains)] *= (1 - 0.2 * file["drift/epoch"][: len(gains)] / 200)[:, None]
    with RunReader(run.record) as record:
        found = drift_normalised_mse(record)
        _, drifted = reference_gain(record)
    assert drifted[-1] == pytest.approx(1 - 0.2 * 190 / 200, abs=5 * noise)
    measured = slice(EVERY, 191)  # behind the last measurement the gain is held
    change = 2 * np.sqrt(steady[measured] + 1) * np.sqrt(steady[measured])  # of the error with the output's scale
    assert np.abs(found - steady)[measured].max() < 5 * noise * max(float(change.max()), 1)


def test_without_a_drift_curve_errors_are_not_normalised(tmp_path: Path) -> None:
    run = small_run(tmp_path, experiment(stop={"epochs": 4}))
    run.execute()
    with RunReader(run.record) as record, pytest.raises(ValueError, match="no drift curve"):
        drift_normalised_mse(record)
