"""Measurements without a fault from beginning to end: what met one is measured again, whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceError
from labcontrol.engine.recovery import Recovery
from labcontrol.reservoir import Readout

T = TypeVar("T")


class WholeMeasurements:
    """Measures through faults.

    disturbed: whether there was a fault since this was last set to False: the simulated table would not do the same
    again from the checkpoint before it.

    Parameters
    ----------
    recovery : Recovery
        Answers them.
    washout : int
        Steps at the beginning of a sequence whose outputs are not kept.
    """

    def __init__(self, recovery: Recovery, washout: int) -> None:
        self._recovery, self._washout = recovery, washout
        self.disturbed = False

    def replay(self, masks: NDArray[np.bool_], inputs: NDArray[np.float64]) -> Readout:
        """Outputs of masks over a sequence.

        Parameters
        ----------
        masks : ndarray of bool, shape (B, N)
            Mirrors that are on.
        inputs : ndarray, shape (washout + T,)
            In about [0, 1].

        Returns
        -------
        Readout
            Without a fault from beginning to end.
        """
        return self.whole(lambda: self._recovery.reservoir.replay(masks, inputs, self._washout))

    def whole(self, measure: Callable[[], T]) -> T:
        """Measure something; the light is checked at its end.

        Parameters
        ----------
        measure : callable
            Is called anew after each fault.

        Returns
        -------
        object
            What it returned.
        """
        reservoir, bench = self._recovery.reservoir, self._recovery.bench
        replays = reservoir.replays

        def once() -> T:
            reservoir.replays = replays  # a replay that broke off does not count
            try:
                measured = measure()
                bench.check_light()
            except DeviceError:
                self.disturbed = True
                raise
            return measured

        return self._recovery.with_retry(once)
