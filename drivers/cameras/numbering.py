"""Which trigger a frame belongs to, by the number that the camera itself gives it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from drivers.interfaces import Clock, DeviceFaultError

_LARGEST = 65535  # 16-bit numbers of GigE Vision go from 1 to this


class Numbered(NamedTuple):
    """counter: of ours, from 1. lost: frames that the camera took and nobody got, right before this one."""

    counter: int
    time_s: float
    exposure_s: float
    lost: int


class FrameNumbers:
    """Counts frames from the opening of a camera, those that were lost included.

    counter: of the last frame.
    """

    def __init__(self, device: str, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self._triggered: deque[tuple[float, float]] = deque()
        self._last: int | None = None
        self.counter = 0

    def start(self) -> None:
        """The camera begins its own numbers anew, and no trigger waits for a frame."""
        self._triggered.clear()
        self._last = None

    def trigger(self, exposure_s: float, *, forget_earlier: bool = False) -> None:
        """A frame was asked for now. forget_earlier: triggers before this one wait for no frame any more."""
        if forget_earlier:
            self._triggered.clear()
        self._triggered.append((self._clock.now_s(), exposure_s))

    def number(self, own: int) -> Numbered:
        """Of the frame to which the camera gave this number."""
        step = 1 if self._last is None else own - self._last
        if step <= 0:
            step += _LARGEST
        self._last = own
        self.counter += step
        for _ in range(min(step - 1, len(self._triggered) - 1)):
            self._triggered.popleft()  # triggers of the frames that were lost
        time_s, exposure_s = self._triggered.popleft() if self._triggered else (self._clock.now_s(), 0.0)
        return Numbered(self.counter, time_s, exposure_s, step - 1)

    def require_none_lost(self, frame: Numbered) -> None:
        """Raises DeviceFaultError where frames are missing before this one."""
        if frame.lost:
            raise DeviceFaultError(
                self._device,
                f"lost {frame.lost} frames before frame {frame.counter}.",
                "Take them again; if it persists, read frames sooner.",
            )
