"""Which masks a pilot measures, and the response of every mirror from what they gave.

Each mask flips about half of the mirrors of the start mask, by the rows of a Hadamard matrix. Every mirror then takes
part in every measurement: the noise of a response is 2/sqrt(M) times that of one output, where a single flip has
sqrt(2) times it (Harwit and Sloane, Hadamard Transform Optics, 1979). That matters for a prediction: noise left in the
responses looks like structure that a descent can follow, so single flips predict a floor that is too high.

All masks of a replay share its states, and states differ a little from replay to replay. So each replay holds the start
mask as well, and what a mask gave is counted from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

Floats = NDArray[np.float64]

REFERENCES = 2
"""Times that a replay measures the start mask: their difference is the noise within a replay."""
FEWEST_REPLAYS = 4
"""Replays of a pilot: fewer tell too little of the noise between replays."""
TEST_MASKS = 8
"""Random masks beside the design: whether outputs are sums over mirrors at all is seen at masks that no fit knows."""
_FEWEST_FOR_DIFFERENCES = 4


@dataclass(frozen=True)
class PilotNoise:
    """Standard deviation of one output sample, in the unit of the output.

    Attributes
    ----------
    within : float
        Between two measurements of a mask in one replay: the detector's.
    between : float
        Between measurements in two replays, as a run's decisions see it: also what the states differ by.
    """

    within: float
    between: float


@dataclass(frozen=True)
class PilotResponses:
    """What a pilot tells of every mirror.

    Attributes
    ----------
    responses : ndarray, shape (N, T)
        What each mirror adds to the output when it is on, without its mean over time.
    start_output : ndarray, shape (T,)
        Mean output of the start mask, without its mean over time.
    noise : PilotNoise
        Within and between replays.
    unexplained : float
        Fraction of the variance of what the test masks changed that neither responses nor noise account for.
    """

    responses: Floats
    start_output: Floats
    noise: PilotNoise
    unexplained: float


def design_size(neurons: int) -> int:
    """Masks of a design that tells so many mirrors apart: 2^k - 1 >= N, the smallest."""
    return (1 << neurons.bit_length()) - 1


def pilot_flips(neurons: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(M + `TEST_MASKS`, N) flips of a design, and random ones to test it on."""
    return np.concatenate([hadamard_flips(neurons, rng), rng.random((TEST_MASKS, neurons)) < 0.5])


def hadamard_flips(neurons: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Flips that tell all mirrors apart, in random order.

    Parameters
    ----------
    neurons : int
        N.
    rng : numpy.random.Generator
        Draws the order of the masks and which column belongs to which mirror, so that a drift of the table favours
        no mirror.

    Returns
    -------
    ndarray of bool, shape (M, N)
        M = 2^k - 1 >= N, the smallest. Row j holds the mirrors that mask j flips.
    """
    order = design_size(neurons) + 1
    columns = 1 + rng.permutation(order - 1)[:neurons]
    rows = 1 + rng.permutation(order - 1)
    flips: NDArray[np.bool_] = hadamard(order, dtype=np.int8)[np.ix_(rows, columns)] < 0
    return flips


def pilot_replays(start: NDArray[np.bool_], flips: NDArray[np.bool_], masks_per_replay: int) -> list[NDArray[np.bool_]]:
    """The masks of a pilot, replay by replay.

    Parameters
    ----------
    start : ndarray of bool, shape (N,)
        Start mask of the run.
    flips : ndarray of bool, shape (M, N)
        Which mirrors each mask flips.
    masks_per_replay : int
        Most masks that share a replay, more than `REFERENCES`.

    Returns
    -------
    list of ndarray of bool, shape (B, N) each
        Begins with the start mask, which stands again in the middle.
    """
    room = max(1, masks_per_replay - REFERENCES)
    count = max(FEWEST_REPLAYS, -(-len(flips) // room))
    parts = np.array_split(start ^ flips, count)
    return [np.concatenate([start[None], *_with_reference(part, start)]) for part in parts]


def _with_reference(part: NDArray[np.bool_], start: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
    middle = len(part) // 2
    return part[:middle], start[None], part[middle:]


def pilot_responses(
    masks: NDArray[np.bool_], outputs: NDArray[np.floating], replays: NDArray[np.int64], start: NDArray[np.bool_]
) -> PilotResponses:
    """Responses of all mirrors from a pilot of Hadamard flips.

    Parameters
    ----------
    masks : ndarray of bool, shape (B, N)
        As measured: the design, the test masks if any, and among them the start mask.
    outputs : ndarray, shape (B, T)
        What they gave.
    replays : ndarray of int, shape (B,)
        Number of the replay of each.
    start : ndarray of bool, shape (N,)
        Start mask.

    Raises
    ------
    ValueError
        If the masks are not a whole design, or a replay holds no start mask.
    """
    changes, references, noise = pilot_changes(masks, outputs, replays, start)
    size = design_size(len(start))
    flips = masks[~(masks == start).all(axis=1)] ^ start
    if not is_whole_design(masks, start):
        raise ValueError(f"{len(flips)} masks are not a whole Hadamard design of {len(start)} mirrors")
    signs = 1.0 - 2.0 * flips[:size]  # the Hadamard matrix without its first row, which is all ones
    # Rows h = (1 - H) / 2 with orthogonal columns H: sum_j H_ji h_jl = -(M + 1) / 2 for i = l, else 0.
    changed_by_flip = _centred(-2.0 / (size + 1) * (signs.T @ changes[:size]))
    responses = np.where(start, -1.0, 1.0)[:, None] * changed_by_flip
    tested, predicted = _centred(changes[size:]), flips[size:].astype(np.float64) @ changed_by_flip
    unexplained = 0.0
    if len(tested):
        # A change has the noise of a mask and of the mean of the references; the prediction has about as much again.
        left = float(np.mean((tested - predicted) ** 2)) - 2 * (1 + 1 / REFERENCES) * noise.between**2
        unexplained = max(0.0, left) / (float(np.mean(tested**2)) or 1.0)
    return PilotResponses(responses, _centred(references.mean(axis=0)), noise, unexplained)


def is_whole_design(masks: NDArray[np.bool_], start: NDArray[np.bool_]) -> bool:
    """Whether the masks (B, N) of a pilot hold a Hadamard design of the start mask (N,)."""
    size = design_size(len(start))
    flips = masks[~(masks == start).all(axis=1)][:size] ^ start
    return len(flips) == size and bool(np.all(2 * np.count_nonzero(flips, axis=0) == size + 1))


def pilot_changes(
    masks: NDArray[np.bool_], outputs: NDArray[np.floating], replays: NDArray[np.int64], start: NDArray[np.bool_]
) -> tuple[Floats, Floats, PilotNoise]:
    """What each flip changed, counted within its replay.

    Parameters
    ----------
    masks, outputs, replays, start
        As for `pilot_responses`; any flips.

    Returns
    -------
    changes : ndarray, shape (M, T)
        Of every mask that is not the start mask, in their order.
    references : ndarray, shape (R, T)
        Mean output of the start mask in each replay.
    noise : PilotNoise
        Within and between replays.

    Raises
    ------
    ValueError
        If a replay holds no start mask, or there are fewer than two replays.
    """
    values = outputs.astype(np.float64)
    is_start = (masks == start).all(axis=1)
    numbers, of_row = np.unique(replays, return_inverse=True)
    counts = np.bincount(of_row[is_start], minlength=len(numbers))
    if len(numbers) < 2 or counts.min() == 0:
        raise ValueError("a pilot needs the start mask in each of two replays or more")
    references = np.zeros((len(numbers), values.shape[1]))
    np.add.at(references, of_row[is_start], values[is_start])
    references /= counts[:, None]
    changes = values[~is_start] - references[of_row[~is_start]]
    left = _centred(values[is_start] - references[of_row[is_start]])
    freedom = is_start.sum() - len(numbers)
    within = float(np.sqrt(np.mean(np.sum(left**2, axis=0)) / freedom)) if freedom > 0 else 0.0
    # A reference is a mean of several measurements, a decision of a run sees one.
    between = float(np.sqrt(noise_of_references(references) ** 2 + within**2 * (1 - np.mean(1 / counts))))
    return changes, references, PilotNoise(within, between)


def noise_of_references(references: Floats) -> float:
    """Standard deviation of one sample between measurements of the same mask in replays one after the other.

    A table that drifts moves steadily meanwhile. That is no noise: whoever counts it as noise will not see the drift.
    Second differences are blind to a steady change, and have six times the variance of a sample.

    Parameters
    ----------
    references : ndarray, shape (R, T)
        In their order, R at least 2. Up to three tell no drift from noise.
    """
    centred = _centred(references)
    if len(centred) < _FEWEST_FOR_DIFFERENCES:
        return float(np.sqrt(np.mean(np.var(centred, axis=0, ddof=1))))
    return float(np.sqrt(np.mean(np.diff(centred, n=2, axis=0) ** 2) / 6))


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))
