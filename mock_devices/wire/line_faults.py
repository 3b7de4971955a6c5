"""Line faults: slow, garbled, cut, missing and doubled replies, lost commands, dropped lines, on a script."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["late", "garbled", "cut", "silent", "deaf", "doubled", "dropped", "event"]


@dataclass
class LineFault:
    """What goes wrong with a command or its reply.

    Attributes
    ----------
    kind : str
        late (answers after `seconds`), garbled (one byte of the reply is wrong), cut (the reply stops half-way),
        silent (does it but does not answer), deaf (neither does it nor answers), doubled (answers twice), dropped
        (the line breaks instead of the answer), event (`event` happens just before the command).
    matching : re.Pattern of bytes
        Only commands in which this pattern is found.
    after : int
        How many such commands are left alone first.
    times : int
        How often it happens.
    seconds : float
        How late a late answer is, in s.
    event : callable or None
        What happens.
    """

    kind: Kind
    matching: re.Pattern[bytes]
    after: int = 0
    times: int = 1
    seconds: float = 0.0
    event: Callable[[], None] | None = None


class LineFaults:
    """A script of faults, and seeded random ones.

    Parameters
    ----------
    seed : int
        Of the generator behind random faults and garbled bytes.
    rates : mapping of kind to float, or None
        Probability of each kind, per command.
    late_s : float
        How late random late replies are, in s.

    Attributes
    ----------
    done : list of (kind, bytes)
        What happened, and to which command.
    """

    def __init__(self, seed: int = 0, rates: Mapping[Kind, float] | None = None, late_s: float = 0.1) -> None:
        self._random = random.Random(seed)
        self._rates = dict(rates or {})
        self._late_s = late_s
        self._script: list[LineFault] = []
        self.done: list[tuple[Kind, bytes]] = []

    def plan(
        self,
        kind: Kind,
        matching: str = "",
        *,
        after: int = 0,
        times: int = 1,
        seconds: float = 0.0,
        event: Callable[[], None] | None = None,
    ) -> None:
        """Add a fault to the script.

        Parameters
        ----------
        kind : str
            See `LineFault`.
        matching : str
            Pattern of the commands it happens to.
        after : int
            How many such commands are left alone first.
        times : int
            How often it happens.
        seconds : float
            How late a late answer is, in s.
        event : callable or None
            What happens, for an event.

        Raises
        ------
        ValueError
            For an unknown kind.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"unknown kind {kind!r}; known are {', '.join(get_args(Kind))}")
        self._script.append(LineFault(kind, re.compile(matching.encode()), after, times, seconds, event))

    def next(self, command: bytes) -> LineFault | None:
        """Take the fault for a command out of the script; None where all goes well."""
        for fault in self._script:
            if fault.times > 0 and fault.matching.search(command):
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                self.done.append((fault.kind, command))
                return fault
        for kind, rate in self._rates.items():
            if self._random.random() < rate:
                self.done.append((kind, command))
                return LineFault(kind, re.compile(b""), seconds=self._late_s)
        return None

    def garble(self, reply: bytes) -> bytes:
        """Change one byte of a reply, its ending excepted."""
        body = len(reply.rstrip(b"\r\n"))
        if body == 0:
            return reply
        at = self._random.randrange(body)
        wrong = bytearray(reply)
        wrong[at] ^= 1 << self._random.randrange(8)
        return bytes(wrong)
