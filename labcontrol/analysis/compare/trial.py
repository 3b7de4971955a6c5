"""One strategy on one known table with one size of detector noise."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.compare.known_table import KnownTable
from labcontrol.config import LearningConfig
from labcontrol.learning import Problem, initial_mask, make_strategy
from labcontrol.reservoir.timing import TimingProfile
from labcontrol.tasks import ErrorMeasure

Floats = NDArray[np.float64]


@dataclass
class Trial:
    """How learning went, proposal by proposal: lists of equal length.

    masks, replays: shown so far. software_s: processor time that the strategy itself took so far, which other programs
    on this computer do not lengthen. train: nmse of the incumbent without noise. masks_per_replay: at most. test: of
    the last incumbent, on the test part. finished: the strategy had nothing left to try.
    """

    masks_per_replay: int
    masks: list[int] = field(default_factory=list)
    replays: list[int] = field(default_factory=list)
    software_s: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    test: float = float("nan")
    finished: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def add(self, masks: int, software_s: float, train: float) -> None:
        """One more proposal, of so many masks and so much computing; train: error of the incumbent after it."""
        before = (self.masks[-1], self.replays[-1], self.software_s[-1]) if self.masks else (0, 0, 0.0)
        self.masks.append(before[0] + masks)
        self.replays.append(before[1] - (-masks // self.masks_per_replay))
        self.software_s.append(before[2] + software_s)
        self.train.append(train)

    def seconds(self, timing: TimingProfile, steps: int) -> Floats:
        """(K,) time after each proposal: modelled for the bench, measured for the computer. steps: of a replay."""
        counts = np.diff(self.masks, prepend=0)
        of_count = {count: timing.masks_s(count, self.masks_per_replay, steps) for count in np.unique(counts).tolist()}
        bench_s = np.cumsum([of_count[count] for count in counts.tolist()])
        seconds: Floats = bench_s + np.asarray(self.software_s)
        return seconds

    def first(self, error: float) -> int | None:
        """Index of the first proposal after which the error is at most this; None if never."""
        return next((k for k, value in enumerate(self.train) if value <= error), None)


def run_trial(table: KnownTable, learning: LearningConfig, *, seed: int, noise: float, masks: int) -> Trial:
    """Learn until so many masks were shown, or the strategy has finished.

    noise: of one output sample, as a share of `table.spread`. Amplitudes, gain and noise that a pilot would tell are
    given. The same seed draws the same initial mask as a run with it.
    """
    rng, noise_rng = np.random.default_rng(seed), np.random.default_rng([seed, 3])
    noise_std = noise * table.spread
    measure = ErrorMeasure(table.train_target, 2 * table.spread)
    amplitudes = np.std(table.responses[:, : table.steps], axis=1, dtype=np.float64)
    problem = Problem(initial_mask(learning, table.neurons, rng), rng, amplitudes, measure, noise_std, table.phases_rad)
    strategy = make_strategy(learning, problem)
    trial = Trial(learning.masks_per_replay)
    judged, error = b"", np.inf  # of the incumbent
    while (not trial.masks or trial.masks[-1] < masks) and strategy.finished is None:
        started_s = time.process_time()
        proposal = strategy.ask()
        software_s = time.process_time() - started_s
        outputs = table.outputs(proposal.masks)
        if noise_std > 0:
            outputs = (outputs + noise_std * noise_rng.standard_normal(outputs.shape)).astype(np.float32)
        errors = problem.errors(outputs.astype(np.float64), learning.loss)
        started_s = time.process_time()
        strategy.tell(proposal, outputs, errors)
        software_s += time.process_time() - started_s
        packed = strategy.incumbent.tobytes()
        if packed != judged:
            judged, error = packed, float(measure.nmse(table.outputs(strategy.incumbent[None]))[0])
        trial.add(len(proposal.masks), software_s, error)
    on_test = ErrorMeasure(table.test_target, measure.gain)
    trial.test = float(on_test.nmse(table.outputs(strategy.incumbent[None], test=True))[0])
    trial.finished = strategy.finished is not None
    return trial
