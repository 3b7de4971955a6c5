"""The pilot: masks measured before learning. They tell what every mirror does, and with it the whole learning curve.

Where the detector can be triggered, many masks share a replay, and all mirrors are told apart. Where each mask costs a
replay, where the run is so short that this would cost more than a small part of it, or where nothing is predicted of
the strategy, some tens of masks are measured, and what is known of the phases tells the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.errors import UserError
from labcontrol.learning import Problem, strategy_facts, strategy_settings
from labcontrol.learning.noise_aware import TIGHTEST, NoiseAwareSettings
from labcontrol.learning.phase_responses import PhaseResponses, fit_phase_responses
from labcontrol.records import Pilot, RunReader
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import ErrorMeasure, Task
from labcontrol.theory.descent_noise_aware import SequentialTest
from labcontrol.theory.pilot_design import (
    REFERENCES,
    PilotNoise,
    PilotResponses,
    design_size,
    is_whole_design,
    noise_of_references,
    pilot_changes,
    pilot_flips,
    pilot_replays,
    pilot_responses,
)
from labcontrol.theory.run_prediction import PilotFacts, RunPrediction, predict_run
from labcontrol.theory.run_twins import TWINS, RunRules

__all__ = ["Pilot", "PilotFindings", "PilotResult", "measure_pilot", "pilot_findings", "pilot_masks", "predict"]

Floats = NDArray[np.float64]

_COST = 0.02  # of the run's replays that a pilot of all mirrors may take
_LEAST_REPLAYS = 20  # it may take these in any case: a short run is soon over
_LINEAR = 0.02  # fraction unexplained up to which outputs count as sums over mirrors
_SAMPLES = 8  # of uncertain responses, for the twins to take turns
_TWIN_STEPS = 4e9  # work for the twins of a prediction, in epochs times steps: about a second
_FEWEST_TWINS = 40
_MOST_SWEEPS = 40  # over all mirrors, in epochs: learning is over long before; from there on the curve stays as it is


@dataclass(frozen=True)
class PilotFindings:
    """What a pilot tells.

    Attributes
    ----------
    responses : ndarray, shape (N, T)
        What each mirror adds to the output, without its mean over time.
    samples : tuple of ndarray, shape (N, T) each
        Responses as they could be as well, where they are uncertain.
    start_output : ndarray, shape (T,)
        Mean output of the start mask, without its mean over time.
    gain : float
        Of the fixed-gain error, a quarter of the sum of all mirrors' overlaps with the target.
    facts : PilotFacts
        How it was measured.
    """

    responses: Floats
    samples: tuple[Floats, ...]
    start_output: Floats
    gain: float
    facts: PilotFacts

    @property
    def amplitudes(self) -> Floats:
        """(N,) standard deviation of each response over time."""
        return np.asarray(self.responses.std(axis=1))

    @property
    def is_linear(self) -> bool:
        """Whether outputs are sums over mirrors, as far as was measured."""
        return self.facts.unexplained <= _LINEAR


def pilot_masks(
    experiment: ExperimentConfig, start: NDArray[np.bool_], masks_per_replay: int, rng: np.random.Generator
) -> list[NDArray[np.bool_]]:
    """The masks of the pilot, replay by replay.

    Parameters
    ----------
    experiment : ExperimentConfig
        Its length decides what a pilot may cost.
    start : ndarray of bool, shape (N,)
        Start mask of the run.
    masks_per_replay : int
        As many as the devices can show.
    rng : numpy.random.Generator
        Draws the flips.

    Raises
    ------
    UserError
        When all mirrors are wanted and the devices cannot show enough masks.
    """
    room, wanted = min(masks_per_replay, experiment.learning.masks_per_replay), experiment.prediction.mirrors
    replays = -(-design_size(len(start)) // max(room - REFERENCES, 1))
    is_affordable = replays <= max(_LEAST_REPLAYS, _COST * experiment.epochs)
    if wanted == "auto":
        wanted = "all" if is_affordable and strategy_facts(experiment.learning).flip_by_flip else "some"
    if wanted == "all" and room > REFERENCES:
        return pilot_replays(start, pilot_flips(len(start), rng), room)
    if experiment.prediction.mirrors == "all":
        raise UserError(
            f"All mirrors are to be measured, which takes a detector that is triggered and at least {REFERENCES + 1} "
            f"masks in a replay; here it is {room}.",
            "Trigger the detector, allow more with learning.masks_per_replay, or leave prediction.mirrors at 'auto'.",
        )
    flips = rng.random((experiment.prediction.pilot_masks, len(start))) < 0.5
    if room > REFERENCES:
        return pilot_replays(start, flips, room)
    # Each mask is a replay of its own: it is counted from the mean of the references, spread among them.
    spread = np.array_split(start ^ flips, _LEAST_REPLAYS // 4)
    return [mask[None] for part in spread for mask in (start, *part)]


def measure_pilot(
    reservoir: Reservoir,
    task: Task,
    replays: list[NDArray[np.bool_]],
    phases_rad: Floats | None = None,
    on_replay: Callable[[int], None] = lambda _number: None,
) -> tuple[Pilot, Floats]:
    """Measure the masks of a pilot.

    Parameters
    ----------
    reservoir : Reservoir
        Prepared.
    task : Task
        Its training part is replayed.
    replays : list of ndarray of bool, shape (B, N) each
        Of `pilot_masks`.
    phases_rad : ndarray, shape (N, T), optional
        Of the neurons during the training part, where they are known.
    on_replay : callable
        Called before each replay with its number, from 1.

    Returns
    -------
    pilot : Pilot
        Masks, and what they gave.
    phases_rad : ndarray, shape (N, T)
        As given, or of the last replay.
    """
    inputs, washout = task.training_sequence, len(task.washout_input)
    numbers = np.repeat(np.arange(len(replays)), [len(masks) for masks in replays])
    seen = np.zeros((len(inputs), reservoir.neurons if phases_rad is None else 0), dtype=np.float32)
    if phases_rad is None:
        reservoir.on_signals = seen.__setitem__
    try:
        outputs = []
        for number, masks in enumerate(replays, 1):
            on_replay(number)
            outputs.append(reservoir.replay(masks, inputs, washout).outputs)
    finally:
        reservoir.on_signals = None
    pilot = Pilot(np.concatenate(replays), np.concatenate(outputs), numbers)
    return pilot, reservoir.phases_rad(inputs, seen)[:, washout:] if phases_rad is None else phases_rad


def pilot_findings(
    pilot: Pilot, start: NDArray[np.bool_], target: Floats, phase_rad: Floats, rng: np.random.Generator
) -> PilotFindings:
    """What a pilot tells of every mirror.

    Parameters
    ----------
    pilot : Pilot
        As measured.
    start : ndarray of bool, shape (N,)
        Start mask.
    target : ndarray, shape (T,)
        Standardised.
    phase_rad : ndarray, shape (N, T)
        Phases of the neurons; used where not all mirrors were measured.
    rng : numpy.random.Generator
        Draws samples of uncertain responses.

    Raises
    ------
    UserError
        When the mirrors do not change the output.
    """
    samples: tuple[Floats, ...] = ()
    told: PilotResponses | PhaseResponses
    if all_mirrors := is_whole_design(pilot.masks, start):
        told = pilot_responses(pilot.masks, pilot.outputs, pilot.replays, start)
        start_output, noise = told.start_output, told.noise
    else:
        told, start_output, noise = modelled_responses(pilot, start, phase_rad)
        samples = tuple(told.sample(rng) for _ in range(_SAMPLES))
    facts = PilotFacts(
        masks=len(pilot.masks),
        replays=len(np.unique(pilot.replays)),
        noise_within=noise.within,
        noise_between=noise.between,
        unexplained=told.unexplained,
        all_mirrors=all_mirrors,
    )
    kept = told.responses.astype(np.float32).astype(np.float64)  # as the record has them
    gain = 0.25 * float(np.sum(np.abs(kept @ target))) / len(target)
    if not np.isfinite(gain) or not gain > facts.noise_between / np.sqrt(len(target)):
        raise UserError(
            f"None of the {len(kept)} mirrors changed the output measurably, so no gain can be set.",
            "Check laser emission, the position of the mask on the neurons, and the detector.",
        )
    return PilotFindings(kept, samples, start_output, gain, facts)


def modelled_responses(
    pilot: Pilot, start: NDArray[np.bool_], phase_rad: Floats
) -> tuple[PhaseResponses, Floats, PilotNoise]:
    """Responses by the model of known phases, output of the start mask, and both noises."""
    is_start = (pilot.masks == start).all(axis=1)
    signed = np.where(pilot.masks[~is_start] ^ start, np.where(start, -1.0, 1.0), 0.0)
    if len(np.unique(pilot.replays)) < len(pilot.replays):
        changes, references, noise = pilot_changes(pilot.masks, pilot.outputs, pilot.replays, start)
        of_changes = noise.within * float(np.sqrt(1 + 1 / REFERENCES))
    else:  # one mask a replay: all are counted from the mean of the references
        references = pilot.outputs[is_start].astype(np.float64)
        changes = pilot.outputs[~is_start] - references.mean(axis=0)
        of_changes = noise_of_references(references)
        noise = PilotNoise(of_changes, of_changes)
    start_output = references.mean(axis=0)
    fit = fit_phase_responses(phase_rad, signed, changes, of_changes)
    return fit, start_output - start_output.mean(), noise


@dataclass(frozen=True)
class PilotResult:
    """What a run goes on with after its pilot: measured, or read from its record.

    Attributes
    ----------
    gain : float
        Of the fixed-gain error.
    amplitudes : ndarray, shape (N,)
        Of the responses.
    facts : PilotFacts
        How they were measured.
    prediction : RunPrediction or None
        None where there is none for the strategy, or for what was found.
    """

    gain: float
    amplitudes: Floats
    facts: PilotFacts
    prediction: RunPrediction | None

    @classmethod
    def of(
        cls, experiment: ExperimentConfig, findings: PilotFindings, start: NDArray[np.bool_], target: Floats
    ) -> PilotResult:
        """From what a pilot has found; computes the prediction."""
        prediction = predict(experiment, findings, start, target)
        return cls(findings.gain, findings.amplitudes, findings.facts, prediction)

    @classmethod
    def recorded(cls, run: RunReader) -> PilotResult | None:
        """From a record; None before the pilot, and of records whose pilot was of another kind."""
        known, gain, amplitudes = run.prediction, run.gain, run.amplitudes
        if known is None or gain is None or amplitudes is None:
            return None
        facts = PilotFacts(**known["pilot"])
        curve = known["curve"]
        return cls(gain, amplitudes, facts, None if curve is None else RunPrediction.from_json(curve, facts))

    def as_json(self) -> dict[str, Any]:
        """What the record keeps as text."""
        return {"pilot": asdict(self.facts), "curve": None if self.prediction is None else self.prediction.as_json()}

    def problem(
        self,
        start: NDArray[np.bool_],
        rng: np.random.Generator,
        target: Floats,
        phases_rad: Floats | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Problem:
        """What a strategy is given.

        Parameters
        ----------
        start : ndarray of bool, shape (N,)
            Start mask.
        rng : numpy.random.Generator
            That drew it.
        target : ndarray, shape (T,)
            Standardised.
        phases_rad : ndarray, shape (N, T), optional
            Of the neurons, where they are known.
        progress : callable, optional
            Called by what computes for long.
        """
        measure = ErrorMeasure(target, self.gain)
        return Problem(start, rng, self.amplitudes, measure, self.facts.noise_between, phases_rad, progress)


def predict(
    experiment: ExperimentConfig, findings: PilotFindings, start: NDArray[np.bool_], target: Floats
) -> RunPrediction | None:
    """The learning curve of a run; None where its strategy is no descent, or the outputs are no sums over mirrors."""
    rules = run_rules(experiment.learning, findings.gain, findings.facts.noise_between)
    if rules is None or not findings.is_linear:
        return None
    epochs = min(max(experiment.epochs - 1, 1), _MOST_SWEEPS * len(start))
    twins = int(np.clip(_TWIN_STEPS / (epochs * len(target)) / 4, _FEWEST_TWINS, TWINS))
    return predict_run(
        findings.samples or findings.responses,
        findings.start_output,
        start,
        target,
        rules,
        epochs,
        findings.facts,
        seed=experiment.seed,
        twins=twins,
    )


def run_rules(learning: LearningConfig, gain: float, noise_std: float) -> RunRules | None:
    """What decides the descent of this strategy; None where it is none."""
    facts = strategy_facts(learning)
    if not facts.flip_by_flip:
        return None
    settings = strategy_settings(learning)
    test = None
    if isinstance(settings, NoiseAwareSettings):
        test = SequentialTest(
            settings.error_probability, settings.largest_repeats, settings.incumbent_repeats, TIGHTEST
        )
    return RunRules(facts.selection, learning.loss, gain, noise_std, facts.remeasured, test)
