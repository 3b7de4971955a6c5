"""The learning curves of several runs over each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from labcontrol.analysis.plots.axes_content import PALETTE, thinned
from labcontrol.analysis.plots.figure_files import new_figure, write_figure
from labcontrol.errors import UserError
from labcontrol.learning import strategy_label
from labcontrol.records import RunReader, reading


def save_comparison_figure(records: Sequence[Path], path: Path) -> None:
    """Draw the incumbent's loss of each record over epochs and over replays: .png, .svg or .pdf. Raises UserError."""
    figure = new_figure(11, 5)
    by_epoch, by_replay = figure.subplots(1, 2, sharey=True)
    losses = set()
    for k, record in enumerate(records):
        with reading(record) as run:
            if len(run.epochs):
                _draw(by_epoch, by_replay, run, PALETTE.overlays[k % len(PALETTE.overlays)])
                losses.add(run.loss)
    if not losses:
        raise UserError("None of these runs has an epoch yet, so there is nothing to draw.")
    by_epoch.set_xlabel("epochs (masks measured)")
    by_replay.set_xlabel("replays (passes through the sequence)")
    by_epoch.set_ylabel(f"error of the incumbent ({' or '.join(sorted(losses))})")
    figure.legend(*by_epoch.get_legend_handles_labels(), loc="outside lower center", fontsize=8)
    for axes in (by_epoch, by_replay):
        axes.set_yscale("log")
        axes.grid(alpha=0.25)
    write_figure(figure, path)


def _draw(by_epoch: Axes, by_replay: Axes, run: RunReader, colour: str) -> None:
    errors = run.incumbent_errors()
    shown = thinned(len(errors))
    masks_shown = np.arange(1, len(errors) + 1)
    replays = np.cumsum(np.diff(run.epochs.replay, prepend=-1) > 0)
    label = f"{run.path.stem}, {strategy_label(run.experiment['learning'])}"
    for axes, x in ((by_epoch, masks_shown), (by_replay, replays)):
        axes.plot(x[shown], errors[shown], color=colour, lw=1.8, drawstyle="steps-post", label=label)
