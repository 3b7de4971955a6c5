"""Whatever comes back for any question of any driver: only our errors come out, in time, and the next answer is right.

Every question is asked with anything for an answer: bytes at random, the right answer with some bytes wrong, words and
numbers of other places. `benchmarks/fuzz_campaign.py` does this ten thousand times for each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import test_detector_bytes as detectors
from hypothesis import given, settings
from hypothesis import strategies as st
from laser_cases import CASES

from drivers.detectors.oscilloscope import OscilloscopeDetector, OscilloscopeOptions
from drivers.detectors.pm100 import PowerMeter, PowerMeterOptions
from drivers.interfaces import Device, DeviceDisconnectedError, DeviceError, DriverContext
from drivers.transports import Line
from labcontrol.testing import AnsweringLine

EXAMPLES = int(os.environ.get("LABCONTROL_FUZZ", "10"))
SHORT_S = 2e-5  # the other end answers at once or never
HANGS_S = 30.0  # computers that do other things stop for seconds now and then

Answers = dict[bytes, bytes]


@dataclass(frozen=True)
class Question:
    """One question of one driver, asked while it is used in one way. use: None where it is asked by `open`."""

    build: Callable[[Line], Device]
    device: str
    command: bytes
    opening: Answers
    answers: Answers  # once it is open
    use: Callable[[Any], object] | None
    check: Callable[[Any], object]
    right: object


def _set_power(laser: Any) -> None:
    laser.power_setpoint_w = 0.03


def getattr_of(device: Any, name: str) -> object:
    return getattr(device, name)


def _power_w(laser: Any) -> object:
    return laser.power_w


def _laser_questions() -> Iterator[tuple[str, Question]]:
    for name, case in CASES.items():
        uses: list[tuple[Callable[[Any], object] | None, Any]] = [
            *((partial(getattr_of, name=attribute), script) for attribute, script, _ in case.reads),
            (lambda laser: laser.status(), case.status),
            (_set_power, case.set_power),
            (lambda laser: laser.emission_off(), case.off),
            (lambda laser: laser.emission_on(), case.on),
            (None, []),
        ]
        opening = dict(case.wire([*case.opening, *case.off, *case.closing_extra]))
        _, asked, right = next(reading for reading in case.reads if reading[0] == "power_w")
        for use, script in uses:
            answers = opening | dict(case.wire([*script, *asked]))
            for command in dict(case.wire(script)) if script else opening:
                yield name, Question(case.build, "laser", command, opening, answers, use, _power_w, right)


def _detector_questions() -> Iterator[tuple[str, Question]]:
    meter = PowerMeterOptions(wavelength_nm=661, averages=3, timeout_s=SHORT_S)
    scope = OscilloscopeOptions(channel=2, range_v=4.0, offset_v=1.0, timeout_s=SHORT_S)
    meter_status = [(b"SENS:POW:RANG?", b"5E-3")]
    reading = [*detectors.ARMING, *detectors.FORCING, *detectors.FETCHING]
    scope_status = [(b":OPER:COND?", b"+0"), (b":ACQ:SRAT?", b"+1E+9")]
    stop = detectors.told(b":STOP")

    def read(device: Any) -> list[float]:
        return [float(value) for value in device.read(4, 1000.0).data]

    def status(device: Any) -> object:
        return device.status()

    for name, build, opening, uses, right in (
        (
            "meter",
            lambda line: PowerMeter(DriverContext("meter", detectors.Ticking()), line, meter),
            detectors.METER_OPENING,
            [(read, [(b"READ?", b"1.0E-03")]), (status, meter_status), (None, [])],
            [1e-3] * 4,
        ),
        (
            "scope",
            lambda line: OscilloscopeDetector(DriverContext("scope", detectors.Ticking()), line, scope),
            detectors.SCOPE_OPENING,
            [(read, reading), (status, scope_status), (None, [])],
            [0.25, 0.5, 0.75, 1.0],
        ),
    ):
        everything = [*opening, *(exchange for _, script in uses for exchange in script), *stop]
        answers = dict(detectors.scpi([(said, heard) for said, heard in everything]))
        for use, script in uses:
            for command in dict(detectors.scpi(script or opening)):
                yield name, Question(build, name, command, answers, answers, use, read, right)


def _questions() -> dict[str, Question]:
    """Every question once: where it is asked in use, and only else where it is asked by `open`."""
    found: dict[str, Question] = {}
    for name, question in (*_laser_questions(), *_detector_questions()):
        if question.answers.get(question.command):
            found.setdefault(f"{name}: {question.command.decode().strip()}", question)
    return found


QUESTIONS = _questions()
EVERYWHERE = [
    word for question in QUESTIONS.values() for word in (question.answers[question.command], question.command)
] + [b"nan\n", b"1e999\r\n", b"-0\r\n", b"ERR-100\r\n", b"%SYS-E-1\r\n[OK]\r\n", b"Syntax error\r\n", b"#15\n"]


@st.composite
def damaged(draw: st.DrawFn, right: bytes) -> bytes:
    """A right answer with some bytes changed, lost, put in or said twice, or cut short."""
    answer = bytearray(right)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(answer)))
        damage = draw(st.sampled_from(("change", "lose", "put in", "twice", "cut")))
        if damage == "change" and at < len(answer):
            answer[at] = draw(st.integers(0, 255))
        elif damage == "lose":
            del answer[at : at + 1]
        elif damage == "put in":
            answer[at:at] = draw(st.binary(min_size=1, max_size=3))
        elif damage == "twice":
            answer += answer[at:]
        else:
            del answer[at:]
    return bytes(answer)


def anything_but(right: bytes) -> st.SearchStrategy[bytes]:
    framed = st.binary(max_size=40).map(lambda data: data + right[-2:])
    return st.one_of(damaged(right), st.binary(max_size=60), framed, st.sampled_from(EVERYWHERE))


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", SHORT_S)
    monkeypatch.setattr("laser_cases.FAST", SHORT_S)


def _only_our_errors(question: Question, action: Callable[[], object]) -> None:
    started_s = time.monotonic()
    caught: DeviceError | None = None
    try:
        action()
    except DeviceError as error:
        caught = error
    assert time.monotonic() - started_s < HANGS_S
    assert not isinstance(caught, DeviceDisconnectedError)  # the line is not lost
    assert caught is None or (caught.device == question.device and caught.message)


@pytest.mark.parametrize("name", QUESTIONS)
def test_whatever_is_answered(name: str) -> None:
    question = QUESTIONS[name]
    use = question.use
    line = AnsweringLine(question.opening, question.device)
    device = question.build(line)

    @given(answer=anything_but(question.answers[question.command]))
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    def in_use(answer: bytes) -> None:
        assert use is not None
        line.instead[question.command] = answer
        _only_our_errors(question, lambda: use(device))
        line.instead.clear()
        assert question.check(device) == pytest.approx(question.right)

    @given(answer=anything_but(question.answers[question.command]))
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    def opening(answer: bytes) -> None:
        line.instead[question.command] = answer
        _only_our_errors(question, device.open)
        line.instead.clear()
        with suppress(DeviceError):
            device.close()
        assert not line.is_open

    if use is None:
        opening()
    else:
        device.open()
        line.answers = question.answers
        in_use()
