"""What travels between client and host: everything comes out as it went in, and garbage comes out as an error."""

from __future__ import annotations

import contextlib
import json
import math
import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from predictions import pilot_result

from drivers.interfaces import DeviceStatus, Frame, Identity, Roi, Samples
from labcontrol.bench import simulated_bench
from labcontrol.calibration import Calibration
from labcontrol.calibration.result import Outcome, Quantity
from labcontrol.config import ExperimentConfig, ReservoirConfig
from labcontrol.engine import (
    Doing,
    DriftMeasured,
    EpochDone,
    Event,
    FaultSeen,
    Finished,
    Predicted,
    Prepared,
    RunState,
    RunStatus,
    Seen,
    StateChanged,
)
from labcontrol.host.codec import Codec
from labcontrol.host.framing import ProtocolError, pack, unpack
from labcontrol.host.jobs import JOBS, job_class
from labcontrol.host.jobs import calibration as calibration_job
from labcontrol.host.jobs import manual as manual_job
from labcontrol.host.jobs import run as run_job
from labcontrol.host.protocol import Gap, HostState, HostStatus, LogLine, Request
from labcontrol.host.server import COMMON
from labcontrol.records import Epoch, Fault
from labcontrol.reservoir import StepView
from labcontrol.selftest import FiguresOfMerit, Trial
from labcontrol.tasks import Task

RNG = np.random.default_rng(1)
FRAME = Frame(RNG.integers(0, 4096, (6, 5)).astype(np.uint16), 7, 1.5, 2e-3, 0.0)
STATUS = RunStatus(RunState.PAUSED, "why", Path("runs/a.h5"), 3, 40, math.inf, 2, 1, True, 0.1)
FIGURES = FiguresOfMerit(**{field.name: 1 for field in fields(FiguresOfMerit)})
LASER = manual_job.LaserFacts(True, True, ("hot",), 0.02, 0.02, (0.0, 0.1), 0.5)
IDENTITY = Identity("vendor", "model", "1", "2")


EVENTS: dict[str, list[Any]] = {
    "run": [
        StateChanged(STATUS),
        Doing("pilot 3/12"),
        Prepared(Task("t", *(RNG.random(4) for _ in range(5))), RNG.random(9) > 0.5, RNG.random((9, 2)), 0.01),
        Predicted(pilot_result()),
        EpochDone(
            Epoch(4, 4, -1, RNG.random(9) > 0.5, RNG.random(5).astype(np.float32), 0.1, math.nan, True, 1.0, 2.0),
            0.1,
            STATUS,
        ),
        Seen(StepView(3, FRAME, RNG.integers(0, 255, (4, 4)).astype(np.uint8), 0.5)),
        FaultSeen(Fault(1.0, "camera", "timeout", "text", "again", 3)),
        DriftMeasured(10, 1.0, 0.1, 0.2),
        Finished(STATUS, {"train": {"nmse": np.float64(0.5)}, "list": [1, (2, 3)], "none": None}),
        run_job.RunDescription(ExperimentConfig(), simulated_bench(256, 1), Path("a.h5"), True),
        run_job.RunFailed("user", "what", "remedy"),
    ],
    "manual": [
        manual_job.DeviceReport(IDENTITY, DeviceStatus(True, "fine", {"temperature_c": 20.5, "on": True}), LASER),
        manual_job.DeviceReport(
            IDENTITY, DeviceStatus(True, "fine"), manual_job.ModulatorFacts((4, 4), 8, 0.1, 60.0, 1)
        ),
        manual_job.DeviceReport(
            IDENTITY,
            DeviceStatus(False, "not"),
            manual_job.CameraFacts((4, 5), 12, 0.1, 0.1, (0.0, 1.0), 0.0, (0.0, 24.0), Roi(0, 1, 2, 3)),
        ),
        manual_job.DeviceReport(IDENTITY, DeviceStatus(True, ""), manual_job.DetectorFacts(1e6, 1000, True)),
        FRAME,
        Samples(RNG.random(7), 1.0, 1e6, 3, False),
    ],
    "calibration": [
        calibration_job.Activity("exposure"),
        calibration_job.Progress(3, 7),
        calibration_job.CameraOpened(12),
        calibration_job.LightChanged(True, 0.02),
        calibration_job.SelfTestFound(FIGURES, RNG.random(4), 16, 16, 20, 0.1, 10.0, ("advice",)),
        Trial(ReservoirConfig(), None, 0.1, "too dark"),
        Trial(ReservoirConfig(), FIGURES, 0.1),
        FRAME,
        Calibration(
            "camera",
            1.0,
            Outcome(
                {"gain": Quantity(1.0, 0.9, 1.1, "", "what")}, {"dark": RNG.random((3, 3))}, {"camera": {}}, ("no",)
            ),
            {"camera": {"model": "m"}},
            {"camera": "hash"},
            {},
            {"version": "1"},
        ),
    ],
}
COMMON_EVENTS = [
    HostStatus(host="a", pid=1, version="0", state=HostState.RUN, error=0.1, record="a.h5"),
    Gap(events=3),
    LogLine(logger="a", level=20, unix_s=1.0, text="said"),
]


def same(a: Any, b: Any) -> bool:
    """Equal in value and type, arrays and numbers that are none included."""
    if type(a) is not type(b):
        return isinstance(b, np.floating) and a == float(b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if is_dataclass(a):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def there_and_back(codec: Codec, value: Any) -> Any:
    arrays: list[Any] = []
    header, received = unpack(pack({"event": codec.encode(value, arrays)}, arrays))
    return codec.decode(header["event"], received)


@pytest.mark.parametrize("job", JOBS)
def test_every_event_comes_out_as_it_went_in(job: str) -> None:
    codec = Codec((*COMMON, *job_class(job).carries))
    for event in (*EVENTS[job], *COMMON_EVENTS):
        assert same(there_and_back(codec, event), event), event


def test_every_class_of_events_is_tried_above() -> None:
    tried = {type(event) for event in EVENTS["run"]}
    assert set(Event.__args__) <= tried
    for job in JOBS:
        for kind in job_class(job).carries:
            assert kind in {type(event) for event in EVENTS[job]} or kind is Event


def requests() -> list[type[Request]]:
    import labcontrol.host.protocol

    modules = (labcontrol.host.protocol, run_job, manual_job, calibration_job)
    found = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    return [kind for kind in dict.fromkeys(found) if issubclass(kind, Request) and kind is not Request]


def example(annotation: Any) -> Any:
    known = {int: 3, float: 0.5, str: "text", bool: True, ExperimentConfig: ExperimentConfig().model_dump(mode="json")}
    if annotation in known:
        return known[annotation]
    text = str(annotation)
    return {"a": 1} if "dict" in text else [1, 2, 3, 4] if "tuple" in text else "slm"


@pytest.mark.parametrize("kind", requests())
def test_every_request_comes_out_as_it_went_in(kind: type[Request]) -> None:
    request = kind.model_validate({name: example(field.annotation) for name, field in kind.model_fields.items()})
    header, _ = unpack(pack({"n": 1, "do": kind.name, "with": request.model_dump(mode="json")}))
    assert kind.model_validate(header["with"]) == request


def test_names_of_requests_are_unique_for_each_job() -> None:
    import labcontrol.host.protocol

    common = [kind.name for kind in vars(labcontrol.host.protocol).values() if kind in requests()]
    for module in (run_job, manual_job, calibration_job):
        own = [kind.name for kind in requests() if kind.__module__ == module.__name__]
        assert len(set(common + own)) == len(common + own)


# --- garbage --------------------------------------------------------------------------------------------------------
def raw(header: Any, behind: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + behind


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"abc",
        struct.pack("<I", 4_000_000_000) + b"{}",
        raw(b"no json"),
        raw(b"NaN"),
        raw(b"[" * 100_000),
        raw([1]),
        raw({"arrays": 3}),
        raw({"arrays": [["<f8", [2]]]}, bytes(8)),
        raw({"arrays": [["<f8", [2**60, 2**60]]]}, bytes(8)),
        raw({"arrays": [["<f8", [-1]]]}),
        raw({"arrays": [["<f8", [1.5]]]}),
        raw({"arrays": [["<f8", [True]]]}, bytes(8)),
        raw({"arrays": [["<f8", [1] * 40]]}, bytes(8)),
        raw({"arrays": [["|O8", [1]]]}, bytes(8)),
        raw({"arrays": [["<b8", [1]]]}, bytes(8)),
        raw({"arrays": [["<f1", [1]]]}, bytes(1)),
        raw({"arrays": [[["<f8"], [1]]]}, bytes(8)),
        raw({}, b"more"),
    ],
)
def test_what_is_no_message_is_refused_before_an_array_is_made(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack(message)


@given(st.binary(max_size=200))
def test_random_bytes_are_a_message_or_refused(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        unpack(message)


@pytest.mark.parametrize(
    "value",
    [
        {"!": "os"},
        {"!": "RunStatus", "other": 1},
        {"!": "RunState", "is": "flying"},
        {"!": "array", "n": 5},
        {"!": "array", "n": "x"},
        {"!": "float", "is": "x"},
        {"!": "tuple"},
        {"!": ["RunState"]},
        {"!": "HostStatus", "is": {"host": 1}},
        {"!": "builtins.eval", "is": "1"},
    ],
)
def test_only_known_classes_are_made(value: Any) -> None:
    with pytest.raises(ProtocolError):
        Codec((*COMMON, *job_class("run").carries)).decode(value, [])


@pytest.mark.parametrize("value", [object(), {1: 2}, {"!": 1}, np.array(["text"]), {"a": Path, "b": lambda: 1}])
def test_what_no_client_knows_is_not_sent(value: Any) -> None:
    with pytest.raises(ProtocolError):
        there_and_back(Codec(COMMON), value)


def test_two_classes_of_one_name_are_noticed(tmp_path: Path) -> None:
    def other() -> type:
        class Gap(Request):
            name = "x"

        return Gap

    make: Callable[[], Codec] = lambda: Codec((*COMMON, other()))  # noqa: E731
    with pytest.raises(TypeError, match="same name"):
        make()
