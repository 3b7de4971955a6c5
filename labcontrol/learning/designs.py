"""Designs: which masks tell the neurons apart with the least noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import circulant


def s_matrix(neurons: int) -> NDArray[np.bool_]:
    """(M, N) masks whose outputs give the response of every mirror; M is the first prime p = 3 mod 4 from N + 1 on.

    Rows of the cyclic S-matrix of order p, made of the quadratic residues modulo p (Harwit and Sloane, Hadamard
    Transform Optics, 1979), cut to N columns. Half of the mirrors is on in every mask, and the noise of a response is
    2/sqrt(p) times that of one output: sqrt(N)/2 times less than measuring mirrors one by one. Such primes are dense,
    where Hadamard matrices of Sylvester's kind exist for powers of two only. One mask more than neurons is there to
    measure the output of all mirrors off as well.
    """
    order = neurons + 1
    while order % 4 != 3 or not _is_prime(order):
        order += 1
    first = np.zeros(order, dtype=np.bool_)
    first[np.arange(order) ** 2 % order] = True  # zero among them: (p + 1) / 2 ones a row
    design: NDArray[np.bool_] = circulant(first)[:, :neurons]
    return design


@dataclass(frozen=True)
class GroupDesign:
    """An S-matrix of random groups of mirrors instead of mirrors.

    group: (N,) number of the group each mirror belongs to. unit_masks: (M, G) over groups. masks: (M, N) over mirrors.
    """

    group: NDArray[np.int64]
    unit_masks: NDArray[np.bool_]

    @property
    def masks(self) -> NDArray[np.bool_]:
        return self.expanded(self.unit_masks)

    def expanded(self, unit_masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(B, N) masks over mirrors of (B, G) masks over groups."""
        expanded: NDArray[np.bool_] = unit_masks[:, self.group]
        return expanded


def group_design(neurons: int, masks: int, rng: np.random.Generator) -> GroupDesign | None:
    """As many groups as so many masks tell apart; None when that is fewer than 3."""
    counts = [count for count in range(3, neurons) if count < masks and len(s_matrix(count)) <= masks]
    if not counts:
        return None
    return GroupDesign(rng.permutation(neurons) % counts[-1], s_matrix(counts[-1]))


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
