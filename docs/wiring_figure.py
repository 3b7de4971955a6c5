"""Draws docs/images/wiring.svg, the wiring of a table: ``python docs/wiring_figure.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle

mpl.rcParams["svg.hashsalt"] = "wiring"  # the same drawing is the same file
mpl.rcParams["svg.fonttype"] = "none"
mpl.rcParams["font.family"] = "DejaVu Sans"

LIGHT, DATA, TRIGGER, SAFETY = "#c62828", "#1565c0", "#2e7d32", "#e65100"
Point = tuple[float, float]


def box(axes: Axes, centre: Point, size: Point, text: str, *, face: str = "white", edge: str = "#37474f") -> None:
    (x, y), (width, height) = centre, size
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner, width, height, boxstyle="round,pad=0,rounding_size=0.08", fc=face, ec=edge, lw=1.3, zorder=3
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5, zorder=4, linespacing=1.25)


def line(
    axes: Axes, points: list[Point], colour: str, *, width: float = 1.6, style: str = "-", arrow: bool = True
) -> None:
    """A line through points, with an arrow at its end."""
    xs, ys = zip(*points, strict=True)
    axes.plot(xs, ys, color=colour, lw=width, ls=style, zorder=2, solid_joinstyle="round")
    if arrow:
        axes.annotate(
            "", xy=points[-1], xytext=points[-2], zorder=2,
            arrowprops={"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def label(axes: Axes, at: Point, text: str, colour: str, *, align: str = "center") -> None:
    axes.text(
        *at, text, color=colour, fontsize=7.5, ha=align, va="center", zorder=5, linespacing=1.2,
        bbox={"fc": "white", "ec": "none", "pad": 1.0, "alpha": 0.9},
    )  # fmt: skip


def splitter(axes: Axes, centre: Point, text: str) -> None:
    x, y = centre
    axes.add_patch(Rectangle((x - 0.22, y - 0.22), 0.44, 0.44, fc="#e3f2fd", ec="#37474f", lw=1.1, zorder=3))
    axes.plot([x - 0.22, x + 0.22], [y - 0.22, y + 0.22], color="#37474f", lw=1.0, zorder=4)
    axes.text(x - 0.3, y + 0.36, text, fontsize=7.5, ha="right", va="center", zorder=4)


def lens(axes: Axes, centre: Point, *, upright: bool = True) -> None:
    x, y = centre
    along, across = (0.07, 0.32) if upright else (0.32, 0.07)
    axes.add_patch(
        Polygon(
            [(x - along, y), (x, y + across), (x + along, y), (x, y - across)],
            fc="#b3e5fc",
            ec="#37474f",
            lw=0.9,
            zorder=3,
        )
    )


def light(axes: Axes) -> None:
    """The optical table: everything that light passes."""
    axes.add_patch(Rectangle((0.2, 3.55), 13.6, 5.25, fc="#f5f5f5", ec="#90a4ae", lw=1.2, ls=(0, (5, 3)), zorder=0))
    axes.text(0.4, 8.55, "optical table, enclosed", fontsize=8.5, color="#546e7a", va="center")
    line(axes, [(2.1, 7.4), (7.35, 7.4)], LIGHT, width=2.2)
    line(axes, [(5.0, 7.4), (5.0, 4.75)], LIGHT, width=2.2)
    line(axes, [(5.0, 6.05), (10.35, 6.05)], LIGHT, width=2.2)
    line(axes, [(5.15, 4.45), (8.9, 4.45)], LIGHT, width=2.2)
    line(axes, [(4.85, 4.45), (2.55, 4.45)], LIGHT, width=1.3, style=(0, (3, 2)))  # type: ignore[arg-type]
    box(axes, (1.3, 7.4), (1.5, 0.9), "laser", face="#ffebee", edge=LIGHT)
    lens(axes, (2.7, 7.4))
    lens(axes, (3.3, 7.4))
    axes.text(3.0, 7.95, "beam expander,\npolariser", fontsize=7.5, ha="center", va="center")
    splitter(axes, (5.0, 7.4), "")
    axes.text(5.1, 7.95, "polarising\nbeam splitter", fontsize=7.5, ha="center", va="center")
    box(axes, (8.1, 7.4), (1.5, 0.9), "SLM\n(neurons)")
    splitter(axes, (5.0, 6.05), "beam splitter")
    box(axes, (7.3, 6.05), (1.0, 0.6), "DOE")
    lens(axes, (8.6, 6.05))
    box(axes, (11.1, 6.05), (1.5, 0.9), "camera\n(feedback)")
    lens(axes, (5.0, 5.4), upright=False)
    box(axes, (5.0, 4.45), (1.4, 0.7), "DMD\n(mask)")
    lens(axes, (7.0, 4.45))
    axes.text(7.0, 4.0, "“on” mirrors", fontsize=7.5, ha="center", color=LIGHT)
    box(axes, (9.65, 4.45), (1.5, 0.8), "photodiode")
    box(axes, (1.8, 4.45), (1.5, 0.7), "beam dump", face="#eceff1")
    axes.text(3.45, 4.0, "“off” mirrors", fontsize=7.5, ha="center", color=LIGHT)


def cables(axes: Axes) -> None:
    """Computer, cables, trigger line and the interlock, which needs no computer."""
    box(axes, (6.2, 0.85), (3.2, 1.0), "computer\nlabcontrol and its laser guardian", face="#e3f2fd", edge=DATA)
    box(axes, (1.7, 0.85), (2.0, 1.0), "primary screen\nwhere people work", face="#fafafa")
    box(axes, (12.0, 2.1), (2.0, 0.9), "oscilloscope\nEXT       CH 1")
    line(axes, [(4.6, 0.85), (2.75, 0.85)], DATA)
    line(axes, [(5.0, 1.35), (5.0, 2.75), (0.85, 2.75), (0.85, 6.9)], DATA)
    label(axes, (2.2, 2.75), "serial or USB: laser", DATA)
    line(axes, [(5.7, 1.35), (5.7, 3.1), (5.25, 3.1), (5.25, 4.05)], DATA)
    label(axes, (5.7, 2.3), "USB: DMD", DATA)
    line(axes, [(6.9, 1.35), (6.9, 3.1), (8.1, 3.1), (8.1, 3.8), (8.1, 5.2), (8.1, 6.9)], DATA)
    label(axes, (8.1, 5.2), "HDMI, second screen:\nnative size, no scaling", DATA)
    line(axes, [(7.4, 1.35), (7.4, 2.75), (13.3, 2.75), (13.3, 6.05), (11.9, 6.05)], DATA)
    label(axes, (9.3, 2.75), "USB 3 or GigE: camera", DATA)
    line(axes, [(7.8, 0.85), (12.0, 0.85), (12.0, 1.6)], DATA)
    label(axes, (10.0, 0.85), "LAN: SCPI, port 5025", DATA)
    line(axes, [(4.75, 4.1), (4.75, 3.35), (11.55, 3.35), (11.55, 2.6)], TRIGGER)
    label(axes, (10.2, 3.35), "trigger: synch output of the DMD", TRIGGER)
    line(axes, [(9.65, 4.05), (9.65, 3.75), (12.45, 3.75), (12.45, 2.6)], "#455a64")
    label(axes, (11.3, 3.75), "signal, 50 Ω", "#455a64")
    box(axes, (11.9, 8.15), (2.9, 0.75), "door switch and\nemergency stop, in series", face="#fff3e0", edge=SAFETY)
    line(axes, [(10.45, 8.3), (1.3, 8.3), (1.3, 7.9)], SAFETY)
    label(axes, (6.6, 8.3), "interlock loop: straight to the laser, through no computer", SAFETY)


def main() -> None:
    figure = Figure(figsize=(11.2, 7.2))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, 14), ylim=(0.1, 9.0))
    axes.axis("off")
    light(axes)
    cables(axes)
    target = Path(__file__).parent / "images" / "wiring.svg"
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
