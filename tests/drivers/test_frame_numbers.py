"""Frames keep the time and exposure of their own trigger, whatever the camera has lost before."""

from __future__ import annotations

import pytest

from drivers.cameras.numbering import FrameNumbers
from drivers.interfaces import Clock, DeviceFaultError


class Steps(Clock):
    """A second passes at every look."""

    def __init__(self) -> None:
        self._at_s = 0.0

    def now_s(self) -> float:
        self._at_s += 1.0
        return self._at_s

    def sleep(self, seconds: float) -> None:
        self._at_s += seconds


@pytest.fixture
def numbers() -> FrameNumbers:
    return FrameNumbers("camera", Steps())


def test_the_frame_after_lost_ones_has_its_own_trigger(numbers: FrameNumbers) -> None:
    for exposure_s in (0.1, 0.2, 0.3, 0.4):
        numbers.trigger(exposure_s)
    assert numbers.number(7) == (1, 1.0, 0.1, 0)
    late = numbers.number(10)
    assert late == (4, 4.0, 0.4, 2)
    with pytest.raises(DeviceFaultError, match="lost 2 frames before frame 4"):
        numbers.require_none_lost(late)


def test_numbers_of_gige_vision_begin_again_at_one(numbers: FrameNumbers) -> None:
    assert [numbers.number(own).counter for own in (65534, 65535, 1, 2)] == [1, 2, 3, 4]
    assert numbers.number(4).lost == 1


def test_earlier_triggers_are_forgotten_where_a_new_one_replaces_them(numbers: FrameNumbers) -> None:
    numbers.trigger(0.1)
    numbers.trigger(0.2, forget_earlier=True)
    assert numbers.number(1).exposure_s == 0.2


def test_a_camera_begun_anew_counts_on(numbers: FrameNumbers) -> None:
    numbers.number(50)
    numbers.trigger(0.1)
    numbers.start()
    again = numbers.number(1)
    assert (again.counter, again.lost, again.exposure_s) == (2, 0, 0.0)
