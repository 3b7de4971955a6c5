"""A small run that obeys all the rules of a record, made from random numbers; also a process that writes one.

python synthetic_run.py FILE EPOCHS     writes FILE and prints the number of epochs on disk after each
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from labcontrol.config import ExperimentConfig
from labcontrol.engine.checkpoint import encode
from labcontrol.engine.pilot import Pilot, PilotResult, pilot_findings
from labcontrol.learning import initial_mask, make_strategy
from labcontrol.records import Epoch, RunHeader, RunWriter
from labcontrol.tasks import ErrorMeasure
from labcontrol.tasks.errors import standardised
from labcontrol.theory.pilot_design import pilot_flips, pilot_replays

STEPS, TEST_STEPS, WASHOUT = 40, 25, 5


class SyntheticRun:
    """Linear, noisy readout of random states, trained by coordinate descent. The same arguments give the same run."""

    def __init__(
        self,
        seed: int = 1,
        acceptance: str = "stored",
        loss: str = "mse",
        neurons: int = 36,
        selection: str = "greedy",
        strategy: str = "coordinate-descent",
    ) -> None:
        self.experiment = ExperimentConfig.model_validate(
            {
                "neurons": neurons,
                "seed": seed,
                "task": {"steps": STEPS, "test_steps": TEST_STEPS, "washout": WASHOUT},
                "learning": {"strategy": strategy, "selection": selection, "acceptance": acceptance, "loss": loss},
            }
        )
        self._rng = np.random.default_rng(seed)
        self.state: dict[str, Any] = {}
        self.initial_mask = self.final_mask = initial_mask(self.experiment.learning, neurons, self._rng)
        rng = np.random.default_rng([seed, 1])
        self._states = rng.standard_normal((STEPS, neurons))
        self._noise_rng = rng
        target = standardised(rng.standard_normal(STEPS) + self._states[:, ::2].sum(axis=1))
        self.header = RunHeader(
            config={"experiment": self.experiment.model_dump(mode="json"), "bench": {"name": "synthetic"}},
            metadata={"seed": seed, "devices": {"slm": {"vendor": "none", "serial_number": "7"}}},
            input=rng.random(STEPS),
            target=target,
            washout_input=rng.random(WASHOUT),
            test_input=rng.random(TEST_STEPS),
            test_target=standardised(rng.standard_normal(TEST_STEPS)),
            initial_mask=self.initial_mask,
        )
        self.train_output = rng.random(STEPS, dtype=np.float32)
        self.test_output = rng.random(TEST_STEPS, dtype=np.float32)
        parts = pilot_replays(self.initial_mask, pilot_flips(neurons, rng), 40)
        masks, numbers = np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        self.pilot = Pilot(masks, self._outputs(masks), numbers)
        no_phases = np.zeros((neurons, STEPS))
        self.findings = pilot_findings(self.pilot, self.initial_mask, target, no_phases, rng)
        self.told = PilotResult.of(self.experiment, self.findings, self.initial_mask, target)

    def _outputs(self, masks: np.ndarray) -> np.ndarray:
        noise = 0.05 * self._noise_rng.standard_normal((len(masks), STEPS))
        return (masks @ self._states.T + noise).astype(np.float32)

    def _errors(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        measure = ErrorMeasure(target, self.told.gain)
        return {"mse": float(measure.mse(output[None])[0]), "nmse": float(measure.nmse(output[None])[0])}

    def replays(self, count: int) -> Iterator[list[Epoch]]:
        """The epochs of the first `count` replays, replay by replay. Once only."""
        learning = self.experiment.learning
        problem = self.told.problem(self.initial_mask, self._rng, self.header.target)
        strategy, measure = make_strategy(learning, problem), problem.measure
        index = 0
        for replay in range(count):
            proposal = strategy.ask()
            outputs = self._outputs(proposal.masks)
            mse, nmse = measure.mse(outputs), measure.nmse(outputs)
            accepted = strategy.tell(proposal, outputs, mse if learning.loss == "mse" else nmse)
            first, index = index, index + len(outputs)
            self.final_mask = strategy.incumbent.copy()
            self.state = {"epochs": index, "strategy": strategy.state()}
            yield [
                Epoch(
                    index=first + b,
                    replay=replay,
                    mirror=int(proposal.mirrors[b]),
                    mask=proposal.masks[b],
                    output=outputs[b],
                    mse=float(mse[b]),
                    nmse=float(nmse[b]),
                    accepted=bool(accepted[b]),
                    unix_s=1.7e9 + replay,
                    bench_s=0.25 * (replay + 1),
                )
                for b in range(len(outputs))
            ]

    def write_pilot(self, writer: RunWriter) -> None:
        told, responses = self.told, self.findings.responses.astype(np.float32)
        writer.write_pilot(self.pilot, responses, told.amplitudes, told.gain, told.as_json())

    def write(self, path: Path, replays: int = 60, finish: bool = True) -> Path:
        with RunWriter.create(path, self.header, unix_s=lambda: 1.7e9) as writer:
            writer.write_preparation({"exposure_s": 1e-3})
            self.write_pilot(writer)
            for epochs in self.replays(replays):
                writer.append_many(epochs)
                if (epochs[0].replay + 1) % 10 == 0:
                    writer.checkpoint(writer.epochs, encode(self.state))
            writer.log("info", "learning ended")
            if finish:
                writer.finish(
                    "finished",
                    "all epochs done",
                    self.final_mask,
                    train_output=self.train_output,
                    test_output=self.test_output,
                    result={
                        "epochs": writer.epochs,
                        "train": self._errors(self.header.target, self.train_output),
                        "test": self._errors(self.header.test_target, self.test_output),
                    },
                )
        return path


def state_after(epochs: int) -> bytes:
    return np.random.default_rng(epochs).bytes(100 + epochs)


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run = SyntheticRun()
    with RunWriter.create(Path(sys.argv[1]), run.header) as writer:
        tell("created")
        run.write_pilot(writer)
        for epochs in run.replays(int(sys.argv[2])):
            writer.append_many(epochs)
            tell(str(writer.epochs))
            writer.log("info", f"epoch {writer.epochs}")
            if writer.epochs % 10 == 0:
                writer.checkpoint(writer.epochs, state_after(writer.epochs))
        sys.stdin.read()  # until the parent has seen enough
