"""What happens on an open bench while a record is open: prepare, predict, learn, measure the result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labcontrol.engine.checkpoint import encode
from labcontrol.engine.events import Doing, EpochDone, Predicted, Prepared
from labcontrol.engine.pilot import PilotResult, measure_pilot, pilot_findings, pilot_masks
from labcontrol.engine.precompile import precompile
from labcontrol.engine.record import preparation_from_record, preparation_record
from labcontrol.engine.recovery import Recovery
from labcontrol.engine.reference_measurements import ReferenceMeasurements
from labcontrol.engine.result import final_result
from labcontrol.engine.resume import Recorded
from labcontrol.engine.run_context import RunContext
from labcontrol.engine.status import RunState
from labcontrol.engine.stop import Ending, StopRule
from labcontrol.engine.whole_measurements import WholeMeasurements
from labcontrol.errors import UserError
from labcontrol.learning import Proposal, Strategy, initial_mask, make_strategy
from labcontrol.records import Epoch
from labcontrol.reservoir import Preparation, Readout, Spread
from labcontrol.reservoir.reference_replay import MOST_VALUES
from labcontrol.tasks import ErrorMeasure

log = logging.getLogger(__name__)

_CHECKPOINT_EPOCHS = 50
_COMPUTING_NOTE_S = 10.0  # from one line in the log to the next


class Session:
    """One run on one open bench, writing one record."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._experiment, self._task = context.experiment, context.task
        self._bench, self._reservoir, self._writer = context.bench, context.reservoir, context.writer
        # The strategy's generator is the experiment's seed itself, so that the twin can repeat its decisions.
        self._rng = np.random.default_rng(self._experiment.seed)
        self._start = initial_mask(self._experiment.learning, self._experiment.neurons, self._rng)
        self._computing_s = time.perf_counter()
        self._phases_rad: NDArray[np.float64] | None = None
        # What a pilot decides.
        self._pilot: PilotResult
        self._measure: ErrorMeasure
        self._noise_std: float
        self._strategy: Strategy
        self._reference: ReferenceMeasurements
        self._stop_rule = StopRule(self._experiment)
        self._recovery = Recovery(
            self._experiment.faults,
            context.bench,
            context.reservoir,
            context.writer,
            context.control,
            context.machine,
            context.emit,
        )
        self._reservoir.retries.on_retry = self._recovery.note_retry
        self._measurements = WholeMeasurements(self._recovery, len(self._task.washout_input))
        self._epochs = self._accepted = self._replays = 0
        self._bench_start_s = self._wall_start_s = 0.0
        self.result: dict[str, Any] = {}

    def run(self, recorded: Recorded | None = None) -> Ending:
        """Begin, or continue what was recorded; returns how learning ended."""
        machine = self._context.machine
        reason = None
        if not self._bench.laser.on_table:
            precompile(self._experiment, self._reservoir.map)
        if recorded is None or recorded.state is None:
            self._begin()
        else:
            reason = self._continue(recorded, recorded.state)
        machine.move(RunState.RUNNING)
        ending = self._learn() if reason is None else Ending("finished", reason)
        machine.move(RunState.STOPPING, ending.reason)
        self._conclude(ending)
        return ending

    # --- before learning ----------------------------------------------------------------------------------------
    def _begin(self) -> None:
        self._tell("measuring the table")
        preparation = self._recovery.with_retry(self._reservoir.prepare)
        self._context.machine.note(laser_on=True)
        self._write(lambda: self._writer.write_preparation(preparation_record(preparation)))
        self._emit_prepared(preparation)
        self._measure_reference_replay()
        self._begin_strategy(self._measure_pilot())
        self._bench_start_s = self._bench.clock.now_s()
        self._measure_reference_if_due(0)
        self._checkpoint()
        self._wall_start_s = time.perf_counter()

    def _tell(self, doing: str) -> None:
        self._context.machine.note(doing=doing)
        self._context.emit(Doing(doing))

    def _measure_reference_replay(self) -> None:
        """What the camera sees at each step, known before anything is measured."""
        self._tell("reference replay")
        states = self._measurements.whole(lambda: self._reservoir.measure_reference_replay(self._task.whole_sequence))
        if (reference := self._reservoir.reference_replay) is not None:
            self._write(lambda: self._writer.write_reference_replay(states, astuple(reference.typical)))
            self._phases_rad = self._phases_of(states)

    def _phases_of(self, states: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, T) of the neurons in the training part, from states of the whole sequence."""
        first = len(self._task.washout_input)
        part = slice(first, first + len(self._task.train_target))
        return self._reservoir.phases_rad(self._task.whole_sequence, states)[:, part]

    def _measure_pilot(self) -> PilotResult:
        """What every mirror does, and what is predicted from it; on record when this returns."""
        start, target = self._start, self._task.train_target
        rng = np.random.default_rng([self._experiment.seed, 2])
        replays = pilot_masks(self._experiment, start, self._reservoir.masks_per_replay, rng)
        pilot, phase_rad = self._measurements.whole(
            lambda: measure_pilot(
                self._reservoir,
                self._task,
                replays,
                self._phases_rad,
                lambda number: self._tell(f"pilot {number}/{len(replays)}"),
            )
        )
        self._tell("predicting")
        findings = pilot_findings(pilot, start, target, phase_rad, rng)
        told = PilotResult.of(self._experiment, findings, start, target)
        kept = findings.responses if findings.responses.size <= MOST_VALUES else findings.responses[:0]
        self._write(
            lambda: self._writer.write_pilot(pilot, kept.astype(np.float32), told.amplitudes, told.gain, told.as_json())
        )
        return told

    def _emit_prepared(self, preparation: Preparation) -> None:
        centres_px = self._reservoir.map.centres_px
        self._context.emit(Prepared(self._task, self._start, centres_px, preparation.step_s))

    def _begin_strategy(self, pilot: PilotResult) -> None:
        """Errors, strategy and reference measurements, from a pilot."""
        target = self._task.train_target
        problem = pilot.problem(self._start, self._rng, target, self._phases_rad, self._on_computing)
        self._measure, self._noise_std = problem.measure, problem.noise_std
        self._pilot = pilot
        self._strategy = make_strategy(self._experiment.learning, problem)
        self._reference = ReferenceMeasurements(
            self._experiment, self._recovery, problem.measure, self._measure_reference
        )
        self._context.emit(Predicted(pilot))

    def _on_computing(self, done: float) -> None:
        """A strategy computes for long: the laser's guardian must know that somebody is there."""
        self._bench.light.heartbeat()
        now_s = time.perf_counter()
        if now_s - self._computing_s > _COMPUTING_NOTE_S:
            self._computing_s = now_s
            log.info("computing: %.0f %%", 100 * done)

    def _continue(self, recorded: Recorded, state: dict[str, Any]) -> str | None:
        """Take up the run after its last epoch. Returns why it is over, if it already is."""
        preparation = preparation_from_record(recorded.preparation)
        self._reservoir.preparation = preparation
        if recorded.reference_replay is not None:
            self._phases_rad = self._phases_of(recorded.reference_replay[0])
        assert recorded.pilot is not None
        self._begin_strategy(recorded.pilot)
        self._strategy.restore(state["strategy"])
        self._epochs, self._accepted, self._replays = state["epochs"], state["accepted"], state["replays"]
        if recorded.reference_replay is not None:
            states, spread = recorded.reference_replay
            self._reservoir.know(self._task.whole_sequence, states, Spread(*map(float, spread)))
        if (drift := state.get("drift")) is not None:
            self._reference.restore(drift)
        simulated = self._bench.table is not None and state["table"] is not None
        if simulated and self._bench.table is not None:
            if not self._bench.laser.on_table:  # the table remembers its own only
                self._recovery.with_retry(self._bench.light_on)
            self._bench.table.restore(state["table"])
            self._reservoir.restore(state["reservoir"], preparation)
            self._bench_start_s = state["bench_start_s"]
            if self._context.player is not None and state.get("player") is not None:
                self._context.player.restore(state["player"])
                self._context.player.epoch = self._epochs
        else:
            self._recovery.with_retry(self._bench.light_on)
            self._reservoir.restore(state["reservoir"], preparation)
            self._reservoir.reset()
            self._reference.keep_recorded()
            self._bench_start_s = self._bench.clock.now_s() - recorded.bench_s
        self._context.machine.note(laser_on=True)
        self._emit_prepared(preparation)
        self._wall_start_s = time.perf_counter()
        self._stop_rule.restore(state["stop"])
        reason = self._stop_rule.ended or self._strategy.finished
        while self._epochs < len(recorded.curve):
            reason = self._relearn(recorded, measure_again=simulated)
        if self._measurements.disturbed:
            self._checkpoint()
        return reason

    def _relearn(self, recorded: Recorded, *, measure_again: bool) -> str | None:
        """Tell the strategy a proposal that is on record already.

        A simulated table is taken through the same light again, so that it ends where the interrupted one was; that
        it gives the same outputs is checked.
        """
        proposal = self._strategy.ask()
        rows = slice(self._epochs, self._epochs + len(proposal.masks))
        outputs = recorded.outputs(rows)
        if not np.array_equal(recorded.masks(rows), proposal.masks):
            raise UserError(
                f"The masks recorded from epoch {rows.start} on are not those this version proposes.",
                "Continue the run with the version that started it; the record names it.",
            )
        if measure_again and not np.array_equal(self._replay(proposal).outputs, outputs):
            if not recorded.faults_since_checkpoint:
                raise UserError(
                    f"The simulated table gave other outputs than recorded from epoch {rows.start} on.",
                    "Continue the run with the version and on the kind of computer that started it.",
                )
            self._measurements.disturbed = True  # what is on record stays; the table goes on from here
        replays = -(-len(proposal.masks) // self._reservoir.masks_per_replay)
        if not measure_again:
            self._reservoir.replays += replays
        _, _, accepted = self._judge(proposal, outputs)
        reason = self._count(len(proposal.masks), replays, int(accepted.sum()))
        if reason is None and measure_again:
            self._measure_reference_if_due(len(proposal.masks))
        return reason

    # --- learning -----------------------------------------------------------------------------------------------
    def _learn(self) -> Ending:
        """Learn until a stop condition is met, or somebody stops the run."""
        while True:
            proposal = self._strategy.ask()
            readout = self._replay(proposal)
            mse, nmse, accepted = self._judge(proposal, readout.outputs)
            epochs = self._rows(proposal, readout, mse, nmse, accepted)
            self._record(epochs)
            reason = self._count(len(epochs), len(np.unique(readout.replays)), int(accepted.sum()))
            for epoch in epochs:
                self._context.emit(EpochDone(epoch, self._strategy.incumbent_error, self._context.machine.status))
            if reason is None:
                self._measure_reference_if_due(len(epochs))
            due = self._epochs // _CHECKPOINT_EPOCHS > (self._epochs - len(epochs)) // _CHECKPOINT_EPOCHS
            if due or self._measurements.disturbed:
                self._checkpoint()
            if reason is not None:
                return Ending("finished", reason)
            if self._context.control.stop_requested:
                return Ending("stopped", f"stopped at {self._epochs} of {self._experiment.epochs}")

    def _rows(self, proposal: Proposal, readout: Readout, mse: Any, nmse: Any, accepted: Any) -> list[Epoch]:
        unix_s, bench_s = time.time(), self._bench.clock.now_s() - self._bench_start_s
        return [
            Epoch(
                index=self._epochs + b,
                replay=int(readout.replays[b]),
                mirror=int(proposal.mirrors[b]),
                mask=proposal.masks[b],
                output=readout.outputs[b],
                mse=float(mse[b]),
                nmse=float(nmse[b]),
                accepted=bool(accepted[b]),
                unix_s=unix_s,
                bench_s=bench_s,
            )
            for b in range(len(proposal.masks))
        ]

    def _record(self, epochs: list[Epoch]) -> None:
        self._write(lambda: self._writer.append_many(epochs))

    def _write(self, write: Callable[[], None]) -> None:
        self._recovery.write_with_retry(write)

    def _replay(self, proposal: Proposal) -> Readout:
        return self._measurements.replay(proposal.masks, self._task.training_sequence)

    def _measure_reference(self) -> NDArray[np.float32]:
        return self._measurements.replay(self._start[None], self._task.training_sequence).outputs

    def _measure_reference_if_due(self, new_epochs: int) -> None:
        # No |=, which would lose a fault within the measurement.
        if self._reference.watch(self._epochs, new_epochs):
            self._measurements.disturbed = True

    def _judge(self, proposal: Proposal, outputs: Any) -> tuple[Any, Any, Any]:
        """Both errors of each mask, and the strategy's decisions on them."""
        mse, nmse = self._measure.mse(outputs), self._measure.nmse(outputs)
        decisive = mse if self._experiment.learning.loss == "mse" else nmse
        return mse, nmse, self._strategy.tell(proposal, outputs, decisive)

    def _count(self, epochs: int, replays: int, accepted: int) -> str | None:
        """Count epochs that are on record. Returns why learning is over, if it is."""
        self._accepted += accepted if self._epochs else 0  # the initial mask is no accepted flip
        self._epochs += epochs
        self._replays += replays
        if self._context.player is not None:
            self._context.player.epoch = self._epochs
        error = self._strategy.incumbent_error
        since_start_s = time.perf_counter() - self._wall_start_s
        self._context.machine.note(
            epoch=self._epochs,
            error=error,
            accepted=self._accepted,
            retried=self._reservoir.retries.count,
            epoch_s=since_start_s / self._epochs,
        )
        return [self._stop_rule.reason(error, self._replays) for _ in range(epochs)][-1] or self._strategy.finished

    def _checkpoint(self) -> None:
        table, player = self._bench.table, self._context.player
        state = {
            "epochs": self._epochs,
            "accepted": self._accepted,
            "replays": self._replays,
            "bench_start_s": self._bench_start_s,
            "stop": self._stop_rule.state(),
            "strategy": self._strategy.state(),
            "drift": self._reference.state(),
            "reservoir": self._reservoir.state(),
            "table": None if table is None else table.snapshot(),
            "player": None if player is None else player.state(),
        }
        self._write(lambda: self._writer.checkpoint(self._epochs, encode(state)))
        self._measurements.disturbed = False

    # --- after learning -----------------------------------------------------------------------------------------
    def _conclude(self, ending: Ending) -> None:
        """Measure the incumbent once more, over training and test part, and close the record."""
        task, mask = self._task, self._strategy.incumbent
        output = self._measurements.replay(mask, task.whole_sequence).outputs[0]
        self.result = final_result(self._experiment, task, self._pilot.gain, self._stop_rule, output, self._noise_std)
        self.result |= {"replays": self._replays, "strategy_report": self._strategy.report()}
        steps = len(task.train_target)
        train, test = output[:steps], output[steps:]
        self._recovery.make_dark("the run is over")
        self._write(
            lambda: self._writer.finish(
                ending.state, ending.reason, mask, train_output=train, test_output=test, result=self.result
            )
        )
