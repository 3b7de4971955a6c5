"""The figure of a run: learning against its prediction, output against target, and the mask."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labcontrol.analysis.plots.axes_content import (
    EPOCH,
    draw_learning,
    draw_mask,
    draw_output,
    draw_ratios,
    shown_output,
)
from labcontrol.analysis.plots.figure_files import new_figure
from labcontrol.analysis.run_models import RunModels, record_models
from labcontrol.config import with_moved_settings
from labcontrol.errors import UserError
from labcontrol.learning import strategy_class, strategy_label
from labcontrol.records import RunReader

_MOST_OPTIONS = 3  # beyond, only those that were changed are listed


def run_figure(run: RunReader) -> Figure:
    """One page about a run with at least one epoch, finished or not. Raises UserError for one without."""
    if not len(run.epochs):
        raise UserError(f"{run.path} has no epoch yet, so there is nothing to draw.", "Wait for the first one.")
    figure = new_figure(12, 7.5)
    grid = figure.add_gridspec(3, 3, height_ratios=(3.2, 1.1, 1.9), width_ratios=(1, 1, 0.75))
    models = record_models(run)
    learning = figure.add_subplot(grid[0, :2] if models.shown else grid[:2, :2])
    output, mask, facts = (figure.add_subplot(grid[place]) for place in ((2, slice(0, 2)), (2, 2), (slice(0, 2), 2)))
    draw_learning(learning, run, models)
    learning.set_title(models.verdict.text or models.remark, fontsize=10, loc="left")
    learning.legend(loc="upper right", fontsize=9, framealpha=0.9)
    if models.shown:
        learning.tick_params(labelbottom=False)
        draw_ratios(figure.add_subplot(grid[1, :2], sharex=learning), models)
    else:
        learning.set_xlabel(EPOCH)
    _output(output, run)
    _mask(mask, run)
    _write_facts(facts, run, models)
    figure.suptitle(_title(run), fontsize=15, fontweight="bold", x=0.01, ha="left")
    return figure


def _title(run: RunReader) -> str:
    task = Path(run.experiment["task"]["name"]).stem
    return f"{task}, {run.neurons} neurons, {run.steps} steps, {strategy_label(run.experiment['learning'])}"


def _output(axes: Axes, run: RunReader) -> None:
    output, target, part = shown_output(run)
    draw_output(axes, output, target)
    axes.set_title(part, fontsize=10, loc="left")
    axes.legend(loc="upper right", fontsize=8, ncols=3)


def _mask(axes: Axes, run: RunReader) -> None:
    mask, which = run.last_mask()
    draw_mask(axes, mask)
    axes.set_title(f"{which} mask: {int(mask.sum())} of {run.neurons} on", fontsize=10, loc="left")


def _write_facts(axes: Axes, run: RunReader, models: RunModels) -> None:
    axes.axis("off")
    result = run.result
    options = with_moved_settings(run.experiment["learning"]).get("options", {})
    if len(options) > _MOST_OPTIONS:
        usual = strategy_class(run.experiment["learning"]["strategy"]).Settings().model_dump()
        options = {key: value for key, value in options.items() if key not in usual or value != usual[key]}
    lines = [
        ("bench", run.config["bench"]["name"]),
        ("seed", str(run.experiment["seed"])),
        *((key, str(value)) for key, value in options.items()),
        ("loss", run.loss),
        ("epochs", f"{len(run.epochs)} ({run.state.name})"),
    ]
    if result is not None:
        for part in ("train", "test"):
            if result.get(part):
                lines.append((f"{part} nmse", f"{result[part]['nmse']:.4g}"))
                lines.append((f"{part} mse", f"{result[part]['mse']:.4g}"))
    if models.fits is not None:
        lines.append(("best shape (AIC)", models.fits.best.form))
    lines.append(("recorded", f"{datetime.fromtimestamp(run.states[0].unix_s):%Y-%m-%d %H:%M}"))
    for row, (name, value) in enumerate(lines):
        height = 0.97 - 0.066 * row
        axes.text(0.06, height, name, color="0.4", fontsize=10, transform=axes.transAxes, va="top")
        axes.text(0.56, height, value, fontsize=10, transform=axes.transAxes, va="top")
