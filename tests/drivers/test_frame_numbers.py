"""Frames have the time and exposure of their own trigger, whatever was ignored, lost or numbered wrongly before."""

from __future__ import annotations

import pytest

from drivers.cameras.numbering import FrameNumbers
from drivers.interfaces import Clock, DeviceFaultError


class Steps(Clock):
    """A second passes whenever the time is asked for."""

    def __init__(self) -> None:
        self._at_s = 0.0

    def now_s(self) -> float:
        self._at_s += 1.0
        return self._at_s

    def sleep(self, seconds: float) -> None:
        self._at_s += seconds


@pytest.fixture
def clock() -> Steps:
    return Steps()


@pytest.fixture
def numbers(clock: Steps) -> FrameNumbers:
    return FrameNumbers("camera", clock)


def test_after_a_trigger_that_the_camera_ignored_one_frame_is_doubtful_and_all_dates_are_right(
    numbers: FrameNumbers, clock: Steps
) -> None:
    numbers.start()
    numbers.trigger(1e-3)
    numbers.number(0)
    numbers.trigger(1e-3)  # ignored
    doubtful = []
    for own in (1, 2, 3):
        before_s = clock.now_s()
        numbers.trigger(1e-3 * own)
        frame = numbers.number(own)
        assert (frame.time_s > before_s, frame.exposure_s, frame.lost) == (True, 1e-3 * own, 0)
        doubtful.append(frame.doubtful)
    assert doubtful == [True, False, False]


def test_a_doubtful_frame_is_refused_and_the_next_is_good(numbers: FrameNumbers) -> None:
    numbers.trigger(1e-3)
    numbers.trigger(1e-3)
    with pytest.raises(DeviceFaultError, match="may be a late one"):
        numbers.require_sure(numbers.number(1))
    numbers.trigger(1e-3)
    numbers.require_sure(numbers.number(2))


def test_a_frame_that_was_missed_already_is_not_lost_once_more(numbers: FrameNumbers) -> None:
    numbers.trigger(1e-3)
    numbers.number(1)
    numbers.trigger(1e-3)  # frame 2 is lost, and waited for in vain
    numbers.trigger(1e-3)
    frame = numbers.number(3)
    assert (frame.counter, frame.lost, frame.doubtful) == (3, 0, False)
    numbers.require_sure(frame)


def test_frames_lost_before_this_one_are_a_fault(numbers: FrameNumbers) -> None:
    numbers.number(7)
    with pytest.raises(DeviceFaultError, match="lost 2 frames before frame 4"):
        numbers.require_sure(numbers.number(10))
    numbers.require_sure(numbers.number(11))


def test_numbers_of_gige_vision_begin_again_at_one(numbers: FrameNumbers) -> None:
    assert [numbers.number(own).counter for own in (65534, 65535, 1, 2)] == [1, 2, 3, 4]
    assert numbers.number(4).lost == 1


@pytest.mark.parametrize("own", [[2**64 - 1] * 4, [0] * 4, [5] * 4, [3, 2**64 - 1, 4, 2**64 - 1], [7, 2**40, 8, 9]])
def test_numbers_that_say_nothing_are_no_lost_frames(numbers: FrameNumbers, own: list[int]) -> None:
    frames = [numbers.number(each) for each in own]
    assert [(frame.counter, frame.lost) for frame in frames] == [(1, 0), (2, 0), (3, 0), (4, 0)]


def test_a_frame_is_on_its_way_for_twice_the_time_it_takes() -> None:
    class Still(Clock):
        at_s = 10.0

        def now_s(self) -> float:
            return self.at_s

        def sleep(self, seconds: float) -> None: ...

    numbers = FrameNumbers("camera", Still())
    assert numbers.on_its_way_s(0.1) == 0.0
    numbers.trigger(0.4)
    assert numbers.on_its_way_s(0.1) == pytest.approx(1.0)
    Still.at_s = 10.9
    assert numbers.on_its_way_s(0.1) == pytest.approx(0.1)
    numbers.number(1)
    assert numbers.on_its_way_s(0.1) == 0.0
    numbers.trigger(0.4)
    numbers.trigger(0.4)
    assert numbers.number(2).doubtful
    assert numbers.on_its_way_s(0.1) == pytest.approx(1.0)  # that of the last trigger, if this was not it
    assert "within 0.5 s" in str(numbers.none_within(0.5))
    assert numbers.on_its_way_s(0.1) == pytest.approx(2.0)  # as late as the one before


def test_a_camera_begun_anew_counts_on(numbers: FrameNumbers) -> None:
    numbers.number(50)
    numbers.trigger(0.1)
    numbers.start()
    again = numbers.number(1)
    assert (again.counter, again.lost, again.doubtful) == (2, 0, False)


@pytest.mark.parametrize(("own", "late"), [((6, 8, 7), 7), ((65534, 1, 65535), 65535), ((6, 7, 7), 7)])
def test_a_frame_that_is_late_or_comes_twice_is_refused_and_takes_nobodys_place(
    own: tuple[int, int, int], late: int, numbers: FrameNumbers
) -> None:
    numbers.number(own[0])
    numbers.trigger(1e-3)
    numbers.number(own[1])
    before = numbers.counter
    numbers.trigger(2e-3)
    with pytest.raises(DeviceFaultError, match="may be a late one"):
        numbers.require_sure(numbers.number(late))
    assert numbers.expecting
    assert numbers.counter == before


def test_behind_a_late_frame_another_late_one_is_still_refused(numbers: FrameNumbers) -> None:
    """Frame 1 came after 2, and 3 after the trigger of 4: its number may not count as one that was lost before it."""
    for own in (0, 2):
        numbers.trigger(1e-3)
        numbers.number(own)
    numbers.trigger(1e-3)
    assert numbers.number(1).doubtful
    numbers.trigger(1e-3)
    assert numbers.number(3).doubtful
    numbers.number(4)  # comes before the next trigger, and is thrown away
    numbers.trigger(1e-3)
    numbers.require_sure(numbers.number(5))


def test_numbers_that_begin_anew_by_themselves_cost_three_frames(numbers: FrameNumbers) -> None:
    doubtful = []
    for own in (40, 41, 1, 2, 3, 4, 5):
        numbers.trigger(1e-3)
        doubtful.append(numbers.number(own).doubtful)
    assert doubtful == [False, False, True, True, True, True, False]
