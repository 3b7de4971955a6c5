"""Designs: which masks tell the neurons apart with the least noise."""

from __future__ import annotations

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


def groups(neurons: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) number of the group each mirror belongs to: random groups of equal size, up to one mirror."""
    return rng.permutation(neurons) % count


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
