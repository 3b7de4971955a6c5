"""Trying again at once: what, on which errors, how often, and what is said when it did not help.

`reservoir.retakes` bounds every rule alike. What still fails then is an error of its device, which
`labcontrol.engine.recovery` answers: with the laser off, by connecting again, or by waiting for an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from drivers.interfaces import DeviceError, DeviceFaultError, DeviceReplyError, DeviceTimeoutError

T = TypeVar("T")


class RejectedError(Exception):
    """What was acquired failed a check.

    Parameters
    ----------
    device : str
        Its name on the bench.
    fault : str
        What is wrong, after the device's name; empty where it was noted already.
    remedy : str
        For the operator; empty for the rule's.
    """

    def __init__(self, device: str, fault: str, remedy: str = "") -> None:
        super().__init__(f"{device} {fault}")
        self.device, self.fault, self.remedy = device, fault, remedy


@dataclass(frozen=True)
class Rule:
    """How one thing is tried again.

    Attributes
    ----------
    errors : tuple of exception types
        Of drivers, that count as a failed attempt; a `RejectedError` always does.
    fault : str
        What such an error is called; {} stands for its message.
    remedy : str
        For the operator, when all attempts failed; a `RejectedError` may have one of its own.
    ending : str
        What is said when all attempts failed: {fault} and {tries}; empty for the last error as it is.
    """

    errors: tuple[type[DeviceError], ...] = ()
    fault: str = "{}"
    remedy: str = ""
    ending: str = "{fault}, {tries} times in a row."


_TRANSIENT = (DeviceTimeoutError, DeviceReplyError)
_CHECK_LINE = "Check its line and its settle time."

# A command that was obeyed although its reply was lost does no harm when given twice: a pattern is shown again, and a
# second frame is noticed by its counter or its time.
COMMAND = Rule(_TRANSIENT, ending="")
FRAME = Rule((*_TRANSIENT, DeviceFaultError), "gave no frame ({})", "Check trigger line, exposure and frame rate.")
# Of the DMD, when it was to play.
SAMPLES = Rule(_TRANSIENT, "did not do its part ({})", "Check the trigger line from DMD to detector.")
MASK = Rule(remedy="Check its line, and whether its light reaches the detector.")
PATTERN = Rule(
    remedy="Check its line and its settle time, and whether light reaches it.",
    ending="does not show its patterns: light and dark look the same, {tries} times in a row.",
)
# Of several patterns that came late in a row the first ones can leave too small a trace to be suspect.
REPLAY = Rule(remedy=_CHECK_LINE, ending="did not show one of its patterns in {tries} replays in a row.")


class Retries:
    """Tries again within a bound, counts and reports.

    tries: how often something is done at most, the first time included. count: of all retries so far. on_retry: called
    each time with the device and its fault.

    Parameters
    ----------
    retries : int
        How often something is tried again at most.
    """

    def __init__(self, retries: int) -> None:
        self.tries = retries + 1
        self.count = 0
        self.on_retry: Callable[[str, str], None] = _ignore

    def note(self, device: str, fault: str) -> None:
        """Something is tried again.

        Parameters
        ----------
        device : str
            Its name on the bench.
        fault : str
            What went wrong.
        """
        self.count += 1
        self.on_retry(device, fault)

    def run(self, rule: Rule, attempt: Callable[[bool], T]) -> T:
        """Make attempts until one succeeds, within the bound.

        Parameters
        ----------
        rule : Rule
            Which errors count as a failed attempt.
        attempt : callable
            Called with whether it is made again.

        Returns
        -------
        object
            What the attempt that succeeded returned.

        Raises
        ------
        DeviceFaultError
            When all attempts failed, or the last error itself where the rule says so.
        """
        for number in range(self.tries):
            try:
                return attempt(number > 0)
            except RejectedError as error:
                device, fault, remedy = error.device, error.fault, error.remedy or rule.remedy
            except rule.errors as error:
                device, fault, remedy = error.device, rule.fault.format(error.message), rule.remedy
                if not rule.ending and number == self.tries - 1:
                    raise
            if fault and number < self.tries - 1:
                self.note(device, fault)
        raise self.exhausted(rule, device, fault, remedy)

    def exhausted(self, rule: Rule, device: str, fault: str = "", remedy: str = "") -> DeviceFaultError:
        """The error of a device with which all attempts failed.

        Parameters
        ----------
        rule : Rule
            What is said.
        device : str
            Its name on the bench.
        fault : str
            What went wrong the last time.
        remedy : str
            For the operator; empty for the rule's.

        Returns
        -------
        DeviceFaultError
            To be raised.
        """
        return DeviceFaultError(device, rule.ending.format(fault=fault, tries=self.tries), remedy or rule.remedy)


def _ignore(device: str, fault: str) -> None:
    """Retries where nobody listens."""
