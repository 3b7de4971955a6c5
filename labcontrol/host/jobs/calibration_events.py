"""What a calibration job emits, beside frames and trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.selftest import FiguresOfMerit


@dataclass(frozen=True)
class Activity:
    """What is being done, in words."""

    words: str


@dataclass(frozen=True)
class Progress:
    """How far a procedure is."""

    done: int
    total: int


@dataclass(frozen=True)
class CameraOpened:
    """The camera is open."""

    bit_depth: int


@dataclass(frozen=True)
class LightChanged:
    """Emission, and its power."""

    on: bool
    power_w: float


@dataclass(frozen=True)
class SelfTestFound:
    """What the self-test found. memory: (K,) capacity by delay. neurons of total were measured."""

    figures: FiguresOfMerit
    memory: NDArray[np.float64]
    neurons: int
    total: int
    steps: int
    epoch_s: float
    learning_s: float
    advice: tuple[str, ...]
