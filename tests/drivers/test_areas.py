"""What is drawn again when a pattern changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modulators.areas import differing_area, enlarged, enlarged_area


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    changes=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=5),
)
def test_patterns_are_equal_outside_the_area_in_which_they_differ(
    rows: int, columns: int, changes: list[tuple[int, int]]
) -> None:
    before = np.random.default_rng(1).integers(0, 256, (rows, columns), dtype=np.uint8)
    after = before.copy()
    for row, column in changes:
        after[row % rows, column % columns] ^= 1
    area = differing_area(before, after)
    filled = before.copy()
    filled[area] = after[area]
    np.testing.assert_array_equal(filled, after)


def test_the_area_is_as_small_as_the_change_in_columns_to_a_word_of_eight() -> None:
    before = np.zeros((20, 64), dtype=np.uint8)
    after = before.copy()
    after[3, 17] = after[9, 30] = 1
    assert differing_area(before, after) == (slice(3, 10), slice(16, 32))
    assert differing_area(before[:, :63], after[:, :63]) == (slice(3, 10), slice(17, 31))
    assert differing_area(before, before) == (slice(0, 0), slice(0, 0))


@pytest.mark.parametrize("edge", [1, 3])
def test_a_part_enlarged_is_that_part_of_the_whole_enlarged(edge: int) -> None:
    pattern = np.arange(48, dtype=np.uint8).reshape(6, 8)
    area = (slice(1, 4), slice(2, 7))
    np.testing.assert_array_equal(enlarged(pattern, edge)[enlarged_area(area, edge)], enlarged(pattern[area], edge))
