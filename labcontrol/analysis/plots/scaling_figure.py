"""The figure of a scaling study: learning time against N, and all learning curves over k/N."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter

from labcontrol.analysis.curve_facts import series_colours
from labcontrol.analysis.plots.axes_content import PALETTE
from labcontrol.analysis.plots.figure_files import new_figure, write_figure
from labcontrol.analysis.scaling_verdict import scaling_verdict
from labcontrol.errors import UserError
from labcontrol.theory import coverage
from labcontrol.theory.scaling import Group, Study

_LABELS = {"tau": "τ  (epochs)", "k5": "k(5 %)  (epochs)"}
_MARKERS = "osvD^ph*"  # as the window has them
_LEAST_EXCESS = 2e-3


def save_scaling_figure(study: Study, path: Path) -> Path:
    """Draw a study to a .png, .svg or .pdf file. Raises UserError."""
    write_figure(scaling_figure(study), path)
    return path


def scaling_figure(study: Study) -> Figure:
    """Above: tau and k(5 %) against N with exponents. Below: curves over k/N, a row for each loss, a column for a rule.

    Raises UserError for a study without a finished cell.
    """
    if not study.groups:
        raise UserError("The study has no finished cell yet, so there is nothing to draw.")
    losses = list(dict.fromkeys(group.loss for group in study.groups))
    selections = list(dict.fromkeys(group.selection for group in study.groups))
    figure = new_figure(max(10, 4 * len(selections)), 5 + 3.2 * len(losses))
    parts: Any = figure.subfigures(2, 1, height_ratios=(4.6, 3.2 * len(losses)))
    above, below = parts
    for axes, quantity in zip(above.subplots(1, 2), _LABELS, strict=True):
        _draw_scaling(axes, study, quantity)
    panels = below.subplots(len(losses), len(selections), sharex=True, sharey=True, squeeze=False)
    for group in study.groups:
        _draw_collapsed(panels[losses.index(group.loss), selections.index(group.selection)], study, group)
    for axes in panels[:, 0]:
        axes.set_ylabel("share of the excess error")
    for axes in panels[-1]:
        axes.set_xlabel("epochs / N")
    judged = scaling_verdict([group.exponent("tau") for group in study.groups]).text
    above.suptitle(f"{study.states} states: learning time against the number of neurons: {judged}", fontsize=13)
    return figure


def _draw_scaling(axes: Axes, study: Study, quantity: str) -> None:
    sizes = sorted({n for group in study.groups for n in group.sizes})
    for k, group in enumerate(study.groups):
        colours = series_colours(dark=False)
        colour, marker = colours[k % len(colours)], _MARKERS[k % len(_MARKERS)]
        exponent = group.exponent(quantity)
        label = f"{group.selection}, {group.loss}"
        if exponent is not None:
            label += f": {exponent.value:.2f} ({exponent.low:.2f} … {exponent.high:.2f})"
            ends = np.array([group.sizes[0], group.sizes[-1]], dtype=float)
            axes.plot(ends, exponent.prefactor * ends**exponent.value, color=colour, lw=1, alpha=0.7)
        values = group.values(quantity)
        # Moved a little sideways, so that rules do not hide each other.
        shift = 1 + 0.02 * (k - (len(study.groups) - 1) / 2)
        x = np.concatenate([np.full(len(v), n * shift) for n, v in values.items()])
        y = np.concatenate(list(values.values()))
        axes.plot(x, y, marker, color=colour, ms=4, alpha=0.35, mew=0)
        medians = [float(np.nanmedian(v)) if np.isfinite(v).any() else np.nan for v in values.values()]
        axes.plot([n * shift for n in values], medians, marker, color=colour, ms=7, label=label)
    ends = np.array([sizes[0], sizes[-1]], dtype=float)
    for factor in (0.1, 1.0, 10.0):
        axes.plot(ends, factor * ends, ":", color=PALETTE.muted, lw=1, label="exponent 1" if factor == 1 else None)
    shown = np.concatenate([v[np.isfinite(v)] for g in study.groups for v in g.values(quantity).values()])
    axes.set(xscale="log", yscale="log", xlabel="neurons N", ylabel=_LABELS[quantity])
    if len(shown):
        axes.set_ylim(max(0.5, 0.6 * float(shown.min())), 1.7 * float(shown.max()))
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, title="exponent (95 % interval)", title_fontsize=8)


def _draw_collapsed(axes: Axes, study: Study, group: Group) -> None:
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(group.sizes)))
    for n, colour in zip(group.sizes, colours, strict=True):
        axes.plot(study.grid, _shown(group.collapsed[n]), color=colour, lw=1.5, label=f"N = {n}")
    if study.states == "planted" and "amplitude" not in group.selection:
        n = group.sizes[-1]
        left = coverage(group.selection, n, study.grid * n)
        axes.plot(study.grid, _shown(left), ":", color="k", lw=1.5, label="Law 1, coverage")
    if group.law3:
        n = max(group.law3)
        axes.plot(study.grid, _shown(group.law3[n]), "--", color="k", lw=1.2, label=f"Law 3, N = {n}")
    axes.set_title(f"{group.selection}, {group.loss}", fontsize=10)
    axes.set(yscale="log", ylim=(_LEAST_EXCESS, 1.3), xlim=(0, study.grid[-1]))
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7)


def _shown(share: np.ndarray) -> np.ndarray:
    return np.where(share > 0, share, np.nan)
