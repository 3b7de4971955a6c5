"""What a study varies, on which states, and whether that can be done: checked before anything is computed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labcontrol.config import ExperimentConfig
from labcontrol.errors import UserError
from labcontrol.learning.selection import SELECTIONS
from labcontrol.records import RunReader
from labcontrol.theory.scaling.cells import Cell
from labcontrol.theory.states import recorded_states

STATES: dict[str, str] = {
    "planted": "independent Gaussian responses and a target that a hidden mask reaches: the case with a known answer",
    "optical": "a model of the optical table neuron by neuron, without devices and noise",
    "measured": "states measured on the simulated table, neuron by neuron, then learning in software with its noise",
    "table": "whole runs on a bench, every epoch through SLM, camera, mirrors and detector",
    "recorded": "random subsets of the neurons of a recorded run, learning in software",
}

_LOSSES = ("mse", "nmse")


@dataclass(frozen=True)
class StudyPlan:
    """A study.

    states: a name in STATES. sizes: numbers of neurons. seeds: runs of each, seeds 1 ... S. selections, losses: rules
    and errors that decide. sweeps: length of every run, in N epochs. steps: T; by default 8 N for planted states (the
    known answer needs T > N), else that of the experiment. experiment: task and operating point of optical, measured
    and table states, and the bench of the latter. run_file: for recorded states.
    """

    states: str
    sizes: tuple[int, ...]
    seeds: int
    selections: tuple[str, ...]
    losses: tuple[str, ...]
    sweeps: float = 6.0
    steps: int | None = None
    experiment: ExperimentConfig = field(default_factory=ExperimentConfig)
    run_file: Path | None = None

    def __post_init__(self) -> None:
        """Raises UserError for what cannot be done."""
        _known("states", (self.states,), STATES)
        _known("selection rule", self.selections, SELECTIONS)
        _known("loss", self.losses, _LOSSES)
        if len(set(self.sizes)) < 2:
            raise UserError(
                f"A scaling study compares sizes, so it needs at least two; found {len(set(self.sizes))}.",
                "For example --neurons 64,144,324.",
            )
        if min(self.sizes) < 4 or self.seeds < 1 or not 0.5 <= self.sweeps <= 1000:
            raise UserError(
                f"A study needs at least 4 neurons, 1 seed, and runs of 0.5 to 1000 N epochs; found "
                f"{min(self.sizes)} neurons, {self.seeds} seeds, {self.sweeps:g} N epochs."
            )
        self._check_states()

    def _check_states(self) -> None:
        if self.states == "planted":
            for neurons in self.sizes:
                if self.steps_of(neurons) <= neurons:
                    raise UserError(
                        f"Planted states of {neurons} neurons need more than {neurons} steps to be independent, found "
                        f"{self.steps_of(neurons)}.",
                        f"Leave --steps out (8 steps a neuron) or give at least {neurons + 1}.",
                    )
        elif self.states != "recorded":
            odd = [n for n in self.sizes if math.isqrt(n) ** 2 != n]
            if odd:
                raise UserError(
                    f"{odd[0]} neurons do not fill a square of the modulators.",
                    f"Nearest squares: {math.isqrt(odd[0]) ** 2} and {(math.isqrt(odd[0]) + 1) ** 2}.",
                )
        if (self.states == "recorded") != (self.run_file is not None):
            raise UserError("Recorded states need a run file, and no others do.", "--states recorded --run-file FILE.")
        if self.run_file is not None:
            self._check_recording(self.run_file)

    def _check_recording(self, run_file: Path) -> None:
        with RunReader(run_file) as run:
            recorded = run.neurons
            recorded_states(run.epochs.masks(), run.epochs.outputs(), run.target)
        if max(self.sizes) > recorded:
            raise UserError(
                f"{run_file} has {recorded} neurons, so a subset of {max(self.sizes)} cannot be drawn.",
                f"Choose sizes up to {recorded}.",
            )

    def steps_of(self, neurons: int) -> int:
        """T for a size; that of recorded states is the record's."""
        if self.steps is not None:
            return self.steps
        return 8 * neurons if self.states == "planted" else self.experiment.task.steps

    def epochs_of(self, neurons: int) -> int:
        """K for a size."""
        return round(self.sweeps * neurons)

    def experiment_of(self, neurons: int, seed: int) -> ExperimentConfig:
        """The experiment with a size and a seed."""
        task = self.experiment.task.model_copy(update={"steps": self.steps_of(neurons)})
        return self.experiment.model_copy(update={"neurons": neurons, "seed": seed, "task": task})

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All of them, small sizes first."""
        return tuple(
            Cell(neurons, seed, selection, loss)
            for neurons in sorted(set(self.sizes))
            for seed in range(1, self.seeds + 1)
            for selection in self.selections
            for loss in self.losses
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but what is varied, as JSON types: cells of studies with equal settings belong together."""
        experiment = self.experiment.model_dump(mode="json", include={"bench", "task", "reservoir", "prediction"})
        settings = {
            "states": self.states,
            "sweeps": self.sweeps,
            "steps": self.steps,
            "experiment": experiment if self.states in ("optical", "measured", "table") else None,
            "run_file": None if self.run_file is None else self.run_file.name,
        }
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain


def _known(what: str, names: tuple[str, ...], known: Any) -> None:
    for name in names or ("",):
        if name not in known:
            raise UserError(f"There is no {what} {name!r}.", f"Known: {', '.join(known)}.")
