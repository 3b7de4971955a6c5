"""Figures of merit of a reservoir, from measured responses.

- Effective dimension: participation ratio ``(sum l)^2 / sum l^2`` of the eigenvalues of the states' covariance; and how
  many modes stand above the noise between two replays.
- Consistency: mean correlation of a neuron with itself between two replays of the same input (Uchida et al.,
  Phys. Rev. Lett. 93, 244102, 2004). Below 1 the reservoir is chaotic, or noise is strong.
- Linear memory capacity: sum over delays of the squared correlation between the input k steps ago and its best linear
  estimate from the states, on steps not used for the estimate (Jaeger, GMD report 152, 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import LearningConfig
from labcontrol.selftest.responses import Responses
from labcontrol.tasks import nmse
from labcontrol.theory import incoherent_states, run_twin

Floats = NDArray[np.float64]

_LONGEST_MEMORY = 40
_EPOCHS_A_NEURON = 4
_LEARNING = LearningConfig(loss="nmse", options={"selection": "greedy"})
_CLOSE = 0.05  # of the way from start to floor, left when learning counts as done


@dataclass(frozen=True)
class FiguresOfMerit:
    """What a task can expect here. floor: nmse of a learned mask on a replay it was not learned on.

    epochs: masks until learning is done but for 5 %. signal_to_noise: of the output of half the mirrors.
    """

    dimension: float
    modes: int
    consistency: float
    signal_to_noise: float
    start: float
    floor: float
    epochs: int


def figures_of_merit(responses: Responses, target: Floats, seed: int) -> FiguresOfMerit:
    """Figures of merit from responses at the training sequence of a task. target: (T,) standardised."""
    first, second = (part - part.mean(axis=1, keepdims=True) for part in responses.states[:2])
    values = np.linalg.eigvalsh(first @ first.T / first.shape[1])[::-1]
    noise = np.linalg.eigvalsh((first - second) @ (first - second).T / (2 * first.shape[1]))[-1]
    start, floor, epochs = _learned(responses, target, seed)
    return FiguresOfMerit(
        float(values.sum() ** 2 / np.sum(values**2)),
        int(np.count_nonzero(values > 2 * noise)),
        consistency(responses),
        signal_to_noise(responses),
        start,
        floor,
        epochs,
    )


def consistency(responses: Responses) -> float:
    """Mean correlation of a neuron's response between two replays."""
    first, second = (part - part.mean(axis=1, keepdims=True) for part in responses.states[:2])
    power = np.sqrt(np.sum(first**2, axis=1) * np.sum(second**2, axis=1))
    return float(np.mean(np.sum(first * second, axis=1) / np.maximum(power, 1e-300)))


def signal_to_noise(responses: Responses) -> float:
    """Spread of an output over time, over its spread between replays."""
    first, second = responses.halves[:2]
    noise = float(np.std(first - second) / np.sqrt(2))
    return float(np.std((first + second) / 2) / max(noise, 1e-300))


def _learned(responses: Responses, target: Floats, seed: int) -> tuple[float, float, int]:
    """Error of the start mask, of the mask the twin learns on the first replay when shown the second, and epochs."""
    states = incoherent_states(responses.states[0], target)
    epochs = _EPOCHS_A_NEURON * states.neurons
    run = run_twin(states, _LEARNING, epochs=epochs, seed=seed)
    curve = run.incumbent_errors
    floor = nmse((responses.states[1].T @ run.mask).astype(np.float32), target)
    done = curve - curve[-1] <= _CLOSE * (curve[0] - curve[-1])
    # Fewer neurons than there are learn in proportion to their number.
    scale = responses.total / states.neurons
    return float(curve[0]), floor, round(int(np.argmax(done)) * scale)


def memory_capacity(states: Floats, inputs: Floats) -> Floats:
    """(K,) squared correlation for each delay k = 0, 1, ...; their sum is the linear memory capacity.

    states: (M, T). inputs: (T,) independent random numbers that drove the same steps.
    """
    steps = states.shape[1]
    half = steps // 2
    longest = min(_LONGEST_MEMORY, half // 4)
    design = np.vstack([states, np.ones(steps)]).T
    design[:, :-1] -= design[:half, :-1].mean(axis=0)
    scale = design[:half, :-1].std(axis=0)
    design[:, :-1] /= np.where(scale > 0, scale, 1)
    train, test = design[longest:half], design[half:]
    gram = train.T @ train
    ridge = 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram))
    delays = np.arange(longest)
    wanted = np.stack([np.roll(inputs, k) for k in delays], axis=1)
    weights = np.linalg.solve(gram + ridge, train.T @ wanted[longest:half])
    estimate, truth = test @ weights, wanted[half:]
    capacity = np.array([np.corrcoef(estimate[:, k], truth[:, k])[0, 1] ** 2 for k in delays])
    # Chance alone correlates the two by about 1 / steps.
    return np.where(capacity > 4 / len(truth), capacity, 0.0)
