"""A run: asks the strategy for masks, has the reservoir measure them, records every epoch, and tells listeners.

run = Run(experiment, bench, Path("runs"))
run.execute()                       # here, or run.start() for a thread of its own
print(run.result["test"]["nmse"])
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from labcontrol.bench import Bench, driver_classes
from labcontrol.config import BenchConfig, ExperimentConfig
from labcontrol.engine.checkpoint import encode
from labcontrol.engine.control import RunAbortedError, RunControl
from labcontrol.engine.events import EpochDone, Event, Finished, Mailbox, Predicted, Prepared, Seen, StateChanged
from labcontrol.engine.pilot import measure_pilot, predict
from labcontrol.engine.record import preparation_record, record_path, run_header
from labcontrol.engine.result import final_result
from labcontrol.engine.status import RunState, RunStatus, StateMachine
from labcontrol.engine.stop import StopRule
from labcontrol.learning import Strategy, check_learning, completed_amplitudes, initial_mask, make_strategy
from labcontrol.records import Epoch, RunWriter
from labcontrol.reservoir import Reservoir, StepView
from labcontrol.tasks import ErrorMeasure, Task, make_task

log = logging.getLogger(__name__)

_VIEW_INTERVAL_S = 0.04  # listeners see at most 25 steps a second
_CHECKPOINT_EPOCHS = 50


class Run:
    """One run of one experiment on one bench. What can be checked is checked here, before a device is opened.

    directory: where the record goes; made if need be. Raises UserError when experiment, bench, task and strategy do
    not go together.
    """

    def __init__(self, experiment: ExperimentConfig, bench: BenchConfig, directory: Path) -> None:
        self.experiment = experiment
        self.bench_config = bench
        driver_classes(bench)
        check_learning(experiment.learning)
        self.task: Task = make_task(experiment.task, experiment.seed)
        # The generator of the strategy is the experiment's seed itself, so that the twin can repeat its decisions.
        self._rng = np.random.default_rng(experiment.seed)
        self.initial_mask = initial_mask(experiment.learning, experiment.neurons, self._rng)
        self.record = record_path(directory, experiment)
        self.result: dict[str, Any] = {}
        self.error: BaseException | None = None
        self._mailboxes: list[Mailbox] = []
        self._machine = StateMachine(lambda status: self._tell(StateChanged(status)))
        self._control = RunControl(self._on_pause, self._on_resume)
        self._resumes_to = RunState.RUNNING
        self._thread: threading.Thread | None = None
        self._last_view_s = 0.0

    # --- for everyone -------------------------------------------------------------------------------------------
    @property
    def status(self) -> RunStatus:
        return self._machine.status

    def subscribe(self) -> Mailbox:
        """A mailbox that receives every event from now on."""
        mailbox = Mailbox()
        self._mailboxes.append(mailbox)
        return mailbox

    def start(self) -> None:
        """Run in a thread of its own; what goes wrong is in `error` and in the status."""
        self._thread = threading.Thread(target=self._execute_in_thread, name="run", daemon=False)
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for a started run; False when it is not over yet."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return self.status.state.is_final

    def pause(self) -> None:
        """Hold before the next step; the table stays as it is."""
        self._control.request_pause()

    def resume(self) -> None:
        """Go on after a pause."""
        self._control.request_resume()

    def stop(self) -> None:
        """Finish the epoch, measure the result, close."""
        self._control.request_stop()

    def abort(self) -> None:
        """Laser off and close before the next step; what was measured is kept."""
        self._control.request_abort()

    def execute(self) -> RunStatus:
        """Run here and now. The laser is off and the record closed when this returns or raises.

        Raises UserError, DeviceError or whatever else went wrong; status and record then say so too.
        """
        self._machine.move(RunState.PREPARING)
        ending = (RunState.FINISHED, "")
        try:
            with Bench(self.bench_config) as bench:
                ending = (RunState.FINISHED, self._on_bench(bench))
        except RunAbortedError as aborted:
            ending = (RunState.ABORTED, str(aborted))
        except BaseException as error:
            ending = (RunState.FAILED, str(error) or type(error).__name__)
            raise
        finally:
            self._machine.note(laser_on=False)
            self._machine.move(*ending)
            self._tell(Finished(self.status, self.result))
        return self.status

    # --- the run ------------------------------------------------------------------------------------------------
    def _on_bench(self, bench: Bench) -> str:
        """Everything between opening and closing the devices. Returns why learning ended."""
        experiment = self.experiment
        reservoir = Reservoir(bench, experiment.reservoir, experiment.side, np.random.default_rng([experiment.seed, 1]))
        reservoir.between_steps = self._control.between_steps
        reservoir.observer = self._on_step
        header = run_header(experiment, bench, self.task, self.initial_mask)
        with RunWriter.create(self.record, header) as writer:
            self._machine.note(record=self.record, epochs=experiment.epochs)
            try:
                return self._learn(bench, reservoir, writer)
            except RunAbortedError as aborted:
                writer.finish("aborted", str(aborted))
                raise
            except BaseException as error:
                writer.finish("failed", str(error) or type(error).__name__)
                raise

    def _learn(self, bench: Bench, reservoir: Reservoir, writer: RunWriter) -> str:
        """Prepare, predict, learn, measure the result."""
        experiment, task = self.experiment, self.task
        preparation = reservoir.prepare()
        self._machine.note(laser_on=True)
        writer.write_preparation(preparation_record(preparation))
        self._tell(Prepared(task, self.initial_mask, reservoir.map.centres_px, preparation.step_s))

        pilot_rng = np.random.default_rng([experiment.seed, 2])
        pilot = measure_pilot(reservoir, task, self.initial_mask, experiment.prediction.pilot_flips, pilot_rng)
        law = predict(pilot, self.initial_mask, task.train_target, experiment.learning.loss)
        writer.write_pilot(pilot.mirrors, pilot.outputs, law.gain)
        self._tell(Predicted(law))

        amplitudes = completed_amplitudes(experiment.neurons, law.mirrors, law.amplitudes)
        strategy = make_strategy(experiment.learning, self.initial_mask, self._rng, amplitudes)
        self._machine.move(RunState.RUNNING)
        measure = ErrorMeasure(task.train_target, law.gain)
        stop_rule = StopRule(experiment)
        reason = self._epochs(bench, reservoir, writer, strategy, measure, stop_rule)

        self._resumes_to = RunState.STOPPING
        self._machine.move(RunState.STOPPING, reason)
        final = reservoir.replay(strategy.incumbent, task.whole_sequence, len(task.washout_input)).outputs[0]
        self.result = final_result(experiment, task, measure, law, np.array(stop_rule.curve), final)
        writer.finish("finished", reason, strategy.incumbent, final[len(task.train_target) :], self.result)
        return reason

    def _epochs(
        self,
        bench: Bench,
        reservoir: Reservoir,
        writer: RunWriter,
        strategy: Strategy,
        measure: ErrorMeasure,
        stop_rule: StopRule,
    ) -> str:
        """Learn until a stop condition is met. Returns it in words."""
        loss = self.experiment.learning.loss
        washout = len(self.task.washout_input)
        sequence = self.task.training_sequence
        bench_start_s, wall_start_s = bench.clock.now_s(), time.perf_counter()
        index = accepted_flips = 0
        while True:
            proposal = strategy.ask()
            readout = reservoir.replay(proposal.masks, sequence, washout)
            mse, nmse = measure.mse(readout.outputs), measure.nmse(readout.outputs)
            accepted = strategy.tell(proposal, readout.outputs, mse if loss == "mse" else nmse)
            unix_s, bench_s = time.time(), bench.clock.now_s() - bench_start_s
            epochs = [
                Epoch(
                    index + b, int(readout.replays[b]), int(proposal.mirrors[b]), proposal.masks[b], readout.outputs[b],
                    float(mse[b]), float(nmse[b]), bool(accepted[b]), unix_s, bench_s,
                )
                for b in range(len(proposal.masks))
            ]  # fmt: skip
            writer.append_many(epochs)
            index += len(epochs)
            accepted_flips += int(accepted.sum()) if index > len(epochs) else 0
            self._machine.note(
                epoch=index,
                error=strategy.incumbent_error,
                accepted=accepted_flips,
                retaken=reservoir.retaken,
                epoch_s=(time.perf_counter() - wall_start_s) / index,
            )
            for epoch in epochs:
                self._tell(EpochDone(epoch, strategy.incumbent_error, self.status))
            if index % _CHECKPOINT_EPOCHS < len(epochs):
                writer.checkpoint(index, encode(strategy.state()))
            reasons = [stop_rule.reason(strategy.incumbent_error) for _ in epochs]
            if self._control.stop_requested:
                return "stopped by the user"
            if reasons[-1] is not None:
                return reasons[-1]

    # --- telling and being told ---------------------------------------------------------------------------------
    def _tell(self, event: Event) -> None:
        for mailbox in self._mailboxes:
            mailbox.put(event)

    def _on_step(self, view: StepView) -> None:
        now = time.perf_counter()
        if now - self._last_view_s >= _VIEW_INTERVAL_S:
            self._last_view_s = now
            self._tell(Seen(view))

    def _on_pause(self) -> None:
        self._resumes_to = self.status.state
        self._machine.move(RunState.PAUSED, "paused by the user")

    def _on_resume(self) -> None:
        self._machine.move(self._resumes_to)

    def _execute_in_thread(self) -> None:
        try:
            self.execute()
        except BaseException as error:
            log.error("the run failed: %s", error)
            self.error = error
