"""The columns a plot draws from, their bounded size, and their reduction to the resolution of the screen."""

from __future__ import annotations

import numpy as np
import pytest
from gui_helpers import epoch
from hypothesis import given, settings
from hypothesis import strategies as st

from labcontrol.gui.learning.data import SINGLE_EPOCHS, LearningData, ranges, steps

MOST_ROWS = 4 * SINGLE_EPOCHS


def filled(errors: np.ndarray, parts: int = 1, most_rows: int = MOST_ROWS) -> LearningData:
    data = LearningData("mse", most_rows=most_rows)
    held = np.minimum.accumulate(errors)
    accepted = np.append(True, np.diff(held) < 0)
    for rows in np.array_split(np.arange(len(errors)), parts):
        both = {"mse": errors[rows], "nmse": errors[rows] / 2}
        data.fill(both, {"mse": held[rows], "nmse": held[rows] / 2}, accepted[rows], rows // 4, 1000.0 + 0.1 * rows)
    return data


def test_the_other_error_of_the_incumbent_is_that_of_the_last_accepted_epoch() -> None:
    data = LearningData("mse")
    data.append([epoch(0, 1.0), epoch(1, 1.4)], [1.0, 1.0])
    data.append([epoch(2, 0.8, accepted=True), epoch(3, 0.9)], [0.8, 0.8])
    np.testing.assert_allclose(data.incumbent("mse"), [1.0, 1.0, 0.8, 0.8])
    np.testing.assert_allclose(data.incumbent("nmse"), [0.5, 0.5, 0.4, 0.4])
    np.testing.assert_allclose(data.lowest("mse"), [1.0, 1.4, 0.8, 0.9])
    np.testing.assert_allclose(data.highest("mse"), data.lowest("mse"))


def test_the_share_accepted_leaves_the_first_measurement_out() -> None:
    data = LearningData("mse")
    data.append([epoch(0, 1.0), epoch(1, 0.9, accepted=True), epoch(2, 1.0), epoch(3, 1.0)], [1.0, 0.9, 0.9, 0.9])
    assert data.accepted_share() == pytest.approx(1 / 3)
    assert data.accepted_share(10) == pytest.approx(1 / 3)
    assert data.accepted_share(2) == 0


@settings(max_examples=20)
@given(st.integers(1, 30 * MOST_ROWS), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_a_run_of_any_length_keeps_its_extremes_in_bounded_memory(length: int, parts: int, seed: int) -> None:
    errors = np.random.default_rng(seed).random(length)
    data = filled(errors, parts)
    assert len(data) == length
    assert data.rows <= MOST_ROWS
    assert np.all(np.diff(data.index) > 0)
    assert data.index[-1] == length - 1
    assert data.lowest("mse").min() == errors.min()
    assert data.highest("mse").max() == errors.max()
    np.testing.assert_array_equal(data.incumbent("mse"), np.minimum.accumulate(errors)[data.index.astype(int)])
    np.testing.assert_allclose(data.unix_s, 1000.0 + 0.1 * data.index)
    assert data.accepted.sum() == np.count_nonzero(np.append(True, np.diff(np.minimum.accumulate(errors)) < 0))


def test_the_first_epochs_stay_single() -> None:
    errors = np.random.default_rng(1).random(20 * MOST_ROWS)
    data = filled(errors, 30)
    np.testing.assert_array_equal(data.index[:SINGLE_EPOCHS], np.arange(SINGLE_EPOCHS))
    np.testing.assert_array_equal(data.lowest("mse")[:SINGLE_EPOCHS], errors[:SINGLE_EPOCHS])


def test_stretches_are_of_one_length_but_for_the_newest() -> None:
    data = filled(np.random.default_rng(1).random(20 * MOST_ROWS), 30)
    older = np.diff(data.index)[SINGLE_EPOCHS:][:1000]
    assert np.count_nonzero(older != older.max()) <= 2  # at the border of the single epochs


def test_changes_kept_are_all_counted_but_the_initial_mask() -> None:
    errors = np.random.default_rng(1).random(20 * MOST_ROWS)
    falls = np.count_nonzero(np.diff(np.minimum.accumulate(errors)) < 0)
    assert filled(errors).changes_kept == falls
    assert LearningData("mse").changes_kept == 0


def test_the_beginning_of_another_run_is_taken_over() -> None:
    earlier = filled(np.random.default_rng(1).random(500))
    data = LearningData("mse", most_rows=MOST_ROWS)
    data.begin_with(earlier, 200)
    assert len(data) == 200
    np.testing.assert_array_equal(data.incumbent("mse"), earlier.incumbent("mse")[:200])
    data.append([epoch(200, 0.1)], [0.1])
    assert data.index[-1] == 200


@given(st.integers(1, 3000), st.integers(2, 400), st.integers(0, 2**32 - 1))
def test_no_extreme_value_is_lost_between_pixels(length: int, pixels: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=length)
    x = np.arange(length, dtype=np.float64)
    at, low, high = ranges(x, y, y, np.linspace(0, length, pixels))
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
    assert [len(part) for part in ranges(empty, empty, empty, np.linspace(0, 1, 5))] == [0, 0, 0]
    assert [len(part) for part in steps(empty, empty, np.linspace(0, 1, 5))] == [0, 0]
