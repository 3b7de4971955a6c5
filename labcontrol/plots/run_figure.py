"""The figure of a run: learning against its prediction, output against target, and the mask."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from labcontrol.plots.curves import PredictionCurves, prediction_curves
from labcontrol.records import RunReader

# Okabe and Ito's palette: distinguishable with every kind of colour vision.
MEASURED, LAW2, LAW1, FIT, FAINT = "#0072B2", "#D55E00", "#CC79A7", "#222222", "#9ecae1"
_SHOWN_STEPS = 100


def save_run_figure(record: Path) -> list[Path]:
    """Draw a record as PNG and SVG beside it. Returns the two paths."""
    with RunReader(record) as run:
        figure = run_figure(run)
    paths = [record.with_suffix(suffix) for suffix in (".png", ".svg")]
    for path in paths:
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def run_figure(run: RunReader) -> Figure:
    """One page about a run with at least one epoch, finished or not."""
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 3, height_ratios=(3.2, 1.1, 1.9), width_ratios=(1, 1, 0.75))
    learning = figure.add_subplot(grid[0, :2])
    residual = figure.add_subplot(grid[1, :2], sharex=learning)
    output, mask, facts = (figure.add_subplot(grid[place]) for place in ((2, slice(0, 2)), (2, 2), (slice(0, 2), 2)))
    curves = prediction_curves(run)
    measured = run.incumbent_errors()
    _draw_learning(learning, run, measured, curves)
    _draw_residual(residual, measured, curves)
    _draw_output(output, run)
    _draw_mask(mask, run)
    _write_facts(facts, run, curves)
    experiment = run.experiment
    figure.suptitle(
        f"{Path(experiment['task']['name']).stem}, {run.neurons} neurons, {run.steps} steps, "
        f"{experiment['learning']['selection']} selection",
        fontsize=15,
        fontweight="bold",
        x=0.01,
        ha="left",
    )
    return figure


def _draw_learning(axes: Axes, run: RunReader, measured: NDArray[np.float64], curves: PredictionCurves | None) -> None:
    every = run.epochs.error(run.loss)
    epochs = np.arange(len(every))
    axes.plot(epochs, every, ".", ms=2.5, color=FAINT, label="each mask measured", rasterized=True, zorder=1)
    if curves is not None:
        low, high = curves.law2_low, curves.law2_high
        axes.fill_between(curves.epochs, low, high, color=LAW2, alpha=0.15, lw=0)
        law = curves.law
        axes.plot(
            curves.epochs,
            curves.law2,
            color=LAW2,
            lw=2,
            label=f"Law 2, predicted from {len(law.mirrors)} flips: τ = {law.tau:.3g} epochs",
        )
        axes.plot(curves.epochs, curves.law1, ":", color=LAW1, lw=1.8, label="Law 1, coverage of the selection rule")
        if curves.fit is not None:
            tau, low_tau, high_tau = curves.fit.tau
            axes.plot(
                curves.epochs,
                curves.fit.curve(curves.epochs),
                "--",
                color=FIT,
                lw=1.3,
                label=f"exponential fit: τ = {tau:.3g} ({low_tau:.3g} to {high_tau:.3g}), "
                f"R² = {curves.fit.r_squared:.4f}",
            )
    axes.plot(epochs, measured, color=MEASURED, lw=2.2, label="incumbent mask", drawstyle="steps-post", zorder=5)
    axes.set_yscale("log")
    top = 1.6 * float(np.nanmax(measured))
    axes.set_ylim(0.5 * float(np.nanmin(measured)), max(top, 1.2 * float(np.nanpercentile(every, 95))))
    axes.set_xlim(0, max(1, len(every) - 1))
    axes.set_ylabel(f"error ({run.loss})")
    axes.grid(alpha=0.25)
    axes.legend(loc="upper right", fontsize=9, framealpha=0.9)
    axes.tick_params(labelbottom=False)


def _draw_residual(axes: Axes, measured: NDArray[np.float64], curves: PredictionCurves | None) -> None:
    if curves is not None:
        axes.plot(curves.epochs, measured - curves.law2, color=LAW2, lw=1.2, label="measured − Law 2")
        if curves.fit is not None:
            difference = measured - curves.fit.curve(curves.epochs)
            axes.plot(curves.epochs, difference, "--", color=FIT, lw=1, label="measured − fit")
        axes.legend(loc="upper right", fontsize=8, ncols=2)
    axes.axhline(0, color="0.6", lw=0.8, zorder=0)
    axes.set_ylabel("residual")
    axes.set_xlabel("epoch (one mask on one replay of the sequence)")
    axes.grid(alpha=0.25)


def _draw_output(axes: Axes, run: RunReader) -> None:
    """The test part where there is one, else the end of the last epoch."""
    tested = run.test_output is not None and len(run.test_target) > 0
    if tested and run.test_output is not None:
        output, target, part = run.test_output, run.test_target, "test part, not used for learning"
    else:
        output, target, part = run.epochs.outputs(len(run.epochs) - 1)[0], run.target, "training part, last epoch"
    shown = slice(0, _SHOWN_STEPS)
    scaled = output.astype(np.float64) - output.mean(dtype=np.float64)
    scaled /= scaled.std() or 1.0
    axes.plot(target[shown], color=FIT, lw=2.4, alpha=0.45, label="target")
    axes.plot(scaled[shown], color=MEASURED, lw=1.3, label="output of the table")
    axes.plot((scaled - target)[shown], color=LAW2, lw=0.9, label="error")
    axes.set_title(part, fontsize=10, loc="left")
    axes.set_xlabel("step")
    axes.set_ylabel("standard deviations")
    axes.grid(alpha=0.25)
    axes.legend(loc="upper right", fontsize=8, ncols=3)


def _draw_mask(axes: Axes, run: RunReader) -> None:
    final = run.final_mask
    mask = final if final is not None else run.initial_mask
    side = round(run.neurons**0.5)
    axes.imshow(mask.reshape(side, side), cmap="gray", interpolation="nearest", vmin=0, vmax=1)
    which = "final mask" if final is not None else "initial mask"
    axes.set_title(f"{which}: {int(mask.sum())} of {run.neurons} mirrors on", fontsize=10, loc="left")
    axes.set_xticks([])
    axes.set_yticks([])


def _write_facts(axes: Axes, run: RunReader, curves: PredictionCurves | None) -> None:
    axes.axis("off")
    learning, result = run.experiment["learning"], run.result
    lines = [
        ("bench", run.config["bench"]["name"]),
        ("seed", str(run.experiment["seed"])),
        ("acceptance", learning["acceptance"]),
        ("loss", run.loss),
        ("epochs", f"{len(run.epochs)} ({run.state.name})"),
    ]
    if result is not None:
        for part in ("train", "test"):
            if result.get(part):
                lines.append((f"{part} nmse", f"{result[part]['nmse']:.4g}"))
                lines.append((f"{part} mse", f"{result[part]['mse']:.4g}"))
    if curves is not None:
        law = curves.law
        lines.append(("κ, predicted", f"{law.kappa:.2f} ± {1.96 * law.kappa_error:.2f}"))
        if curves.fit is not None:
            lines.append(("κ, fitted", f"{run.neurons / curves.fit.tau[0]:.2f}"))
            lines.append(("best shape (AIC)", curves.best_shape))
    lines.append(("recorded", f"{datetime.fromtimestamp(run.states[0].unix_s):%Y-%m-%d %H:%M}"))
    for row, (name, value) in enumerate(lines):
        height = 0.97 - 0.066 * row
        axes.text(0.06, height, name, color="0.4", fontsize=10, transform=axes.transAxes, va="top")
        axes.text(0.56, height, value, fontsize=10, transform=axes.transAxes, va="top")
