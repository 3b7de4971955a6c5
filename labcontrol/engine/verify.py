"""Replaying a record: all that follows from what was measured is computed again and compared bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import ExperimentConfig
from labcontrol.engine.checkpoint import decode, encode
from labcontrol.engine.pilot import PilotResult, modelled_responses
from labcontrol.errors import UserError
from labcontrol.learning import Proposal, Strategy, initial_mask, make_strategy, strategy_facts
from labcontrol.learning.acceptance import accept
from labcontrol.records import RunReader
from labcontrol.records.damage import DAMAGE
from labcontrol.records.json_text import to_json
from labcontrol.reservoir.coupling import Coupling
from labcontrol.tasks import ErrorMeasure
from labcontrol.theory.pilot_design import pilot_responses

_ROWS = 4096  # outputs in memory at a time
_OTHER_PROCESSOR = 1e-9  # relative difference of sums in another order


@dataclass(frozen=True)
class Finding:
    """One way in which a record disagrees with itself.

    subject: the dataset. epoch: the first that differs, None where it is no matter of epochs. text: in plain words.
    """

    subject: str
    epoch: int | None
    text: str


@dataclass(frozen=True)
class Check:
    """One comparison that was made. what: in plain words. findings: where it failed; empty where all agrees."""

    what: str
    findings: tuple[Finding, ...]


UNREADABLE = "record"
"""Subject of a finding on content that cannot be read at all."""

Progress = Callable[[str, float], None]
"""Told what is being compared, and the share of it that is done."""


def verify(run: RunReader) -> list[Finding]:
    """What in a record does not follow from its own measurements and configuration; empty when all does."""
    return [finding for check in checks(run) for finding in check.findings]


def checks(run: RunReader, progress: Progress = lambda _what, _share: None) -> Iterator[Check]:
    """Make one comparison after the other, each when it is asked for.

    Compared are every dataset (with the seal, where the record was closed, and with checksums of every part), the gain
    (with the pilot), both errors of every epoch (with outputs and target), masks and decisions (with mirrors and
    errors), the final mask, the result and the checkpoints. A record without contradiction is then learned again: the
    seed must propose the very same masks, and lead through the same checkpoints.

    The arithmetic is the same on every run of one computer; another processor may sum in another order, which shows
    as differences in the last digits of the errors.
    """
    steps: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("everything with its hashes and checksums", lambda: integrity(run)),
        ("gain with the pilot", lambda: _pilot(run)),
        ("errors with outputs and target", lambda: _errors(run)),
        ("masks and decisions with mirrors and errors", lambda: _decisions(run)),
        ("result with the epochs", lambda: _ending(run)),
        ("checkpoints with the epochs", lambda: _checkpoints(run)),
    ]
    findings: list[Finding] = []
    for what, compare in steps:
        progress(what, 0.0)
        check = Check(what, _found(compare))
        findings += check.findings
        yield check
        if any(finding.subject in _DECISIVE for finding in findings):
            return
    if all(finding.subject.endswith("/checksum") for finding in findings):  # they tell the row only
        what = "every mask and decision with those that the seed gives"
        yield Check(what, _found(lambda: _proposals(run, lambda share: progress(what, share))))


_DECISIVE = ("config", "metadata", UNREADABLE)
"""They say how everything else is to be computed."""


def _found(compare: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    found: list[Finding] = []
    try:
        found.extend(compare())
    except (UserError, *DAMAGE) as error:
        found.append(Finding(UNREADABLE, None, f"This cannot be computed: {error}"))
    return tuple(found)


def integrity(run: RunReader) -> Iterator[Finding]:
    """What is not what was written, by seal and checksums."""
    for change in run.changes():
        yield Finding(change.dataset, change.row, change.text)


def consistency(run: RunReader) -> Iterator[Finding]:
    """What a continuation builds upon and does not follow from the measurements: errors, masks, decisions."""
    yield from _errors(run, _OTHER_PROCESSOR)
    yield from _decisions(run)


def _pilot(run: RunReader) -> Iterator[Finding]:
    told = PilotResult.recorded(run)
    if told is None or run.pilot is None or run.responses is None:
        return
    responses = run.responses.astype(np.float64)
    gain = 0.25 * float(np.sum(np.abs(responses @ run.target))) / run.steps
    if gain != run.gain:
        yield Finding("gain", None, f"/gain is {run.gain!r}, but /pilot/response gives {gain!r}.")
    phases_rad = None if told.facts.all_mirrors else _phases(run)
    if not told.facts.all_mirrors and phases_rad is None:
        return
    try:
        if phases_rad is None:
            again = pilot_responses(run.pilot.masks, run.pilot.outputs, run.pilot.replays, run.initial_mask).responses
        else:
            again = modelled_responses(run.pilot, run.initial_mask, phases_rad)[0].responses
    except ValueError as error:
        yield Finding("pilot/mask", None, f"/pilot is no pilot of the initial mask: {error}")
        return
    if not np.array_equal(again.astype(np.float32), run.responses):
        yield Finding("pilot/response", None, "/pilot/response is not what /pilot/output gives.")


def _errors(run: RunReader, tolerance: float = 0.0) -> Iterator[Finding]:
    epochs = run.epochs
    if not len(epochs) or run.gain is None:
        return
    measure = ErrorMeasure(run.target, run.gain)
    mse, nmse = np.empty(len(epochs)), np.empty(len(epochs))
    for start in range(0, len(epochs), _ROWS):
        outputs = epochs.outputs(start, start + _ROWS)
        mse[start : start + _ROWS] = measure.mse(outputs)
        nmse[start : start + _ROWS] = measure.nmse(outputs)
    for name, recorded, computed in (("mse", epochs.mse, mse), ("nmse", epochs.nmse, nmse)):
        if not (tolerance and np.allclose(recorded, computed, rtol=tolerance, atol=0)):
            yield from _compared(f"epochs/{name}", recorded, computed)
    yield from _compared("epochs/replay", epochs.replay, _counted(epochs.replay))


def _counted(replays: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replays as they can only be: each epoch has that of the one before, or the next."""
    steps = np.clip(np.diff(replays, prepend=replays[0]), 0, 1)
    return np.asarray(replays[0] + np.cumsum(steps))


def _decisions(run: RunReader) -> Iterator[Finding]:
    """Masks and decisions from mirrors and errors, where these decide; other strategies are only learned again."""
    facts = strategy_facts(ExperimentConfig.model_validate(run.experiment).learning)
    epochs = run.epochs
    if facts.epochs_per_flip is None or not len(epochs):
        return
    errors, mirrors, shown = epochs.error(run.loss), epochs.mirror.copy(), epochs.masks()
    # After the first epoch the masks of this acceptance come in pairs: the incumbent, then the candidate.
    again = np.arange(len(epochs)) % 2 == (1 if facts.remeasured else 2)
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


def _ending(run: RunReader) -> Iterator[Finding]:
    """What the result says of the run, with the run itself."""
    result = run.result
    if not result:
        return
    yield from _stated(result, {"epochs": len(run.epochs), "gain": run.gain})
    for part, target, output in (
        ("train", run.target, run.train_output),
        ("test", run.test_target, run.test_output),
    ):
        stated = result.get(part)
        if stated is None or run.gain is None or output is None:
            continue
        measure = ErrorMeasure(target, run.gain)
        for name, errors in (("mse", measure.mse(output[None])), ("nmse", measure.nmse(output[None]))):
            if stated[name] != float(errors[0]):
                text = f"{part} {name} is {stated[name]!r}, but /{part}/output gives {float(errors[0])!r}."
                yield Finding("result", None, text)


def _checkpoints(run: RunReader) -> Iterator[Finding]:
    for number, epochs in enumerate(run.checkpoint_epochs):
        try:
            after = decode(run.checkpoint(number).state).get("epochs")
        except ValueError:
            yield Finding("checkpoints/bytes", int(epochs), f"The checkpoint after epoch {epochs} cannot be read.")
        else:
            if after != epochs:
                text = f"The checkpoint after epoch {epochs} says it is one after epoch {after}."
                yield Finding("checkpoints/epochs", int(epochs), text)


def _phases(run: RunReader) -> NDArray[np.float64] | None:
    """(N, T) of the neurons in the training part, as the run computed them; None where its states are not on record."""
    if run.reference_replay is None or not run.preparations:
        return None
    experiment, states = ExperimentConfig.model_validate(run.experiment), run.reference_replay[0]
    coupling = Coupling.drawn(experiment.reservoir, run.neurons, np.random.default_rng([experiment.seed, 1]))
    inputs = np.concatenate([run.washout_input, run.input])
    counts = run.preparations[0]["reference_counts"]
    return coupling.phases_rad(counts, inputs, states)[:, len(run.washout_input) :]


def _proposals(run: RunReader, progress: Callable[[float], None]) -> Iterator[Finding]:
    """Learn again from the recorded outputs and errors: the strategy must ask for what was shown."""
    told = PilotResult.recorded(run)
    if told is None:
        return
    experiment = ExperimentConfig.model_validate(run.experiment)
    rng = np.random.default_rng(experiment.seed)
    start = initial_mask(experiment.learning, run.neurons, rng)
    if not np.array_equal(start, run.initial_mask):
        yield Finding("masks/initial", None, "The seed gives another initial mask than /masks/initial.")
        return
    strategy = make_strategy(experiment.learning, told.problem(start, rng, run.target, _phases(run)))
    epochs = run.epochs
    errors, mirrors, accepted, replays = epochs.error(run.loss), epochs.mirror, epochs.accepted, epochs.replay
    checkpoints = {int(after): number for number, after in enumerate(run.checkpoint_epochs)}
    k, start_error = 0, float("inf")
    while True:
        if k in checkpoints and not _leads_through(strategy, run.checkpoint(checkpoints[k]).state):
            text = f"The checkpoint after epoch {k} holds another state of the strategy than the epochs lead to."
            yield Finding("checkpoints/bytes", k, text)
            return
        if k >= len(epochs):
            break
        progress(k / len(epochs))
        proposal = strategy.ask()
        stop = k + len(proposal.masks)
        otherwise = _otherwise(proposal, k, epochs.masks(k, stop), mirrors[k:stop], replays[max(k - 1, 0) : k + 1])
        if otherwise is not None:
            yield otherwise
            return
        decisions = strategy.tell(proposal, epochs.outputs(k, stop), errors[k:stop])
        if not np.array_equal(decisions, accepted[k:stop]):
            yield Finding("epochs/accepted", k, f"From epoch {k} on the strategy decides otherwise than is recorded.")
            return
        start_error = strategy.incumbent_error if k == 0 else start_error
        k = stop
    final = run.final_mask
    if final is not None and not np.array_equal(final, strategy.incumbent):
        mirror = int(np.flatnonzero(final != strategy.incumbent)[0])
        yield Finding("masks/final", None, f"/masks/final is not the last incumbent: mirror {mirror} differs.")
    learned = {"start_error": start_error, "incumbent_error": strategy.incumbent_error}
    yield from _stated(run.result or {}, learned | {"strategy_report": json.loads(to_json(strategy.report()))})


def _otherwise(
    proposal: Proposal, k: int, masks: NDArray[np.bool_], mirrors: NDArray[np.int64], replays: NDArray[np.int64]
) -> Finding | None:
    """How what follows epoch k is not what was proposed. replays: of the epoch before it and its own."""
    if not np.array_equal(proposal.masks, masks):
        return Finding("epochs/mask", k, f"From epoch {k} on the seed proposes other masks than were shown.")
    if not np.array_equal(proposal.mirrors, mirrors):
        return Finding("epochs/mirror", k, f"From epoch {k} on the seed proposes other mirrors than are recorded.")
    if len(replays) == 2 and replays[0] == replays[1]:
        return Finding("epochs/replay", k, f"Epoch {k} was proposed after replay {replays[0]}, not measured in it.")
    return None


def _leads_through(strategy: Strategy, checkpoint: bytes) -> bool:
    """Whether the strategy is now in the state that the checkpoint holds."""
    return encode(strategy.state()) == encode(decode(checkpoint)["strategy"])


def _stated(result: dict[str, Any], computed: dict[str, Any]) -> Iterator[Finding]:
    for name, value in computed.items():
        if name in result and result[name] != value:
            yield Finding("result", None, f"/result says {name} {result[name]!r}, but it should be {value!r}.")


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
