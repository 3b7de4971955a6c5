"""Replaying a record: all that follows from what was measured is computed again and compared bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import ExperimentConfig
from labcontrol.engine.pilot import Pilot, posed_problem, predict
from labcontrol.errors import UserError
from labcontrol.learning import initial_mask, make_strategy
from labcontrol.learning.acceptance import accept
from labcontrol.records import RunReader
from labcontrol.tasks import ErrorMeasure

_ROWS = 4096  # outputs in memory at a time


@dataclass(frozen=True)
class Finding:
    """One way in which a record disagrees with itself.

    subject: the dataset. epoch: the first that differs, None where it is no matter of epochs. text: in plain words.
    """

    subject: str
    epoch: int | None
    text: str


def verify(run: RunReader) -> list[Finding]:
    """What in a record does not follow from its own measurements and configuration; empty when all does.

    Compared are the sequences (with their hashes), the gain (with the pilot), both errors of every epoch (with outputs
    and target), masks and decisions (with mirrors and errors), the final mask and the test result. A record without
    contradiction is then learned again: the seed must propose the very same masks.

    The arithmetic is the same on every run of one computer; another processor may sum in another order, which shows
    as differences in the last digits of the errors.
    """
    if "config" in run.changed_datasets():  # it says how everything else is to be computed
        return list(_sequences(run))
    findings = [*_sequences(run), *_pilot(run), *_errors(run), *_decisions(run), *_ending(run)]
    return findings or list(_proposals(run))


def _sequences(run: RunReader) -> Iterator[Finding]:
    for name in run.changed_datasets():
        yield Finding(name, None, f"/{name} is not what was written before the run.")


def _pilot(run: RunReader) -> Iterator[Finding]:
    if run.pilot is None:
        return
    try:
        gain = predict(Pilot(run.pilot.mirrors, run.pilot.outputs), run.initial_mask, run.target, run.loss).gain
    except (UserError, ValueError, IndexError) as error:
        yield Finding("pilot", None, f"/pilot is no pilot of the initial mask: {error}")
        return
    if gain != run.gain:
        yield Finding("gain", None, f"/gain is {run.gain!r}, but /pilot gives {gain!r}.")


def _errors(run: RunReader) -> Iterator[Finding]:
    epochs = run.epochs
    if not len(epochs) or run.gain is None:
        return
    measure = ErrorMeasure(run.target, run.gain)
    mse, nmse = np.empty(len(epochs)), np.empty(len(epochs))
    for start in range(0, len(epochs), _ROWS):
        outputs = epochs.outputs(start, start + _ROWS)
        mse[start : start + _ROWS] = measure.mse(outputs)
        nmse[start : start + _ROWS] = measure.nmse(outputs)
    yield from _compared("epochs/mse", epochs.mse, mse)
    yield from _compared("epochs/nmse", epochs.nmse, nmse)
    yield from _compared("epochs/replay", epochs.replay, np.maximum.accumulate(epochs.replay))


def _decisions(run: RunReader) -> Iterator[Finding]:
    """Masks and decisions of coordinate descent from mirrors and errors; other strategies are only learned again."""
    learning = ExperimentConfig.model_validate(run.experiment).learning
    epochs = run.epochs
    if learning.strategy != "coordinate-descent" or not len(epochs):
        return
    errors, mirrors, shown = epochs.error(run.loss), epochs.mirror.copy(), epochs.masks()
    # After the first epoch the masks of this acceptance come in pairs: the incumbent, then the candidate.
    again = np.arange(len(epochs)) % 2 == (1 if learning.acceptance == "re-measured" else 2)
    mirrors[again | (mirrors >= run.neurons)] = -1
    masks, decisions = np.empty_like(shown), np.zeros(len(epochs), dtype=np.bool_)
    incumbent, incumbent_error = run.initial_mask, float("inf")
    for k in range(len(epochs)):
        masks[k] = incumbent
        if again[k]:
            incumbent_error = errors[k]
            continue
        if mirrors[k] >= 0:
            masks[k, mirrors[k]] ^= True
        elif k > 0:  # several mirrors at once: only the mask itself tells which
            masks[k] = shown[k]
        decisions[k] = accept(errors[k], incumbent_error)
        if decisions[k]:
            incumbent, incumbent_error = masks[k], errors[k]
    yield from _compared("epochs/mirror", epochs.mirror, mirrors)
    yield from _compared("epochs/mask", epochs.packed_masks(), np.packbits(masks, axis=1))
    yield from _compared("epochs/accepted", epochs.accepted, decisions)
    final = run.final_mask
    if final is not None and not np.array_equal(final, incumbent):
        mirror = int(np.flatnonzero(final != incumbent)[0])
        yield Finding("masks/final", None, f"/masks/final is not the last incumbent: mirror {mirror} differs.")


def _ending(run: RunReader) -> Iterator[Finding]:
    test = (run.result or {}).get("test")
    if test is None or run.gain is None or run.test_output is None:
        return
    measure = ErrorMeasure(run.test_target, run.gain)
    outputs = run.test_output[None]
    for name, errors in (("mse", measure.mse(outputs)), ("nmse", measure.nmse(outputs))):
        if test[name] != float(errors[0]):
            yield Finding(
                "result", None, f"test {name} is {test[name]!r}, but /test/output gives {float(errors[0])!r}."
            )


def _proposals(run: RunReader) -> Iterator[Finding]:
    """Learn again from the recorded outputs and errors: the strategy must ask for what was shown."""
    if run.pilot is None:
        return
    experiment = ExperimentConfig.model_validate(run.experiment)
    rng = np.random.default_rng(experiment.seed)
    start = initial_mask(experiment.learning, run.neurons, rng)
    if not np.array_equal(start, run.initial_mask):
        yield Finding("masks/initial", None, "The seed gives another initial mask than /masks/initial.")
        return
    pilot = Pilot(run.pilot.mirrors, run.pilot.outputs)
    law = predict(pilot, start, run.target, run.loss)
    strategy = make_strategy(experiment.learning, posed_problem(pilot, law, start, rng, run.target))
    epochs = run.epochs
    errors, mirrors, accepted = epochs.error(run.loss), epochs.mirror, epochs.accepted
    k = 0
    while k < len(epochs):
        proposal = strategy.ask()
        stop = k + len(proposal.masks)
        if not np.array_equal(proposal.masks, epochs.masks(k, stop)):
            yield Finding("epochs/mask", k, f"From epoch {k} on the seed proposes other masks than were shown.")
            return
        if not np.array_equal(proposal.mirrors, mirrors[k:stop]):
            yield Finding("epochs/mirror", k, f"From epoch {k} on the seed proposes other mirrors than are recorded.")
            return
        decisions = strategy.tell(proposal, epochs.outputs(k, stop), errors[k:stop])
        if not np.array_equal(decisions, accepted[k:stop]):
            yield Finding("epochs/accepted", k, f"From epoch {k} on the strategy decides otherwise than is recorded.")
            return
        k = stop


def _compared(name: str, found: NDArray[np.generic], expected: NDArray[np.generic]) -> Iterator[Finding]:
    """Rows of a dataset against what they should be, byte by byte."""
    differs = (_row_bytes(found) != _row_bytes(expected)).any(axis=1)
    count = int(np.count_nonzero(differs))
    if count == 0:
        return
    first = int(np.argmax(differs))
    values = f": {found[first]!s} instead of {expected[first]!s}" if found.ndim == 1 else ""
    yield Finding(name, first, f"/{name} differs in {count} epochs, first in epoch {first}{values}.")


def _row_bytes(rows: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
