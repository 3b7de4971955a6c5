"""Which mirror is flipped next: every selection rule, written once for the bench and for the compiled twin.

A rule is a compiled function on a few plain arrays and a NumPy generator. The twin calls it inside its own compiled
loop, a strategy calls it from Python once an epoch through `SelectionRule`; both then draw the same mirrors from the
same generator. Only `rng.random()` is used, whose stream is the same in compiled and interpreted code.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from labcontrol.compiled import compiled
from labcontrol.config import OneOf, Section
from labcontrol.errors import UserError

SELECTIONS: dict[str, str] = {
    "uniform": "any mirror with equal probability, independently every epoch",
    "cyclic": "every mirror once in a random order, then again in a new one",
    "greedy": "mirrors not chosen for long are favoured: the biased draw of the photonic experiments",
    "amplitude": "with probability proportional to the mirror's measured amplitude",
    "amplitude-greedy": "the greedy draw, its bias growing in proportion to the mirror's measured amplitude",
    "blocks": "several mirrors of the cyclic order at once, fewer and fewer until it is one",
}

AMPLITUDE_SELECTIONS = frozenset({"amplitude", "amplitude-greedy"})
"""The rules that need the amplitude of every mirror."""

SINGLE_FLIPS = frozenset(SELECTIONS) - {"blocks"}
"""The rules that draw one mirror at a time."""

_UNIFORM, _CYCLIC, _GREEDY, _AMPLITUDE, _AMPLITUDE_GREEDY, _BLOCKS = range(6)
_KINDS = dict(zip(SELECTIONS, range(6), strict=True))


class FlipSettings(Section):
    """Settings of strategies that draw the mirrors to flip by a rule."""

    selection: Annotated[str, OneOf(tuple(SELECTIONS))] = Field("greedy", description="which mirror is flipped next")


class RuleState(NamedTuple):
    """A rule as compiled code sees it. The arrays are updated in place; what they hold depends on the rule.

    kind: place of the rule's name in SELECTIONS. values, rates: (N,) float64. order: (N,) int64, a permutation.
    counters: (2,) int64.
    """

    kind: int
    values: NDArray[np.float64]
    rates: NDArray[np.float64]
    order: NDArray[np.int64]
    counters: NDArray[np.int64]


@compiled
def draw(rule: RuleState, rng: np.random.Generator, mirrors: NDArray[np.int64]) -> int:
    """Choose the mirrors of the next epoch.

    mirrors: (N,) int64, filled from the front. Returns how many were chosen.
    """
    if rule.kind == _BLOCKS:
        return _draw_block(rule.rates, rule.order, rule.counters, rng, mirrors)
    if rule.kind == _UNIFORM:
        mirrors[0] = int(rng.random() * len(mirrors))
    elif rule.kind == _CYCLIC:
        mirrors[0] = _draw_cyclic(rule.order, rule.counters, rng)
    elif rule.kind == _GREEDY:
        mirrors[0] = _draw_greedy(rule.values, rule.order, rule.counters, rng)
    elif rule.kind == _AMPLITUDE:
        mirrors[0] = _draw_weighted(rule.values, rng)
    else:
        mirrors[0] = _draw_amplitude_greedy(rule.values, rule.rates, rng)
    return 1


@compiled
def _draw_cyclic(order: NDArray[np.int64], counters: NDArray[np.int64], rng: np.random.Generator) -> int:
    """order: of this sweep. counters[0]: how many of it are done; a new sweep is shuffled when all are."""
    neurons = len(order)
    if counters[0] == neurons:
        counters[0] = 0
        for i in range(neurons - 1, 0, -1):
            j = int(rng.random() * (i + 1))
            order[i], order[j] = order[j], order[i]
    counters[0] += 1
    return int(order[counters[0] - 1])


@compiled
def _draw_greedy(
    born: NDArray[np.float64], order: NDArray[np.int64], counters: NDArray[np.int64], rng: np.random.Generator
) -> int:
    """Chosen is argmax(rand(N) * bias); then every bias grows by 1/N and that of the chosen mirror becomes 0.

    All biases grow alike and a chosen mirror falls to the lowest, so the order of the biases is a queue: `order`, a
    ring that begins with the highest bias at counters[0]. Drawing along it can stop as soon as no later bias exceeds
    the highest product so far, because rand < 1: about sqrt(2N) draws instead of N, with the same probabilities.
    The bias is counters[1] / N - born, counters[1] being the epochs done.
    """
    neurons = len(order)
    head, grown = counters[0], counters[1] / neurons
    best, place = -1.0, 0
    for k in range(neurons):
        bias = grown - born[order[(head + k) % neurons]]
        if bias <= best:
            break
        product = rng.random() * bias
        if product > best:
            best, place = product, k
    chosen = order[(head + place) % neurons]
    for k in range(place, 0, -1):
        order[(head + k) % neurons] = order[(head + k - 1) % neurons]
    order[head] = chosen
    counters[0] = (head + 1) % neurons
    counters[1] += 1
    born[chosen] = counters[1] / neurons
    return int(chosen)


@compiled
def _draw_weighted(cumulative: NDArray[np.float64], rng: np.random.Generator) -> int:
    """cumulative: probabilities summed up to each mirror; the last is 1."""
    return int(np.searchsorted(cumulative, rng.random(), side="right"))


@compiled
def _draw_amplitude_greedy(bias: NDArray[np.float64], rates: NDArray[np.float64], rng: np.random.Generator) -> int:
    """The greedy rule with a growth of its own for each mirror: the order of the biases changes, so all are drawn."""
    best, chosen = -1.0, 0
    for i in range(len(bias)):
        product = rng.random() * bias[i]
        if product > best:
            best, chosen = product, i
        bias[i] += rates[i]
    bias[chosen] = 0.0
    return chosen


@compiled
def _draw_block(
    plan: NDArray[np.float64],
    order: NDArray[np.int64],
    counters: NDArray[np.int64],
    rng: np.random.Generator,
    mirrors: NDArray[np.int64],
) -> int:
    """The next mirrors of the cyclic order, at most to the end of the sweep.

    plan: [largest block, epochs until blocks are single mirrors]; the size falls geometrically in between.
    counters[1]: epochs done.
    """
    remaining = max(0.0, 1.0 - counters[1] / plan[1])
    size = min(max(1, int(np.round(plan[0] ** remaining))), len(order))
    counters[1] += 1
    mirrors[0] = _draw_cyclic(order, counters, rng)
    chosen = 1
    while chosen < size and counters[0] < len(order):
        mirrors[chosen] = _draw_cyclic(order, counters, rng)
        chosen += 1
    return chosen


class SelectionRule:
    """One rule at work. Made by `selection_rule`."""

    def __init__(self, name: str, arrays: RuleState) -> None:
        self.name = name
        self.arrays = arrays
        self._mirrors = np.empty(len(arrays.order), dtype=np.int64)

    def next(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """(m,) the mirrors to flip in the next epoch; m = 1 for every rule but blocks. Advances `rng`."""
        return self._mirrors[: draw(self.arrays, rng, self._mirrors)].copy()

    def state(self) -> dict[str, NDArray[np.generic]]:
        """A copy of everything, except the generator, that decides what is chosen next."""
        return {name: np.copy(getattr(self.arrays, name)) for name in self.arrays._fields if name != "kind"}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Continue from the `state` of the same rule with as many neurons. Raises UserError for any other."""
        for name, kept in self.state().items():
            given = state.get(name)
            if given is None or given.shape != kept.shape:
                raise UserError(
                    f"The state of the selection rule {self.name!r} should have {name} of shape {kept.shape}, "
                    f"found {None if given is None else given.shape}.",
                    "It belongs to another rule or another number of neurons.",
                )
            getattr(self.arrays, name)[...] = given


def selection_rule(
    name: str,
    neurons: int,
    rng: np.random.Generator,
    *,
    amplitudes: NDArray[np.float64] | None = None,
    largest_block: int | None = None,
    anneal_epochs: int | None = None,
) -> SelectionRule:
    """A selection rule at its start.

    rng: draws the initial state of the rules that have a random one; the others leave it untouched.
    amplitudes: (N,) positive, any unit; for the rules in AMPLITUDE_SELECTIONS. largest_block, anneal_epochs: for
    `blocks`; default N/16 mirrors and N/2 epochs. Raises UserError.
    """
    if name not in SELECTIONS:
        raise UserError(f"There is no selection rule {name!r}.", f"Known: {', '.join(SELECTIONS)}.")
    values = np.zeros(neurons)
    rates = np.full(neurons, 1.0 / neurons)
    order = np.arange(neurons)
    counters = np.zeros(2, dtype=np.int64)
    if name in ("cyclic", "blocks"):
        counters[0] = neurons  # the first draw shuffles
    elif name == "greedy":
        values = -rng.random(neurons)
        order = np.argsort(values, kind="stable")
    if name in AMPLITUDE_SELECTIONS:
        rates = selection_probabilities(_checked(name, neurons, amplitudes))
        values = rng.random(neurons) * rates * neurons if name == "amplitude-greedy" else np.cumsum(rates)
        values[-1] = 1.0 if name == "amplitude" else values[-1]  # rounding must not leave a gap below 1
    if name == "blocks":
        rates[0] = largest_block if largest_block is not None else max(1, neurons // 16)
        rates[1] = anneal_epochs if anneal_epochs is not None else max(1, neurons // 2)
    return SelectionRule(name, RuleState(_KINDS[name], values, rates, order.astype(np.int64), counters))


def selection_probabilities(amplitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) probabilities of the amplitude rule: half in proportion to the amplitude, half equal.

    The equal half bounds the wait for a dim mirror to twice that of uniform selection.
    """
    return 0.5 * amplitudes / np.sum(amplitudes) + 0.5 / len(amplitudes)


def completed_amplitudes(
    neurons: int, mirrors: NDArray[np.int64], amplitudes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N,) amplitudes from a pilot that measured only `mirrors` (P,): the others are given the mean of the measured."""
    completed = np.full(neurons, np.mean(amplitudes))
    completed[mirrors] = amplitudes
    return completed


def _checked(name: str, neurons: int, amplitudes: NDArray[np.float64] | None) -> NDArray[np.float64]:
    if amplitudes is None:
        raise UserError(
            f"The selection rule {name!r} needs the amplitude of every mirror, and none were given.",
            "Measure a pilot of single flips first.",
        )
    amplitudes = np.asarray(amplitudes, dtype=np.float64)
    if amplitudes.shape != (neurons,) or not (np.all(amplitudes >= 0) and 0 < np.sum(amplitudes) < np.inf):
        raise UserError(
            f"The selection rule {name!r} needs {neurons} amplitudes, none negative and not all zero; "
            f"found {amplitudes.shape} from {amplitudes.min(initial=np.inf)} to {amplitudes.max(initial=-np.inf)}."
        )
    return amplitudes
