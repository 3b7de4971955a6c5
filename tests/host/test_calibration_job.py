"""Calibration as a job: dark when it is wanted dark, and a result counts only when it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.interfaces import DeviceTimeoutError
from labcontrol.bench import hidden_bench, simulated_bench
from labcontrol.calibration import Calibration, Session, store_of
from labcontrol.calibration.store import SUFFIX
from labcontrol.calibration.waiting import WAITING, keep
from labcontrol.config import BenchConfig, CalibrationConfig, ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.host.jobs.calibration import (
    CalibrationJob,
)
from labcontrol.host.jobs.calibration_events import Activity, LightChanged, Progress, SelfTestFound
from labcontrol.selftest import Trial

NEURONS = 36


@pytest.fixture
def config(tmp_path: Path) -> BenchConfig:
    """A hidden table, nothing measured yet."""
    bench = hidden_bench(NEURONS, 1, 3)
    return bench.model_copy(update={"calibration": CalibrationConfig(store=str(tmp_path / "calibrations"))})


class Events(list[Any]):
    """What was emitted; does something upon a kind of event."""

    def __init__(self) -> None:
        super().__init__()
        self.on: tuple[type, Callable[[], None]] | None = None

    def __call__(self, events: Any) -> None:
        self.append(events)
        if self.on is not None and isinstance(events, self.on[0]):
            self.on[1]()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def bench(config: BenchConfig, events: Events) -> Iterator[CalibrationJob]:
    bench = CalibrationJob(config, events)
    yield bench
    bench.end()


def measured(bench: CalibrationJob, kind: str) -> Calibration:
    found = bench.measure(kind, "", bench.darks)
    assert found is not None
    return found


def emits(bench: CalibrationJob) -> bool:
    return bench._bench is not None and bench._bench.laser.is_open and bool(bench._bench.laser.emission)


def test_a_result_counts_when_it_is_accepted(bench: CalibrationJob, config: BenchConfig, events: Events) -> None:
    store = store_of(config)
    found = measured(bench, "camera")
    assert found.passed
    assert store.status("camera", config).state == "missing"
    assert len(list((store.folder / WAITING).glob(f"*{SUFFIX}"))) == 1  # nothing measured is lost
    keep(config, found)
    assert store.status("camera", config).is_fresh
    assert store.files("camera")[0].with_suffix(".png").is_file()
    assert not list((store.folder / WAITING).glob(f"*{SUFFIX}"))
    assert any(isinstance(one, Progress) for one in events)
    assert any(isinstance(one, Activity) for one in events)


def test_a_step_builds_on_what_is_in_the_store(bench: CalibrationJob, config: BenchConfig) -> None:
    with pytest.raises(UserError, match="builds on camera"):
        measured(bench, "phase-response")
    first = measured(bench, "camera")
    keep(config, first)
    assert measured(bench, "phase-response").parents == {"camera": first.hash}


def test_a_failed_result_is_in_the_store_at_once(config: BenchConfig, events: Events) -> None:
    assert config.table is not None
    closed = config.table.options | {"camera": {"electrons_per_joule": 1.0}}  # as with a closed shutter
    dark = config.model_copy(update={"table": config.table.model_copy(update={"options": closed})})
    bench = CalibrationJob(dark, events)
    found = measured(bench, "camera")
    bench.end()
    assert "no pixel sees light" in found.outcome.failures[0]
    assert store_of(dark).status("camera", dark).state == "failed"


@pytest.mark.parametrize("moment", [Progress, LightChanged, Activity])
def test_whoever_wants_it_dark_gets_it_and_the_measurement_ends(
    bench: CalibrationJob, config: BenchConfig, events: Events, moment: type
) -> None:
    events.on = (moment, bench.light_off)
    assert bench.measure("camera", "", bench.darks) is None
    assert not emits(bench)
    assert store_of(config).files() == []
    events.on = None
    assert measured(bench, "camera").passed  # and the next one works


def test_a_measurement_asked_for_before_the_light_off_does_not_begin_after_it(bench: CalibrationJob) -> None:
    asked_at = bench.darks
    bench.light_off()
    assert bench.measure("camera", "", asked_at) is None
    assert bench._bench is None


def test_a_device_that_fails_is_opened_anew_the_next_time(
    bench: CalibrationJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Calibration:
        raise DeviceTimeoutError("camera", "gave no frame", "Look at its cable.")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", fails)
        with pytest.raises(DeviceTimeoutError):
            measured(bench, "camera")
    assert bench._bench is None
    assert measured(bench, "camera").passed


def test_a_step_without_camera_shows_the_picture_all_the_same(bench: CalibrationJob, events: Events) -> None:
    measured(bench, "detector")
    assert any(type(one).__name__ == "Frame" for one in events)


def test_the_self_test_refuses_a_table_that_is_not_calibrated(bench: CalibrationJob) -> None:
    with pytest.raises(UserError, match="not calibrated"):
        bench.self_test(ExperimentConfig(neurons=NEURONS), 0, "sobol", "", bench.darks)


def test_the_self_test_looks_and_scans_and_leaves_the_table_dark(events: Events) -> None:
    truthful = CalibrationJob(simulated_bench(NEURONS, 1), events)  # needs no calibration
    experiment = ExperimentConfig.model_validate({"neurons": NEURONS, "task": {"steps": 80, "test_steps": 20}})
    assert truthful.self_test(experiment, 0, "sobol", "", truthful.darks)
    assert truthful.self_test(experiment, 3, "sobol", "", truthful.darks)
    dark = not emits(truthful)
    truthful.end()
    assert dark
    assert sum(isinstance(one, SelfTestFound) for one in events) == 1
    assert next(one.config.feedback for one in events if isinstance(one, Trial)) == experiment.reservoir.feedback
    assert sum(isinstance(one, Trial) for one in events) == 3
