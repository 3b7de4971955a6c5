"""What figures and reports of runs draw: each function fills one pair of axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from labcontrol.analysis.plots.curves import PredictionCurves, thinned
from labcontrol.records import RunReader

Floats = NDArray[np.float64]

SHOWN_STEPS = 100
EPOCH = "epoch (one mask measured)"
_FEWEST_FOR_PIXELS = 3000  # of single dots: as many are drawn as an image


@dataclass(frozen=True)
class Palette:
    """Colours by use; by default those of Okabe and Ito, distinguishable with every kind of colour vision."""

    measured: str = "#0072B2"
    law2: str = "#D55E00"
    law1: str = "#CC79A7"
    law3: str = "#009E73"
    fit: str = "#222222"
    faint: str = "#9ecae1"
    muted: str = "#999999"
    overlays: tuple[str, ...] = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")


PALETTE = Palette()


def draw_learning(axes: Axes, run: RunReader, curves: PredictionCurves, palette: Palette = PALETTE) -> None:
    """Loss of each mask and of the incumbent, beside laws and fit, on a logarithmic axis."""
    every = run.epochs.error(run.loss)
    rasterized = len(every) > _FEWEST_FOR_PIXELS
    axes.plot(every, ".", ms=2.5, color=palette.faint, label="each mask measured", rasterized=rasterized, zorder=1)
    k = thinned(len(curves.epochs))
    epochs = curves.epochs[k]
    law, fit = curves.law, curves.fit
    if law is not None and curves.law2 is not None and curves.law2_low is not None and curves.law2_high is not None:
        axes.fill_between(epochs, curves.law2_low[k], curves.law2_high[k], color=palette.law2, alpha=0.15, lw=0)
        label = f"Law 2, predicted from {len(law.mirrors)} flips: τ = {law.tau:.3g} flips"
        axes.plot(epochs, curves.law2[k], color=palette.law2, lw=2, label=label)
    if curves.law1 is not None:
        label = "Law 1, coverage of the selection rule"
        axes.plot(epochs, curves.law1[k], ":", color=palette.law1, lw=1.8, label=label)
    if curves.law3 is not None:
        label = "Law 3, mean field, from the same flips"
        axes.plot(epochs, curves.law3[k], "-.", color=palette.law3, lw=1.8, label=label)
    if fit is not None:
        tau, low, high = fit.tau
        label = f"exponential fit: τ = {tau:.3g} ({low:.3g} to {high:.3g}), R² = {fit.r_squared:.4f}"
        axes.plot(epochs, fit.curve(epochs), "--", color=palette.fit, lw=1.3, label=label)
    axes.plot(
        epochs, curves.measured[k], color=palette.measured, lw=2.2, label="incumbent mask", drawstyle="steps-post",
        zorder=5,
    )  # fmt: skip
    _logarithmic(axes, curves.measured, every)
    axes.set_xlim(0, max(1, len(every) - 1))
    axes.set_ylabel(f"error ({run.loss})")
    axes.grid(alpha=0.25)


def draw_residual(axes: Axes, curves: PredictionCurves, palette: Palette = PALETTE) -> None:
    """What laws and fit leave of the incumbent's loss."""
    k = thinned(len(curves.epochs))
    epochs, measured = curves.epochs[k], curves.measured[k]
    if curves.law2 is not None:
        axes.plot(epochs, measured - curves.law2[k], color=palette.law2, lw=1.2, label="measured − Law 2")
    if curves.law3 is not None:
        axes.plot(epochs, measured - curves.law3[k], "-.", color=palette.law3, lw=1.2, label="measured − Law 3")
    if curves.fit is not None:
        difference = measured - curves.fit.curve(epochs)
        axes.plot(epochs, difference, "--", color=palette.fit, lw=1, label="measured − fit")
    axes.axhline(0, color=palette.muted, lw=0.8, zorder=0)
    axes.set_ylabel("residual")
    axes.set_xlabel(EPOCH)
    axes.grid(alpha=0.25)


def draw_output(
    axes: Axes, output: NDArray[np.floating], target: Floats, palette: Palette = PALETTE, steps: int = SHOWN_STEPS
) -> None:
    """The first steps of an output (T,), standardised, with the target (T,) and the difference."""
    scaled = standardised_output(output)
    shown = slice(0, steps)
    axes.plot(target[shown], color=palette.fit, lw=2.4, alpha=0.45, label="target")
    axes.plot(scaled[shown], color=palette.measured, lw=1.3, label="output of the table")
    axes.plot((scaled - target)[shown], color=palette.law2, lw=0.9, label="error")
    axes.set_xlabel("step")
    axes.set_ylabel("standard deviations")
    axes.set_xlim(0, max(1, min(steps, len(target)) - 1))
    axes.grid(alpha=0.25)


def draw_mask(axes: Axes, mask: NDArray[np.bool_]) -> None:
    """Mirrors in their square; white is on."""
    side = math.isqrt(len(mask) - 1) + 1  # of a size that is no square, the rest of the last rows stays empty
    cells = np.full(side * side, np.nan)
    cells[: len(mask)] = mask
    axes.imshow(cells.reshape(side, side), cmap="gray", interpolation="nearest", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])


def standardised_output(output: NDArray[np.floating]) -> Floats:
    """(T,) without its mean, in units of its standard deviation."""
    centred = output.astype(np.float64) - output.mean(dtype=np.float64)
    return np.asarray(centred / (centred.std() or 1.0))


def shown_output(run: RunReader) -> tuple[NDArray[np.float32], Floats, str]:
    """The output to look at, with its target and a word of what it is: of the test part, else of the incumbent.

    Needs at least one epoch.
    """
    if run.test_output is not None and len(run.test_target):
        return run.test_output, run.test_target, "test part, not used for learning"
    best = max(int(run.epochs.incumbent_epochs()[-1]), 0)
    return run.epochs.outputs(best, best + 1)[0], run.target, f"training part, incumbent of epoch {best}"


def _logarithmic(axes: Axes, measured: Floats, every: Floats) -> None:
    """Limits from what was measured: predictions may run out of the picture."""
    positive = [values[np.isfinite(values) & (values > 0)] for values in (measured, every)]
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not positive[0].size:
        return
    axes.set_yscale("log")
    top = max(1.6 * float(positive[0].max()), 1.2 * float(np.percentile(positive[1], 95)))
    axes.set_ylim(0.5 * float(positive[0].min()), top)
