"""Which trigger a frame belongs to, and which frames are missing, by the number that the camera itself gives it."""

from __future__ import annotations

from typing import NamedTuple

from drivers.interfaces import Clock, DeviceFaultError, DeviceTimeoutError

_LARGEST_16_BIT = 65535  # numbers of GigE Vision go from 1 to this
_INVALID = 2**64 - 1  # of a camera or a connection that numbers no frames
_FURTHEST = _LARGEST_16_BIT // 2  # a larger step is none, but numbers that began anew or mean something else
_LATEST = 4  # in units of how long a frame was waited for in vain: later than that, none comes any more
_ANEW = 3  # numbers in a row that go back: so many frames are not late together, the camera counts anew


class Numbered(NamedTuple):
    """What is known of a frame.

    counter: counts the frames since the camera was opened, from 1, those that were lost included. time_s: when its
    trigger was given, by the bench clock. lost: frames that the camera took and nobody got, right before this one, and
    that were not missed yet. doubtful: whether it is, or may be, a late frame of a trigger before the last one, or one
    that came twice.
    """

    counter: int
    time_s: float
    exposure_s: float
    lost: int
    doubtful: bool = False


class FrameNumbers:
    """Dates and counts the frames of a camera that takes one frame for each trigger.

    Parameters
    ----------
    device : str
        Name of the camera on its bench, for messages.
    clock : Clock
        The bench clock.

    Attributes
    ----------
    counter : int
        Of the last frame.
    expecting : bool
        Whether the frame of the last trigger did not arrive yet.

    Notes
    -----
    A frame belongs to the last trigger. It is made so by the driver, which throws away before each trigger what has
    arrived, and waits for what may still be on its way (`on_its_way_s`): a queue of triggers that wait for frames, as
    one might have instead, is never right again after a trigger that the camera ignored.

    Numbers of the camera tell which frames were lost, and which are late or came twice; those change nothing of what is
    expected next. Where numbers say nothing (`2**64 - 1`, always the same, a leap), no frame counts as lost.

    After a trigger without a frame, the next frame is that of the next trigger if its number shows that one was lost.
    If not, the camera may have ignored a trigger, or its frame may come later than anybody waited: this frame is
    doubtful, and refused. Before the trigger after that, both have arrived: it is given time for this.
    """

    def __init__(self, device: str, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self._triggered_s, self._exposure_s = clock.now_s(), 0.0
        self._last: int | None = None
        self._waited_s = 0.0
        self._backward = 0  # numbers in a row that went back
        self._counting = False  # the camera's numbers have been seen to grow
        self._missed = 0
        self._doubted = False  # the last frame was doubtful: another one may follow
        self.expecting = False
        self.counter = 0

    def start(self) -> None:
        """The camera begins its own numbers anew, and no frame is on its way."""
        self._last, self._counting = None, False
        self._missed = self._backward = 0
        self._doubted = self.expecting = False

    def on_its_way_s(self, readout_time_s: float) -> float:
        """How long the frame of the last trigger may still take, in s; 0 when nothing is on its way.

        A frame that was missed is given twice the time it should take: the next number tells whether it was lost. After
        a doubtful frame no number tells; another one may come as late as that one, and is waited for.
        """
        if not (self.expecting or self._doubted):
            return 0.0
        takes_s = 2 * (self._exposure_s + readout_time_s)
        if self._doubted:
            takes_s = max(takes_s, _LATEST * self._waited_s)
        return max(0.0, self._triggered_s + takes_s - self._clock.now_s())

    def trigger(self, exposure_s: float) -> None:
        """A frame with this exposure is asked for now; whatever arrives from here on is this one."""
        if self.expecting:
            self._missed += 1
        self._triggered_s, self._exposure_s = self._clock.now_s(), exposure_s
        self.expecting, self._doubted = True, False

    def none_within(self, timeout_s: float) -> DeviceTimeoutError:
        """No frame has arrived within this time: the error that says so."""
        self._waited_s = timeout_s
        return DeviceTimeoutError(self._device, f"gave no frame within {timeout_s:g} s.", "Was it triggered?")

    def number(self, own: int) -> Numbered:
        """Date and count a frame that has arrived. own: the number that the camera gave it."""
        step = self._step_to(own)
        if step is not None and step <= 0 and self._counting:
            self._backward = (self._backward + 1) % _ANEW
            if self._backward == 0:
                self._last = own
            return Numbered(self.counter, self._triggered_s, self._exposure_s, lost=0, doubtful=True)
        self._backward, self._last = 0, None if own == _INVALID else own
        self._counting |= step is not None and step > 0
        gap = step - 1 if step is not None and step > 0 else 0
        missed, self._missed = self._missed, 0
        self.expecting, self._doubted = False, gap < missed
        self.counter += gap + 1
        return Numbered(self.counter, self._triggered_s, self._exposure_s, max(0, gap - missed), self._doubted)

    def require_sure(self, frame: Numbered) -> None:
        """Raises DeviceFaultError for a frame before which others were lost, or that may be of another trigger."""
        if frame.doubtful:
            raise DeviceFaultError(
                self._device,
                f"gave a frame after frame {frame.counter - 1} that may be a late one, of the trigger before.",
                "Take it again; if it persists, check the trigger, and wait longer for frames.",
            )
        if frame.lost:
            raise DeviceFaultError(
                self._device,
                f"lost {frame.lost} frames before frame {frame.counter}.",
                "Take them again; if it persists, read frames sooner.",
            )

    def _step_to(self, own: int) -> int | None:
        """From the number of the frame before to this one; None where they do not tell."""
        last = self._last
        if last is None or own == _INVALID:
            return None
        step = own - last
        if max(own, last) <= _LARGEST_16_BIT and abs(step) > _FURTHEST:
            step -= _LARGEST_16_BIT if step > 0 else -_LARGEST_16_BIT
        return step if abs(step) <= _FURTHEST else None
