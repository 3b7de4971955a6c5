"""Lines and conversations: errors of the stacks become ours, and no late reply ever answers another question."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
)
from drivers.lasers.cobolt import CoboltConversation
from drivers.transports import Conversation, Line, Reply, ScpiConversation, SerialLine, VisaLine
from drivers.transports.scpi import scpi_error, scpi_identity
from labcontrol.testing import ScriptedLine

pytest.importorskip("termios", reason="emulated instruments need pseudo-terminals")


from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.instrument import Instrument
from mock_devices.wire.line_faults import Kind
from mock_devices.wire.ports import Port, PtyPort, TcpPort
from mock_devices.wire.scpi import ScpiInstrument

EXAMPLES = int(os.environ.get("LABCONTROL_FUZZ", "200"))
TIMEOUT_S = 0.2
LATE_S = 1.6 * TIMEOUT_S


class Register(ScpiInstrument):
    """An instrument with one number and one block."""

    def __init__(self) -> None:
        super().__init__("ACME,REG,7,1.0")
        self.value = "1.5"
        self.add("VALue", query=lambda _: self.value, command=self._set)
        self.add("BLOCk", query=lambda _: b"#15ab\ncd")

    def _set(self, value: str) -> None:
        self.value = value


class Stand:
    """One emulated instrument, one conversation with it, and three questions of which the answers are known."""

    def __init__(self, kind: str) -> None:
        serial = kind.startswith("serial")
        instrument: Instrument = CoboltInstrument() if serial else Register()
        self.port: Port = PtyPort(instrument) if kind in ("serial-pty", "visa-pty") else TcpPort(instrument)
        self.port.plug()
        self.line: Line
        self.talk: Conversation
        if serial:
            self.line = SerialLine("laser", self.port.address)
            self.talk = CoboltConversation(self.line, timeout_s=TIMEOUT_S)
            self.questions = [("p?", b"0.0000"), ("gmlp?", b"100.0000"), ("gsn?", b"12345"), ("gfv?", b"6.3.2")]
        else:
            where = f"ASRL{self.port.address}::INSTR" if kind == "visa-pty" else getattr(self.port, "visa_address", "")
            self.line = VisaLine("laser", where)
            self.talk = ScpiConversation(self.line, timeout_s=TIMEOUT_S)
            self.questions = [
                ("VAL?", b"1.5"),
                ("*IDN?", b"ACME,REG,7,1.0"),
                ("*ESE?", b"0"),
                ("SYST:ERR?", b'0,"No error"'),
            ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.talk.close()
        self.port.close()


KINDS = ["serial-pty", "serial-tcp", "visa-tcp", "visa-pty"]
MISCHIEVOUS = ["serial-pty", "visa-tcp"]


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with Stand(request.param) as made:
        made.talk.open()
        yield made


def ask(stand: Stand, command: str) -> bytes:
    return stand.talk.ask(command, lambda reply: reply.received)


def plan(stand: Stand, kind: Kind, command: str = "", **how: Any) -> None:
    stand.port.line_faults.plan(kind, re.escape(command), **how)


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.conversation.SHORTEST_QUIET_S", 0.005)


def test_questions_get_their_answers(stand: Stand) -> None:
    for _ in range(3):
        for command, answer in stand.questions:
            assert ask(stand, command) == answer


@pytest.mark.parametrize("late", range(4))
@pytest.mark.parametrize("stand", MISCHIEVOUS, indirect=True)
def test_a_late_reply_never_answers_the_next_question(stand: Stand, late: int) -> None:
    command, _ = stand.questions[late]
    plan(stand, "late", command, seconds=LATE_S)
    with pytest.raises(DeviceTimeoutError) as caught:
        ask(stand, command)
    assert command in str(caught.value)
    for other, answer in stand.questions:
        assert ask(stand, other) == answer


@pytest.mark.parametrize("stand", MISCHIEVOUS, indirect=True)
def test_replies_late_one_after_the_other_never_answer_another_question(stand: Stand) -> None:
    answered = 0
    for command, answer in stand.questions[:2] * 3:
        plan(stand, "late", command, seconds=LATE_S, after=1)
        try:
            assert ask(stand, command) == answer
        except (DeviceTimeoutError, DeviceReplyError):
            continue
        answered += 1
    assert answered >= 2


@pytest.mark.parametrize("stand", MISCHIEVOUS, indirect=True)
@pytest.mark.parametrize("kind", ["garbled", "cut", "silent", "deaf", "doubled"])
def test_after_any_line_fault_questions_get_their_own_answers(stand: Stand, kind: Kind) -> None:
    for command, answer in stand.questions[:2]:
        plan(stand, kind, command)
        try:
            first = ask(stand, command)
        except (DeviceTimeoutError, DeviceReplyError):
            pass
        else:
            assert kind in ("garbled", "doubled")
            assert first == answer or kind == "garbled"
        for other, expected in stand.questions:
            assert ask(stand, other) == expected


def lose_the_line(stand: Stand, command: str) -> DeviceDisconnectedError:
    """Ask until the line is found to be lost; a socket may first seem to be silent, never to answer."""
    for _ in range(4):
        try:
            answer = ask(stand, command)
        except DeviceTimeoutError:
            continue
        except DeviceDisconnectedError as error:
            return error
        raise AssertionError(f"a lost line answered {answer!r}")
    raise AssertionError("a lost line was never noticed")


def test_a_dropped_line_is_an_error_until_it_is_opened_again(stand: Stand) -> None:
    command, answer = stand.questions[0]
    plan(stand, "dropped", command)
    lose_the_line(stand, command)
    with pytest.raises(DeviceDisconnectedError, match=r"lost its line .* earlier") as caught:
        ask(stand, command)
    assert "open it again" in caught.value.remedy
    stand.port.unplug()
    stand.port.plug()
    stand.talk.close()
    stand.talk.open()
    assert ask(stand, command) == answer


def test_an_unplugged_line_is_a_clear_error_and_comes_back(stand: Stand) -> None:
    command, answer = stand.questions[1]
    assert ask(stand, command) == answer
    stand.port.unplug()
    assert lose_the_line(stand, command).remedy
    stand.talk.close()
    stand.port.plug()
    stand.talk.open()
    assert ask(stand, command) == answer


@pytest.mark.parametrize("kind", KINDS)
def test_opening_what_is_not_there_says_where_it_looked(kind: str) -> None:
    with Stand(kind) as stand:
        stand.port.unplug()
        with pytest.raises(DeviceDisconnectedError) as caught:
            stand.talk.open()
        assert stand.line.address in str(caught.value)
        assert caught.value.remedy
        assert not stand.line.is_open


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_instrument_is_a_timeout_when_opened(kind: str) -> None:
    with Stand(kind) as stand:
        stand.port.line_faults.plan("deaf", times=1000)
        with pytest.raises(DeviceTimeoutError, match="did not answer"):
            stand.talk.open()


def test_one_port_has_one_user() -> None:
    with PtyPort(CoboltInstrument()) as port, ExitStack() as stack:
        first, second = SerialLine("laser", port.address), SerialLine("other", port.address)
        stack.callback(first.close)
        first.open()
        with pytest.raises(DeviceDisconnectedError, match="Another program holds this port") as caught:
            second.open()
        assert caught.value.device == "other"


def test_threads_take_turns(stand: Stand) -> None:
    wrong: list[object] = []

    def talk(command: str, answer: bytes) -> None:
        for _ in range(25):
            try:
                if (got := ask(stand, command)) != answer:
                    wrong.append(got)
            except DeviceError as error:
                wrong.append(error)

    threads = [threading.Thread(target=talk, args=question) for question in stand.questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_was_received_of_an_incomplete_line_is_in_the_message() -> None:
    with Stand("visa-tcp") as stand:
        stand.talk.open()
        plan(stand, "cut", "*IDN?")
        with pytest.raises(DeviceTimeoutError, match="received b'ACME,RE'"):
            ask(stand, "*IDN?")


def test_a_device_that_never_ends_its_line_is_refused() -> None:
    line = ScriptedLine([(b"x\n", b"y" * 70_000)])
    line.open()
    line.send(b"x\n")
    with pytest.raises(DeviceReplyError, match="without an end of line"):
        line.read_line(b"\n", 1.0)


def test_a_device_that_never_stops_talking_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.line.LONGEST_BABBLE_S", 0.02)
    line = ScriptedLine([])
    monkeypatch.setattr(line, "_receive", lambda *_: b"chatter")
    line.open()
    with pytest.raises(DeviceReplyError, match="keeps talking"):
        line.drain(0.2)


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), BrokenPipeError(), TypeError("fd is None"), Exception("x")]
)
def test_whatever_a_stack_raises_becomes_a_lost_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ScriptedLine([(b"gsn?\r", b"")])
    line.open()
    line.send(b"gsn?\r")

    def fail(limit: int, timeout_s: float) -> bytes:
        raise error

    monkeypatch.setattr(line, "_receive", fail)
    with pytest.raises(DeviceDisconnectedError, match=r"gsn\?") as caught:
        line.read_line(b"\n", 1.0)
    assert caught.value.__cause__ is error
    assert not line.is_open


# --- SCPI ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def register() -> Iterator[tuple[ScpiConversation, Port]]:
    with TcpPort(Register()) as port:
        talk = ScpiConversation(VisaLine("meter", port.visa_address), timeout_s=TIMEOUT_S)
        talk.open()
        yield talk, port
        talk.close()


def test_a_setting_is_checked_in_the_error_queue(register: tuple[ScpiConversation, Port]) -> None:
    talk, port = register
    talk.write("VALUE 2.5")
    assert talk.ask("VAL?", Reply.number) == 2.5
    with pytest.raises(DeviceRefusedError, match=r"refused 'NONSENSE 1': -113, Undefined header"):
        talk.write("NONSENSE 1")
    assert talk.ask("SYST:ERR?", scpi_error) == (0, "No error")
    assert port.received[-3:] == [b"SYST:ERR?", b"*CLS", b"SYST:ERR?"]


def value_and_block(talk: ScpiConversation, byte_count: int) -> tuple[float, bytes]:
    return talk.ask_with_block("VAL?;:BLOC?", Reply.number, lambda _: byte_count)


def test_a_block_may_contain_line_ends(register: tuple[ScpiConversation, Port]) -> None:
    talk, _ = register
    assert value_and_block(talk, 5) == (1.5, b"ab\ncd")
    assert talk.ask("VAL?", Reply.number) == 1.5


def test_a_block_of_another_length_is_refused_and_what_follows_is_not_confused(
    register: tuple[ScpiConversation, Port],
) -> None:
    talk, _ = register
    for wrong in (4, 6, 50):
        with pytest.raises(DeviceReplyError, match=f"a block of {wrong} bytes"):
            value_and_block(talk, wrong)
        assert talk.ask("VAL?", Reply.number) == 1.5
    with pytest.raises(DeviceReplyError, match="a definite-length block"):
        talk.ask_with_block("VAL?;:VAL?", Reply.number, lambda _: 3)
    assert talk.identity().serial_number == "7"


def test_a_late_answer_that_looks_like_the_number_used_once_is_not_taken_for_it() -> None:
    """The first number returns twice, once as the late answer to something else; both are thrown away."""
    in_step = [(b"\n", b""), (b"*ESE 102\n", b""), (b"*ESE?\n", b"102\n"), (b"*ESE 103\n", b""), (b"*ESE?\n", b"103\n")]
    rest = [(b"*ESE 0\n", b""), (b"*CLS\n", b"")]
    opening = [(said.replace(b"102", b"100").replace(b"103", b"101"), heard) for said, heard in in_step]
    opening = [(said, heard.replace(b"102", b"100").replace(b"103", b"101")) for said, heard in opening]
    line = ScriptedLine([*opening, *rest, (b"TEMP?\n", b""), *in_step, *rest, (b"POW?\n", b"0.5\n")], device="meter")
    talk = ScpiConversation(line, timeout_s=1e-3)
    talk.open()
    with pytest.raises(DeviceTimeoutError):
        talk.ask("TEMP?", Reply.number)
    line.arriving += b"102\n"  # the temperature, late
    assert talk.ask("POW?", Reply.number) == 0.5
    assert line.all_said()


def test_a_cut_block_times_out_and_what_follows_is_not_confused(register: tuple[ScpiConversation, Port]) -> None:
    talk, port = register
    port.line_faults.plan("cut", matching="BLOC")
    with pytest.raises(DeviceTimeoutError):
        value_and_block(talk, 5)
    assert talk.ask("VAL?", Reply.number) == 1.5


# --- fuzzing ------------------------------------------------------------------------------------------------------
@given(st.binary(max_size=80))
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_arrives_scpi_parsers_raise_only_our_errors(received: bytes) -> None:
    for parse in (scpi_error, scpi_identity):
        with contextlib.suppress(DeviceReplyError):
            parse(Reply("meter", b"*IDN?\n", received))


@given(st.binary(max_size=40) | st.binary(max_size=20).map(lambda data: b"#15" + data), st.integers(0, 8))
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_arrives_instead_of_a_block_raises_only_our_errors(received: bytes, count: int) -> None:
    line = ScriptedLine([(b"VAL?;:BLOC?\n", b"1.5;" + received)], device="scope")
    line.open()
    talk = ScpiConversation(line, timeout_s=1e-4)
    talk._in_step = True
    try:
        _, data = value_and_block(talk, count)
    except (DeviceReplyError, DeviceTimeoutError):
        return
    assert received[: 3 + count] == b"#1%d" % count + data
