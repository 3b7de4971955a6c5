"""The contract of every learning strategy: ask for masks, be told what they gave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import LearningConfig, Section
from labcontrol.learning.problem import Problem

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Proposal:
    """Masks to be measured next.

    masks: (B, N) bool. mirrors: (B,) the mirror each mask flips against the incumbent; -1 where none or several.
    """

    masks: NDArray[np.bool_]
    mirrors: NDArray[np.int64]


@dataclass(frozen=True)
class StrategyFacts:
    """What everybody else needs to know of a strategy with its settings.

    Attributes
    ----------
    label : str
        What tells runs apart in lists and file names.
    flip_by_flip : bool
        Whether flips are judged one after the other, so that the error descends from epoch to epoch.
    epochs_per_flip : int or None
        Epochs in which one flip is judged, to be kept if and only if its error is lower than the incumbent's; None
        where that is not what happens, or takes a number of epochs that varies.
    many_masks : bool
        Whether many masks are asked for at once, up to `learning.masks_per_replay`.
    single_flips : bool
        Whether each candidate differs from the incumbent by one mirror.
    selection : str
        Rule that draws the mirrors, empty where there is none.
    remeasured : bool
        Whether the incumbent is measured again beside each candidate.
    """

    label: str
    flip_by_flip: bool = False
    epochs_per_flip: int | None = None
    many_masks: bool = True
    single_flips: bool = False
    selection: str = ""
    remeasured: bool = False


class NoSettings(Section):
    """A strategy without settings of its own."""


class Strategy(ABC):
    """Proposes masks and learns from their outputs and errors; knows nothing of devices.

    `state` and `restore` carry it over a restart of the program, generator included: both ends then propose the same
    masks. `Settings`: what `learning.options` of an experiment may say about it.
    """

    Settings: ClassVar[type[Section]] = NoSettings

    @classmethod
    def facts(cls, learning: LearningConfig, settings: Section) -> StrategyFacts:  # noqa: ARG003 (for others)
        """What others need to know of it.

        Parameters
        ----------
        learning : LearningConfig
            What an experiment says about learning.
        settings : Section
            An instance of `Settings`.

        Returns
        -------
        StrategyFacts
            Of the strategy with these settings.
        """
        return StrategyFacts(learning.strategy)

    @classmethod  # noqa: B027 (most have nothing to check)
    def check(cls, learning: LearningConfig, settings: Section) -> None:
        """Refuse what cannot work, before anything is measured; raises UserError.

        Parameters
        ----------
        learning : LearningConfig
            What an experiment says about learning.
        settings : Section
            An instance of `Settings`.
        """

    @classmethod
    @abstractmethod
    def begin(cls, problem: Problem, learning: LearningConfig, settings: Section) -> Self:
        """A strategy at its start; raises UserError where it cannot work.

        Parameters
        ----------
        problem : Problem
            What is known before learning.
        learning : LearningConfig
            What an experiment says about learning.
        settings : Section
            An instance of `Settings`.

        Returns
        -------
        Strategy
            Its first proposal is the initial mask.
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
        """The masks to measure next.

        Returns
        -------
        Proposal
            The very first mask is the initial one, with mirror -1.
        """

    @abstractmethod
    def tell(self, proposal: Proposal, outputs: NDArray[np.float32], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Learn from a measured proposal.

        Parameters
        ----------
        proposal : Proposal
            As `ask` gave it.
        outputs : ndarray of float32, shape (B, T)
            As measured.
        errors : ndarray, shape (B,)
            The loss of each mask.

        Returns
        -------
        ndarray of bool, shape (B,)
            Which masks became the incumbent, in order.
        """

    @property
    def finished(self) -> str | None:
        """Why there is nothing left to try, in plain words; None while there is."""
        return None

    def report(self) -> dict[str, Any]:
        """What the strategy found out beside the mask, for the result of a run.

        Returns
        -------
        dict
            JSON types.
        """
        return {}

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything that decides what is proposed next.

        Returns
        -------
        dict
            JSON types and NumPy arrays.
        """

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the state of a strategy with the same settings.

        Parameters
        ----------
        state : dict
            What `state` gave.
        """
