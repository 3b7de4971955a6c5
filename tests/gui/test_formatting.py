"""Numbers as a person writes them."""

from __future__ import annotations

import math

import pytest

from labcontrol.formatting import count, duration, power, rounded


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123456, "0.0123"), (1.0, "1.00"), (35.4321, "35.4"), (1234.5, "1234"), (0, "0"), (2.38e-6, "2.38 × 10⁻⁶"),
     (math.inf, "∞"), (math.nan, "–")],
)  # fmt: skip
def test_three_significant_figures(value: float, text: str) -> None:
    assert rounded(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3700, "1 h 01 min"), (200_000, "2 d 7 h"), (math.inf, "–")],
)
def test_durations_name_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_powers_come_in_the_unit_people_use() -> None:
    assert [power(watts) for watts in (1.5, 0.02, 3e-6)] == ["1.5 W", "20 mW", "3 µW"]


def test_thousands_are_set_apart() -> None:
    assert count(1234567) == "1\u202f234\u202f567"
