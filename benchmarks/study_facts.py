"""What a finished scaling study says, size by size, beside Law 1.

Printed for each rule and loss: tau/N and k(5 %)/N (means over runs), R2 of the exponential for single runs and for the
mean curve of all runs of a size, and how far the mean curve is from the coverage of the rule at most, in percent of the
start value. For the normalised error the exponent of tau is printed again for starts that are correlated with the
target (error below 2) and anticorrelated, which learn by different laws; and with --tables, what the states of the
default table are made of: the strongest mode's share of the variance, the share of the target that lies along it, and
that along the first ten.

    labcontrol scaling --states planted --output scaling/planted
    python benchmarks/study_facts.py scaling/planted
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from labcontrol.config import ExperimentConfig
from labcontrol.theory import coverage, modes_of_states
from labcontrol.theory.measured import table_states
from labcontrol.theory.scaling import Group, load_study

_ANTICORRELATED = 2.0  # normalised errors above it


def main(
    directory: Path,
    tables: Annotated[int, typer.Option(help="Tables of each size whose modes are measured.")] = 0,
) -> None:
    """Print the facts of the study in DIRECTORY."""
    study = load_study(directory)
    table = Table(
        "selection", "loss", "neurons", "runs", "tau/N", "k(5 %)/N", "R2 of runs", "R2 of mean", "from coverage",
        title=f"{study.states} states",
    )  # fmt: skip
    for group in study.groups:
        for neurons in group.sizes:
            table.add_row(group.selection, group.loss, str(neurons), *_facts(group, neurons, study.grid))
    Console().print(table)
    for row in study.as_json()["exponents"]:
        print(
            f"{row['selection']:>8} {row['loss']:>5} exponent of {row['quantity']}: "
            f"{row['value']:.3f} ({row['low']:.3f} ... {row['high']:.3f})"
        )
    for group in study.groups:
        if group.loss == "nmse":
            _print_by_start(group)
    for neurons in sorted({cell.neurons for cell in study.cells}) if tables else ():
        _print_modes(neurons, tables)


def _print_by_start(group: Group) -> None:
    for name, anticorrelated in (("correlated", False), ("anticorrelated", True)):
        kept = {
            n: tuple(r for r in results if (r.start > _ANTICORRELATED) == anticorrelated)
            for n, results in group.results.items()
        }
        sizes = tuple(n for n in group.sizes if kept[n])
        exponent = replace(group, sizes=sizes, results=kept).exponent("tau")
        if exponent is not None:
            tau = ", ".join(f"{np.nanmedian([r.tau for r in kept[n]]):.0f} at {n}" for n in sizes)
            print(
                f"{group.selection:>8} nmse, {name} starts: exponent of tau {exponent.value:.2f} "
                f"({exponent.low:.2f} ... {exponent.high:.2f}); median tau {tau}"
            )


def _print_modes(neurons: int, tables: int) -> None:
    shares, first, ten = [], [], []
    for seed in range(1, tables + 1):
        states = table_states(ExperimentConfig(neurons=neurons, seed=seed)).states
        modes = modes_of_states(states, "mse")
        shares.append(modes.strengths[0] / modes.strengths.sum())
        along = (modes.vectors.T @ states.overlaps) ** 2 / modes.strengths
        first.append(along[0])
        ten.append(along[:10].sum())
    print(
        f"N = {neurons}: strongest mode {np.mean(shares):.3f} of the variance; of the target, {np.mean(first):.3f} "
        f"along it, {np.mean(ten):.3f} along the first ten"
    )


def _facts(group: Group, neurons: int, grid: np.ndarray) -> tuple[str, ...]:
    tau, k5, r2 = (group.values(name)[neurons] for name in ("tau", "k5", "r2"))
    mean = group.collapsed[neurons]
    # Judged on equal steps of time, as the fit of a run is, and with the mean of its parameters.
    even = np.linspace(0, grid[-1], 200)
    curve = np.interp(even, grid, mean)
    exponential = np.exp(-even / np.nanmean(tau / neurons))
    slope, offset = np.polyfit(exponential, curve, 1)
    residual = curve - slope * exponential - offset
    of_mean = 1 - np.sum(residual**2) / np.sum((curve - curve.mean()) ** 2)
    try:
        distance = f"{100 * np.max(np.abs(mean - coverage(group.selection, neurons, grid * neurons))):.1f} %"
    except Exception:  # rules that need amplitudes
        distance = "-"
    return (
        str(len(tau)), f"{np.nanmean(tau) / neurons:.3f}", f"{np.nanmean(k5) / neurons:.3f}",
        f"{np.nanmean(r2):.4f}", f"{of_mean:.4f}", distance,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
