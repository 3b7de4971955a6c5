"""The columns a plot draws from, and their reduction to the resolution of the screen."""

from __future__ import annotations

import numpy as np
from gui_helpers import epoch
from hypothesis import given
from hypothesis import strategies as st

from labcontrol.gui.learning_data import GrowingArray, LearningData, ranges, steps


def test_a_growing_array_holds_what_it_was_given() -> None:
    array = GrowingArray(np.float64)
    expected = np.random.default_rng(1).normal(size=5000)
    for part in np.array_split(expected, 37):
        array.extend(part)
    np.testing.assert_array_equal(array.values, expected)


def test_the_other_error_of_the_incumbent_is_that_of_the_last_accepted_epoch() -> None:
    data = LearningData("mse")
    data.append([epoch(0, 1.0), epoch(1, 1.4)], [1.0, 1.0])
    data.append([epoch(2, 0.8, accepted=True), epoch(3, 0.9)], [0.8, 0.8])
    np.testing.assert_allclose(data.incumbent("mse"), [1.0, 1.0, 0.8, 0.8])
    np.testing.assert_allclose(data.incumbent("nmse"), [0.5, 0.5, 0.4, 0.4])
    np.testing.assert_allclose(data.error("mse"), [1.0, 1.4, 0.8, 0.9])


def test_the_share_accepted_leaves_the_first_measurement_out() -> None:
    data = LearningData("mse")
    data.append([epoch(0, 1.0), epoch(1, 0.9, accepted=True), epoch(2, 1.0)], [1.0, 0.9, 0.9])
    assert data.recently_accepted(10) == 0.5


@given(st.integers(1, 3000), st.integers(2, 400), st.integers(0, 2**32 - 1))
def test_no_extreme_value_is_lost_between_pixels(length: int, pixels: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=length)
    x = np.arange(length, dtype=np.float64)
    at, low, high = ranges(x, y, np.linspace(0, length, pixels))
    assert low.min() == y.min()
    assert high.max() == y.max()
    assert len(at) <= pixels + 2
    assert np.all(np.diff(at) > 0)


@given(st.integers(1, 3000), st.integers(2, 400))
def test_the_last_point_of_a_curve_is_always_drawn(length: int, pixels: int) -> None:
    x = np.arange(length, dtype=np.float64)
    at, y = steps(x, -x, np.linspace(0, length, pixels))
    assert at[-1] == length - 1
    assert y[-1] == -(length - 1)
    assert len(at) <= pixels + 2


def test_only_what_is_in_view_is_drawn() -> None:
    x = np.arange(1_000_000, dtype=np.float64)
    at, _ = steps(x, x, np.linspace(500_000, 500_100, 50))
    assert at[0] >= 499_999
    assert at[-1] <= 500_101


def test_nothing_to_draw_is_no_error() -> None:
    empty = np.empty(0)
    assert [len(part) for part in ranges(empty, empty, np.linspace(0, 1, 5))] == [0, 0, 0]
    assert [len(part) for part in steps(empty, empty, np.linspace(0, 1, 5))] == [0, 0]
