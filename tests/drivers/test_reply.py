"""Replies are read strictly: exactly what a manual allows, or an error that names device, command and bytes."""

from __future__ import annotations

import math
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.interfaces import DeviceReplyError
from drivers.transports import Reply

EXAMPLES = int(os.environ.get("LABCONTROL_FUZZ", "200"))


def reply(received: bytes) -> Reply:
    return Reply("laser", b"p?\r", received)


@pytest.mark.parametrize(
    ("received", "value"),
    [(b"0.0500", 0.05), (b"-1", -1.0), (b"+9.9E37", 9.9e37), (b" 1.5 ", 1.5), (b".5", 0.5), (b"3.", 3.0)],
)
def test_a_number_is_a_finite_decimal(received: bytes, value: float) -> None:
    assert reply(received).number() == value


@pytest.mark.parametrize(
    "received", [b"", b"nan", b"inf", b"0x10", b"1_000", b"1,5", b"1 2", b"1e999", b"1.0 W", "١".encode()]
)
def test_anything_else_is_no_number(received: bytes) -> None:
    with pytest.raises(DeviceReplyError) as caught:
        reply(received).number()
    assert caught.value.device == "laser"
    assert repr(b"p?\r") in str(caught.value)
    assert repr(received) in str(caught.value)
    assert caught.value.remedy


def test_a_flag_is_zero_or_one() -> None:
    assert reply(b"1").flag() is True
    assert reply(b"0").flag() is False
    for wrong in (b"2", b"ON", b"00", b""):
        with pytest.raises(DeviceReplyError, match="expected b'0' or b'1'"):
            reply(wrong).flag()


def test_a_long_reply_is_cut_in_the_message_only() -> None:
    with pytest.raises(DeviceReplyError, match=r"\(5000 bytes\)") as caught:
        reply(b"x" * 5000).flag()
    assert len(str(caught.value)) < 500


@given(st.binary(max_size=64))
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_is_received_only_our_errors_come_out(received: bytes) -> None:
    for parse in (Reply.number, Reply.whole, Reply.flag, Reply.text):
        try:
            value = parse(reply(received))
        except DeviceReplyError:
            continue
        assert not isinstance(value, float) or math.isfinite(value)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_number_an_instrument_prints_is_read_back(value: float) -> None:
    assert reply(f"{value:.9e}".encode()).number() == pytest.approx(value, rel=1e-8, abs=1e-40)


def test_a_pattern_must_fit_the_whole_reply() -> None:
    pattern = re.compile(rb"PIC = (\d+) uW")
    assert reply(b"PIC = 12 uW").matching(pattern, "a power")[1] == b"12"
    with pytest.raises(DeviceReplyError, match="expected a power"):
        reply(b"PIC = 12 uW and more").matching(pattern, "a power")
