"""The contract of every learning strategy: ask for masks, be told what they gave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Proposal:
    """Masks to be measured next.

    masks: (B, N) bool. mirrors: (B,) the mirror each mask flips against the incumbent; -1 where none or several.
    """

    masks: NDArray[np.bool_]
    mirrors: NDArray[np.int64]


class Strategy(ABC):
    """Proposes masks and learns from their outputs and errors; knows nothing of devices.

    `state` and `restore` carry it over a restart of the program, generator included: both ends then propose the same
    masks.
    """

    @property
    @abstractmethod
    def incumbent(self) -> Mask:
        """(N,) the best mask so far by the strategy's own judgement. Do not modify."""

    @property
    @abstractmethod
    def incumbent_error(self) -> float:
        """The error the incumbent is held to have; infinite before its first measurement."""

    @abstractmethod
    def ask(self) -> Proposal:
        """The masks to measure next. The first proposal is the initial mask, with mirror -1."""

    @abstractmethod
    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Learn from a measured proposal.

        outputs: (B, T) as measured. errors: (B,) the loss of each mask.
        Returns (B,) bool: which masks became the incumbent, in order.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything that decides what is proposed next; JSON types and NumPy arrays."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the `state` of a strategy with the same settings."""
