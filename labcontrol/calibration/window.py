"""SLM window: which of its pixels the light reaches, and so where the grid of neurons belongs.

Pixels before a line are dark and all others bright; the first line at which the camera sees less light is the edge,
found by bisection from each of the four sides. Light missing is seen better than light alone: a dark line of pixels
takes away nearly half the power of a cell of four lines, a bright one alone would have a sixteenth of it.
"""

from __future__ import annotations

import numpy as np

from drivers.interfaces import Pattern
from labcontrol.calibration.context import CalibrationContext, Image
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.result import Calibration, Outcome, Quantity

_FRAMES = 2
_SIDES = ("top", "left", "bottom", "right")
# What an image must differ by from the bright pattern's: times the largest such difference seen by chance, and counts.
_TIMES_CHANCE, _LEAST_COUNTS = 3.0, 0.4


def measure(context: CalibrationContext) -> Outcome:
    """Bisect each side, then compare with the grid's size."""
    geometry = context.config.geometry
    shape, pitch = context.bench.slm.shape, geometry.slm.pitch_px
    dark, bright = extreme_levels(context)
    context.light_on()
    context.expose_for(context.uniform(bright))
    references = np.stack([context.image(context.uniform(bright), _FRAMES) for _ in range(8)])
    finder = _Finder(context, references, dark, bright)
    found = {}
    for k, side in enumerate(_SIDES):
        found[side] = finder.edge(side)
        context.progress(k + 1, len(_SIDES))
    first = (found["top"], found["left"])
    end = (shape[0] - found["bottom"], shape[1] - found["right"])
    lit = (end[0] - first[0], end[1] - first[1])
    wanted = (geometry.rows * pitch, geometry.columns * pitch)
    failures, notices = [], []
    for name, have, need, size in zip(("rows", "columns"), lit, wanted, shape, strict=True):
        if have < need:
            failures.append(
                f"light reaches {have} {name} of pixels on the SLM, the grid in the bench file needs {need} of {size}; "
                "widen the beam or use fewer neurons"
            )
        elif have > need:
            notices.append(f"light reaches {have} {name} of pixels, the grid uses the middle {need}")
    origin = tuple(f + max(0, (have - need) // 2) for f, have, need in zip(first, lit, wanted, strict=True))
    quantities = {
        f"origin_{name}_px": Quantity(at, at - 0.5, at + 0.5, "px", f"first {name} of the grid on the SLM")
        for name, at in zip(("row", "column"), origin, strict=True)
    } | {
        f"lit_{name}_px": Quantity(have, have - 1, have + 1, "px", f"{name} of SLM pixels that light reaches")
        for name, have in zip(("rows", "columns"), lit, strict=True)
    }
    settings = {"geometry": {"slm": {"origin_px": [int(v) for v in origin]}}}
    arrays = {
        "lit": np.array([*first, *end]), "grid": np.array([*origin, *wanted]), "shape": np.array(shape),
        "weakest": np.array(finder.margins),
    }  # fmt: skip
    return Outcome(quantities, arrays, settings, tuple(failures), tuple(notices))


def extreme_levels(context: CalibrationContext) -> tuple[int, int]:
    """The grey levels that let least and most light through, from the measured response."""
    phase = context.results["phase-response"].outcome.arrays["phase_rad"]
    power = np.cos(phase) ** 2
    return int(np.argmin(power)), int(np.argmax(power))


class _Finder:
    """Decides whether a pattern takes light away. margins: differences seen, in units of the threshold."""

    def __init__(self, context: CalibrationContext, references: Image, dark: int, bright: int) -> None:
        self._context = context
        self._dark, self._bright = dark, bright
        self._reference = references.mean(axis=0)
        chance = max(self._difference(image) for image in references)
        self._threshold = max(_TIMES_CHANCE * chance, _LEAST_COUNTS)
        self.margins: list[float] = []

    def _difference(self, image: Image) -> float:
        """The largest change of a row's or column's mean against the bright pattern's image."""
        difference = image - self._reference
        return float(max(np.abs(difference.mean(axis=0)).max(), np.abs(difference.mean(axis=1)).max()))

    def _sees(self, pattern: Pattern) -> bool:
        margin = float(self._difference(self._context.image(pattern, _FRAMES)) / self._threshold)
        self.margins.append(margin)
        return margin > 1

    def edge(self, side: str) -> int:
        """How many pixels at a side get no light."""
        shape = self._context.bench.slm.shape
        size = shape[0] if side in ("top", "bottom") else shape[1]
        none, some = 0, size
        while some - none > 1:
            middle = (none + some) // 2
            none, some = (none, middle) if self._sees(self._strip(side, middle)) else (middle, some)
        return none

    def _strip(self, side: str, width: int) -> Pattern:
        pattern = self._context.uniform(self._bright)
        view = {"top": pattern[:width], "left": pattern[:, :width], "bottom": pattern[-width:],
                "right": pattern[:, -width:]}[side]  # fmt: skip
        view[:] = self._dark
        return pattern


def draw(calibration: Calibration, figure: Figure) -> None:
    """The SLM, the lit part of it, and the grid."""
    from matplotlib.patches import Rectangle

    arrays = calibration.outcome.arrays
    axes = figure.subplots()
    rows, columns = arrays["shape"]
    first_row, first_column, end_row, end_column = arrays["lit"]
    row, column, height, width = arrays["grid"]
    for (x, y, w, h), colour, label in (
        ((0, 0, columns, rows), "0.8", "SLM"),
        ((first_column, first_row, end_column - first_column, end_row - first_row), "gold", "lit"),
        ((column, row, width, height), "none", "grid"),
    ):
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), w, h, fc=colour, ec="k" if label == "grid" else "none", lw=1.5, label=label)
        )
    axes.set(xlim=(-2, columns + 1), ylim=(rows + 1, -2), xlabel="column (px)", ylabel="row (px)", title="SLM window")
    axes.set_aspect("equal")
    axes.legend(loc="upper right")


PROCEDURE = Procedure(
    "window",
    "SLM: the part of it that light reaches",
    "Dark bands grow and shrink from each side of the bright image in turn.",
    ("slm", "laser"),
    ("phase-response",),
    7 * 24,
    measure,
    draw,
)
