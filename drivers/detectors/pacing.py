"""Samples taken one by one at an even pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drivers.interfaces import Clock, DeviceTimeoutError

T = TypeVar("T")


def take_paced(device: str, clock: Clock, count: int, rate_hz: float, take: Callable[[], T]) -> tuple[float, list[T]]:
    """Call ``take`` count times, rate_hz times a second; returns the time of the first and what was taken.

    Raises DeviceTimeoutError when one is not done before the next is due: uneven samples are worse than none.
    """
    start_s = clock.now_s()
    taken = []
    for index in range(count):
        clock.sleep(start_s + index / rate_hz - clock.now_s())
        taken.append(take())
        late_s = clock.now_s() - (start_s + (index + 1) / rate_hz)
        if late_s > 0.0 and index + 1 < count:
            raise DeviceTimeoutError(
                device,
                f"could not keep {rate_hz:g} samples a second: sample {index + 1} was {late_s:.3g} s late.",
                "Ask for a lower rate.",
            )
    return start_s, taken
