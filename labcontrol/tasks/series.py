"""Named series: chaotic, measured and synthetic. Each gives as many inputs and targets as asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from labcontrol.errors import UserError

Floats = NDArray[np.float64]

# Longer than the memory of the delay equation (tau = 17) by far: the series starts on its attractor.
_MACKEY_GLASS_TRANSIENT = 1000


@dataclass(frozen=True)
class Series:
    """A raw input and its raw target, step by step, both (length,). understood: what was made of a file."""

    input: Floats
    target: Floats
    understood: str = ""


def one_step_ahead(values: Floats) -> Series:
    """The series itself is the input, its next value the target."""
    return Series(values[:-1], values[1:])


def mackey_glass(length: int, seed: int) -> Series:
    """One-step prediction of the Mackey-Glass equation, tau = 17, a = 0.2, b = 0.1, n = 10, sampled at 1.

    The seed draws the history before the start. Source: Mackey and Glass, Science 197, 287 (1977), integrated by
    reservoirpy.
    """
    from reservoirpy import datasets  # imported when used: it takes a second

    values = datasets.mackey_glass(_MACKEY_GLASS_TRANSIENT + length + 1, tau=17, a=0.2, b=0.1, n=10, seed=seed)
    return one_step_ahead(np.asarray(values, dtype=np.float64)[_MACKEY_GLASS_TRANSIENT:, 0])


def santa_fe(length: int, seed: int) -> Series:
    """One-step prediction of the chaotic intensity of a far-infrared laser: a measured series of 10 093 values.

    There is one recording, so the seed changes nothing. Source: Santa Fe competition, data set A (Huebner et al.,
    Phys. Rev. A 40, 6354, 1989), as shipped with reservoirpy.
    """
    del seed
    # Read directly: reservoirpy's own loader leaves the file open.
    with resources.files("reservoirpy.datasets").joinpath("santafe_laser.npy").open("rb") as file:
        values = np.load(file).astype(np.float64)[:, 0]
    if length + 1 > len(values):
        raise UserError(
            f"The Santa Fe series has {len(values)} values, but washout, training and test part need {length + 1}.",
            "Use fewer steps.",
        )
    return one_step_ahead(values[: length + 1])


def narma10(length: int, seed: int) -> Series:
    """NARMA-10: the target is a nonlinear moving average over ten steps of a random input in [0, 0.5].

    Source: Atiya and Parlos, IEEE Trans. Neural Networks 11, 697 (2000), as computed by reservoirpy.
    """
    from reservoirpy import datasets

    inputs, targets = datasets.narma(length + 1, order=10, a1=0.3, a2=0.05, b=1.5, c=0.1, seed=seed)
    # reservoirpy's target n is made of the inputs up to n - 1, counted from its tenth; the next one answers input n.
    return Series(np.asarray(inputs)[10:-1, 0], np.asarray(targets)[1:, 0])
