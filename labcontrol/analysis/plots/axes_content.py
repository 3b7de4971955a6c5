"""What figures and reports of runs draw: each function fills one pair of axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from labcontrol.analysis.curve_facts import MEASURED, MODELS, OVERLAYS_LIGHT, LineStyle
from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.run_models import RunModels
from labcontrol.records import RunReader

Floats = NDArray[np.float64]

SHOWN_STEPS = 100
EPOCH = "epoch (one mask measured)"
_FEWEST_FOR_PIXELS = 3000  # of single dots: as many are drawn as an image
_FARTHEST_RATIO = 10.0
_LINES: dict[LineStyle | None, str | tuple[int, tuple[float, ...]]] = {
    LineStyle.SOLID: "-",
    LineStyle.DASHED: "--",
    LineStyle.DASH_DOT: "-.",
    LineStyle.DASH_DOT_DOT: (0, (6, 2, 1, 2, 1, 2)),
    LineStyle.DOTTED: ":",
}


@dataclass(frozen=True)
class Palette:
    """Colours by use. curves: by key, of what was measured and of the models."""

    curves: Mapping[str, str] = field(
        default_factory=lambda: {key: facts.light for key, facts in (MEASURED | MODELS).items()}
    )
    text: str = "#222222"
    muted: str = "#999999"
    danger: str = "#b3261e"
    overlays: tuple[str, ...] = OVERLAYS_LIGHT


PALETTE = Palette()


def thinned(length: int, points: int = 2000) -> NDArray[np.int64]:
    """Indices of at most so many of `length` points, the first and the last among them."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(length, points)).astype(np.int64))


def draw_learning(axes: Axes, run: RunReader, models: RunModels, palette: Palette = PALETTE) -> None:
    """Loss of each mask and of the incumbent, beside all models, on a logarithmic axis."""
    every = run.epochs.error(run.loss)
    rasterized = len(every) > _FEWEST_FOR_PIXELS
    each, best = MEASURED["each"].name, MEASURED["incumbent"].name
    axes.plot(every, ".", ms=2.5, color=palette.curves["each"], label=each, rasterized=rasterized, zorder=1)
    k = thinned(len(models.epochs))
    epochs = models.epochs[k]
    for key, model in models.shown.items():
        if model.band is not None and MODELS[key].shaded:
            axes.fill_between(epochs, *model.band(epochs), color=palette.curves[key], alpha=0.15, lw=0)
        _draw_model(axes, model, epochs, model.values(epochs), palette, label=model.label)
    axes.plot(
        epochs, models.incumbent[k], color=palette.curves["incumbent"], lw=2.2, label=best, drawstyle="steps-post",
        zorder=5,
    )  # fmt: skip
    _logarithmic(axes, models.incumbent, every)
    axes.set_xlim(0, max(1, len(every) - 1))
    axes.set_ylabel(f"error ({run.loss})")
    axes.grid(alpha=0.25)


def draw_ratios(axes: Axes, models: RunModels, palette: Palette = PALETTE) -> None:
    """The incumbent's loss over that of each model, as the window shows it on a logarithmic axis."""
    k = thinned(len(models.epochs))
    epochs, measured = models.epochs[k], models.incumbent[k]
    reach = 1.1
    for model in models.shown.values():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(epochs <= model.until, measured / model.values(epochs), np.nan)
        _draw_model(axes, model, epochs, ratio, palette)
        seen = np.abs(np.log(ratio[np.isfinite(ratio) & (ratio > 0)]))
        reach = max(reach, math.exp(float(seen.max()))) if seen.size else reach
    axes.axhline(1, color=palette.muted, lw=0.8, zorder=0)
    axes.set_yscale("log")
    reach = min(reach, _FARTHEST_RATIO)
    axes.set_ylim(1 / reach, reach)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("measured / model")
    axes.set_xlabel(EPOCH)
    axes.grid(alpha=0.25)


def _draw_model(
    axes: Axes, model: ModelCurve, epochs: Floats, values: Floats, palette: Palette, label: str = ""
) -> None:
    within = epochs <= model.until
    style, colour = _LINES[MODELS[model.key].line], palette.curves[model.key]
    axes.plot(epochs[within], values[within], linestyle=style, color=colour, lw=1.6, label=label or None)


def draw_output(
    axes: Axes, output: NDArray[np.floating], target: Floats, palette: Palette = PALETTE, steps: int = SHOWN_STEPS
) -> None:
    """The first steps of an output (T,), standardised, with the target (T,) and the difference."""
    scaled = standardised_output(output)
    shown = slice(0, steps)
    axes.plot(target[shown], color=palette.text, lw=2.4, alpha=0.45, label="target")
    axes.plot(scaled[shown], color=palette.curves["incumbent"], lw=1.3, label="output of the table")
    axes.plot((scaled - target)[shown], color=palette.curves["prediction"], lw=0.9, label="error")
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
    """The output to show, with its target and which it is: of the test part, else of the incumbent.

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
