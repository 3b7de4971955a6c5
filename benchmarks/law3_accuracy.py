"""How well Law 3 predicts the mean learning curve of the default table before a run.

For each size and table, the states are measured neuron by neuron, Law 3 is computed from them, and the same rule is run
on them many times by the twin. Printed is the root mean square of ln(predicted / mean measured) between 0.1 and 6 N
epochs, as a percentage; in brackets the worst table. The last column is the time of one prediction.

    python benchmarks/law3_accuracy.py --neurons 225,900 --tables 4
"""

from __future__ import annotations

import time
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.theory import MEAN_FIELD_SELECTIONS, mean_field, modes_of_states, twin_ensemble
from labcontrol.theory.measured import table_states

SWEEPS = 6
AT = np.geomspace(0.1, SWEEPS, 60)


def main(
    neurons: Annotated[str, typer.Option(help="Sizes, separated by commas.")] = "225,900",
    tables: Annotated[int, typer.Option(help="Tables of each size.")] = 4,
    runs: Annotated[int, typer.Option(help="Runs of the twin on each.")] = 32,
    noise: Annotated[bool, typer.Option(help="With the detector noise of the table.")] = False,
) -> None:
    """Print the deviation of Law 3 for each size, rule and error."""
    table = Table("neurons", "selection", "loss", "rms of ln", "at 0.25, 0.5, 1, 2, 4 N: twin", "Law 3", "s")
    for size in map(int, neurons.split(",")):
        experiments = [ExperimentConfig(neurons=size, seed=seed) for seed in range(1, tables + 1)]
        measured = [table_states(one) for one in track(experiments, f"N = {size}", console=Console(stderr=True))]
        for loss in ("mse", "nmse"):
            for selection in MEAN_FIELD_SELECTIONS:
                learning = LearningConfig(options={"selection": selection}, loss=loss)
                deviations, means, laws, seconds = [], [], [], []
                for one in measured:
                    noise_std = one.noise_std if noise else 0.0
                    ensemble = twin_ensemble(
                        one.states, learning, epochs=SWEEPS * size, seeds=range(runs), noise_std=noise_std
                    )
                    started_s = time.perf_counter()
                    modes = modes_of_states(one.states, loss)
                    law = mean_field(modes, learning, epochs=SWEEPS * size, noise_std=noise_std)
                    seconds.append(time.perf_counter() - started_s)
                    epochs = AT * size
                    twin = np.interp(epochs, np.arange(SWEEPS * size + 1), ensemble.mean)
                    deviations.append(np.sqrt(np.mean(np.log(law.at(epochs) / twin) ** 2)))
                    few = np.array([0.25, 0.5, 1, 2, 4]) * size
                    means.append(np.interp(few, np.arange(SWEEPS * size + 1), ensemble.mean))
                    laws.append(law.at(few))
                table.add_row(
                    str(size), selection, loss,
                    f"{100 * np.mean(deviations):.1f} % ({100 * np.max(deviations):.1f})",
                    _four(np.mean(means, axis=0)), _four(np.mean(laws, axis=0)), f"{np.mean(seconds):.1f}",
                )  # fmt: skip
    Console().print(table)


def _four(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in values)


if __name__ == "__main__":
    typer.run(main)
