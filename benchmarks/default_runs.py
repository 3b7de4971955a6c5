"""The default run with many seeds: does it follow its prediction, and does the verdict stay what it was?

    python benchmarks/default_runs.py --seeds 20
    python benchmarks/default_runs.py --seeds 50 --neurons 64 --bench laboratory

Each seed has a table, a start mask and a prediction of its own.
"""

from __future__ import annotations

import tempfile
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from labcontrol.config import ExperimentConfig, with_preset
from labcontrol.engine import Run
from labcontrol.engine.pilot import PilotResult
from labcontrol.records import RunReader
from labcontrol.theory.run_prediction import Verdict, judge

_INSIDE = 0.85
_LOOKS = 400  # at the verdict, evenly over the epochs


def main(
    seeds: Annotated[int, typer.Option(help="Runs, seeds 1 and up.")] = 20,
    neurons: Annotated[int, typer.Option(help="A square number.")] = ExperimentConfig().neurons,
    bench: Annotated[str, typer.Option(help="simulated or laboratory.")] = "simulated",
    preset: Annotated[str, typer.Option(help="How it learns.")] = "law",
) -> None:
    """Print for each run the fraction of epochs in the band, R² of the predicted exponential, and its verdicts."""
    shown = Table("seed", "in the band", "R² of the predicted exponential", "τ predicted", "verdicts in turn", box=None)
    found = []
    for seed in track(range(1, seeds + 1), "runs", console=Console(stderr=True), transient=True):
        experiment = ExperimentConfig.model_validate(
            {"neurons": neurons, "seed": seed, "bench": bench, "faults": {"give_up_after_s": 30.0}}
        )
        inside, r_squared, tau, verdicts = one(with_preset(experiment, preset))
        found.append((inside, r_squared, len(verdicts)))
        shown.add_row(str(seed), f"{inside:.3f}", f"{r_squared:.3f}", f"{tau:.1f}", ", ".join(verdicts))
    console = Console()
    console.print(shown)
    inside, r_squared, verdicts = (np.array(column) for column in zip(*found, strict=True))
    console.print(
        f"{np.count_nonzero(inside >= _INSIDE)} of {seeds} runs have {_INSIDE:.0%} or more of their epochs in the "
        "band; "
        f"R² is {r_squared.min():.3f} at least, {np.median(r_squared):.3f} in the median; "
        f"{np.count_nonzero(verdicts > 1)} runs changed their verdict"
    )


def one(experiment: ExperimentConfig) -> tuple[float, float, float, list[str]]:
    """Run it; verdicts in turn, "cannot tell" left out and repetitions once."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(experiment, directory=folder)
        run.execute()
        with RunReader(run.record) as record:
            told, errors, accepted = PilotResult.recorded(record), record.incumbent_errors(), record.epochs.accepted
    assert told is not None
    assert told.prediction is not None
    prediction, epochs = told.prediction, np.arange(len(errors))
    left = errors - prediction.exponential(epochs)
    r_squared = 1 - float(np.sum(left**2) / np.sum((errors - errors.mean()) ** 2))
    verdicts: list[str] = []
    for last in np.unique(np.linspace(1, len(errors), _LOOKS).astype(int)):
        verdict = judge(prediction, errors[:last], int(accepted[1:last].sum())).verdict
        if verdict is not Verdict.CANNOT_TELL and verdicts[-1:] != [verdict]:
            verdicts.append(str(verdict))
    return judge(prediction, errors, int(accepted[1:].sum())).inside, r_squared, prediction.tau[0], verdicts


if __name__ == "__main__":
    typer.run(main)
