"""The figure of a study: error against replays and against time, one row for each size of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from labcontrol.analysis.compare import DEFAULT_CONTENDERS, Study, median_ceilings
from labcontrol.analysis.compare.study_summary import Axis, curves, positions_of
from labcontrol.analysis.plots.figure_files import new_figure, write_figure

# Okabe and Ito's palette and some beyond it: every default contender has the same colour in every figure.
_PALETTE = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#8C6D31",
    "#777777",
    "#222222",
    "#7B3294",
)
_COLOURS = dict(zip((*DEFAULT_CONTENDERS, "quadratic-identification"), _PALETTE, strict=True))
_CEILINGS = (
    ("strong_train", "-.", "best mask found offline, output as strong as a random mask's"),
    ("mask_train", "--", "best mask found offline, of any strength"),
    ("ridge_train", ":", "real-valued weights (ridge)"),
)
_POINTS = 400
_TIMES = (
    (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (36_000, "10 h"), (86_400, "1 d"),
    (864_000, "10 d"),
)  # fmt: skip
_WORST_SHOWN = 2.0  # nmse of an output that has nothing to do with the target


def save_study_figure(study: Study, path: Path) -> Path:
    """Draw a study that is complete as PNG. Returns the path."""
    write_figure(study_figure(study), path)
    return path


def study_figure(study: Study) -> Figure:
    """Medians over seeds with a band from the lower to the upper quartile; ceilings as lines across."""
    settings = study.settings
    rows = len(settings.noise)
    figure = new_figure(13, 3.7 * rows + 1.6)
    panels = figure.subplots(rows, 2, squeeze=False, sharex="col", sharey=True)
    for line, noise in zip(panels, settings.noise, strict=True):
        _draw(line[0], study, noise, "replays")
        _draw(line[1], study, noise, "seconds")
        line[0].set_ylabel("train nmse, judged without noise")
        noise_text = f"detector noise {100 * noise:g} % of the output's spread" if noise else "no detector noise"
        line[0].set_title(noise_text, loc="left")
    panels[-1][0].set_xlabel("replays of the training sequence")
    panels[-1][1].set_xlabel("time on the modelled set-up, computing included")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    experiment, timing = settings.experiment, settings.timing
    figure.suptitle(
        f"{experiment.neurons} neurons, {experiment.task.steps} steps of {Path(experiment.task.name).stem}, "
        f"{settings.readout} readout: medians and quartiles of {len(settings.seeds)} seeds\n"
        f"{experiment.learning.masks_per_replay} masks a replay; SLM settles in {1e3 * timing.slm_settle_s:.3g} ms, "
        f"DMD {timing.dmd_rate_hz / 1e3:g} kHz, detector {timing.detector_rate_hz / 1e6:g} MS/s",
        x=0.01, ha="left", fontsize=13,
    )  # fmt: skip
    return figure


def _draw(axes: Axes, study: Study, noise: float, axis: Axis) -> None:
    settings = study.settings
    for k, name in enumerate(settings.contenders):
        colour, style = (_COLOURS[name], "-") if name in _COLOURS else (_PALETTE[k % len(_PALETTE)], "--")
        trials = study.trials(name, noise)
        positions = [positions_of(trial, axis, settings) for trial in trials]
        starts = [position[:2][-1] for position in positions]  # the first proposal is the same initial mask for all
        ends = [position[-1] for position in positions]
        grid = np.geomspace(max(starts) * (1 + 1e-9), max(max(ends), max(starts) * 1.01), _POINTS)
        low, middle, high = np.nanquantile(curves(trials, axis, settings, grid), [0.25, 0.5, 0.75], axis=0)
        axes.fill_between(grid, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(grid, middle, color=colour, linestyle=style, linewidth=1.8, label=name)
        axes.plot(grid[-1], middle[-1], "o", color=colour, markersize=4.5)
    limits = median_ceilings(study)
    for key, style, label in _CEILINGS:
        axes.axhline(limits[key], color="black", linestyle=style, linewidth=1, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(0.5 * limits["ridge_train"], _WORST_SHOWN)
    if axis == "seconds":
        axes.axhline(settings.target, color="grey", linewidth=0.8, zorder=0)
        axes.annotate(
            f"{settings.target:g}", (1, settings.target), xycoords=("axes fraction", "data"), color="grey",
            xytext=(3, 0), textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
        axes.xaxis.set_major_locator(FixedLocator([seconds for seconds, _ in _TIMES]))
        axes.xaxis.set_major_formatter(FixedFormatter([text for _, text in _TIMES]))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(visible=True, which="major", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
