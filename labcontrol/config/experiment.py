"""An experiment: what is learned, by what rule, and when it is enough."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from labcontrol.config.fault_script import FaultScript
from labcontrol.config.section import OneOf, Section


class TaskConfig(Section):
    """The sequence to learn."""

    name: str = Field(
        "mackey-glass",
        description="mackey-glass, santa-fe, narma-10, or a CSV file with one column (its next value is the target) "
        "or two (input, target)",
    )
    steps: int = Field(200, ge=10, le=1_000_000, description="steps of the training part")
    test_steps: int = Field(200, ge=0, le=1_000_000, description="steps of the test part, after the training part")
    washout: int = Field(30, ge=0, le=100_000, description="steps replayed before the training part and not used")


class ReservoirConfig(Section):
    """The operating point: phase = pi (feedback * I + injection * W u) + theta, see the physics page."""

    feedback: float = Field(0.15, ge=0, le=4, description="feedback strength beta, in units of pi")
    injection: float = Field(0.5, ge=0, le=4, description="input strength gamma, in units of pi")
    phase_offset: float = Field(0.44, ge=0, le=2, description="first phase offset theta_0, in units of pi")
    phase_step: float = Field(
        0.5, ge=0, le=2, description="second offset is theta_0 plus this, in units of pi: both slopes of cos^2 exist"
    )
    phase_share: float = Field(0.5, ge=0, le=1, description="share mu of the neurons with the second offset")
    reference_patterns: int = Field(
        8, ge=1, le=1000, description="random patterns that set the camera scale before a run"
    )
    retakes: int = Field(3, ge=0, le=100, description="retries for a frame that fails its checks")


MOVED_SETTINGS: dict[str, tuple[str, ...]] = {
    "selection": ("coordinate-descent", "noise-aware", "speculative"),
    "acceptance": ("coordinate-descent",),
}
"""Keys of `learning` that are options now, and the strategies that used them; early files have them for all."""


def with_moved_settings(learning: dict[str, Any]) -> dict[str, Any]:
    """The section `learning` of an early file or record as it is written now; a later one as it is."""
    moved = learning.keys() & MOVED_SETTINGS
    if not moved:
        return learning
    strategy = learning.get("strategy", LearningConfig.model_fields["strategy"].default)
    used = {key: learning[key] for key in moved if strategy in MOVED_SETTINGS[key]}
    kept = {key: value for key, value in learning.items() if key not in moved}
    return kept | {"options": used | learning.get("options", {})}


_DEFAULT_STRATEGY = "coordinate-descent"


class LearningConfig(Section):
    """How masks are chosen and judged."""

    strategy: str = Field(
        _DEFAULT_STRATEGY, description="learning strategy; 'labcontrol strategies' lists them with their options"
    )
    loss: Annotated[str, OneOf(("nmse", "mse"))] = Field(
        "mse",
        description="the error that decides: mse (fixed gain) or nmse (normalised each epoch); where not set, mse for "
        "coordinate descent, which then follows the law, and nmse for every other strategy",
    )
    initial_share: float = Field(0.5, ge=0, le=1, description="share of mirrors on at the start, chosen at random")
    masks_per_replay: int = Field(
        64,
        ge=1,
        le=100_000,
        description="masks that a strategy which asks for many at once puts into one replay; where the devices can "
        "show fewer, they need more replays",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="the strategy's own settings")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        loss = "mse" if values.get("strategy", _DEFAULT_STRATEGY) == _DEFAULT_STRATEGY else "nmse"
        return {"loss": loss} | with_moved_settings(values)


class StopConfig(Section):
    """When to stop; whatever is met first."""

    epochs: int | None = Field(
        None, ge=1, examples=[1000], description="epochs in all; where not set, four times the number of neurons"
    )
    replays: int | None = Field(None, ge=1, examples=[100], description="passes through the training sequence in all")
    target_error: float | None = Field(
        None, gt=0, examples=[0.01], description="stop when the loss is at or below this"
    )
    plateau_epochs: int | None = Field(
        None,
        ge=1,
        examples=[300],
        description="stop when the loss fell by less than plateau_change over this many epochs",
    )
    plateau_change: float = Field(0.01, ge=0, lt=1, description="relative fall that counts as progress")


class PredictionConfig(Section):
    """The learning curve predicted before the run."""

    @model_validator(mode="before")
    @classmethod
    def _read_early_files(cls, values: Any) -> Any:
        """Pilots of single flips had `pilot_flips`."""
        if isinstance(values, dict) and "pilot_flips" in values:
            return {key: value for key, value in values.items() if key != "pilot_flips"}
        return values

    mirrors: Annotated[str, OneOf(("auto", "all", "some"))] = Field(
        "auto",
        description="mirrors that the pilot measures: all; some, where the known phases tell the rest; auto, all where "
        "that takes a small part of the run",
    )
    pilot_masks: int = Field(
        64,
        ge=8,
        le=1_000_000,
        description="masks measured before learning where not all mirrors are measured; they set the gain and tell the "
        "learning curve",
    )


class FaultsConfig(Section):
    """What is done about faults of devices and a full disk. The laser is off while the run is paused for one."""

    reconnects: int = Field(
        6, ge=0, le=1000, description="times a device is connected again before the run waits for a person"
    )
    first_wait_s: float = Field(1.0, ge=0, le=3600, description="wait before the first of them; it doubles each time")
    longest_wait_s: float = Field(60.0, ge=0, le=86400, description="longest wait between two of them")
    give_up_after_s: float | None = Field(
        None,
        ge=0,
        examples=[3600.0],
        description="how long to wait for a person before the run ends as failed, to be resumed later; where not set, "
        "as long as it takes, and an hour where no terminal or window is",
    )
    disk_check_s: float = Field(5.0, gt=0, le=3600, description="how often to look whether a full disk has room again")


class DriftConfig(Section):
    """The initial mask measured again and again, to see whether the table stays what it was."""

    every_epochs: int | None = Field(
        None, ge=1, examples=[100], description="epochs from one measurement to the next; where not set, there is none"
    )
    pause_above: float | None = Field(
        12.0,
        gt=0,
        description="pause when the reference has moved by more than this many standard deviations of the noise",
    )
    least_change: float = Field(
        0.01, ge=0, description="and by more than this share: of its mean, or of the variance of the rest, as in nmse"
    )


class ExperimentConfig(Section):
    """Everything that decides a run, except the bench it runs on."""

    bench: str = Field(
        "simulated",
        description="'simulated', a clean table; 'laboratory', one with the troubles of real ones; or a bench file",
    )
    neurons: int = Field(400, ge=4, le=4_000_000, description="number of neurons; a square number")
    seed: int = Field(1, ge=0, le=2**63 - 1, description="decides every random choice of program and simulation")
    note: str = Field("", description="free text kept in the record")
    task: TaskConfig = TaskConfig()
    reservoir: ReservoirConfig = ReservoirConfig()
    learning: LearningConfig = LearningConfig()
    stop: StopConfig = StopConfig()
    prediction: PredictionConfig = PredictionConfig()
    faults: FaultsConfig = FaultsConfig()
    drift: DriftConfig = DriftConfig()
    fault_script: FaultScript | None = Field(
        None,
        examples=[{"seed": 1, "fault": [{"device": "camera", "kind": "drop", "rate": 0.001}]}],
        description="faults that the simulated table is to have, for trying out what happens then; see docs/faults.md",
    )

    @field_validator("neurons")
    @classmethod
    def _square(cls, value: int) -> int:
        side = math.isqrt(value)
        if side * side != value:
            raise ValueError(
                f"should be a square number, because neurons fill a square of the modulators; "
                f"nearest: {side**2} ({side} x {side}) and {(side + 1) ** 2} ({side + 1} x {side + 1})"
            )
        return value

    @property
    def side(self) -> int:
        """Neurons along one edge."""
        return math.isqrt(self.neurons)

    @property
    def epochs(self) -> int:
        """Epochs the run may take at most."""
        return self.stop.epochs if self.stop.epochs is not None else 4 * self.neurons
