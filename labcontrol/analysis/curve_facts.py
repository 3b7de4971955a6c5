"""How each curve of a run is called, explained and drawn: one table for window, figures, report and terminal.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color), darker on white and lighter on black, which
people with any common kind of colour vision can tell apart; the broken lines say the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LineStyle(StrEnum):
    """How a line is broken, so that colour is not needed to tell curves apart."""

    SOLID = "solid"
    DASHED = "dashed"
    DASH_DOT = "dash-dot"
    DASH_DOT_DOT = "dash-dot-dot"
    DOTTED = "dotted"


@dataclass(frozen=True)
class CurveFacts:
    """One curve.

    Attributes
    ----------
    name : str
        As every legend has it.
    help : str
        A sentence or two for who asks.
    light, dark : str
        Its colour on a light and on a dark ground, as #rrggbb.
    line : LineStyle or None
        None where single epochs are drawn as dots.
    shaded : bool
        Whether its interval is drawn.
    on_demand : bool
        Whether it is drawn only where somebody asks for it.
    """

    name: str
    help: str
    light: str
    dark: str
    line: LineStyle | None
    shaded: bool = False
    on_demand: bool = False


MEASURED = {
    "incumbent": CurveFacts("Best so far", "Error of the best mask so far", "#0072b2", "#56b4e9", LineStyle.SOLID),
    "each": CurveFacts("each epoch", "Error of the mask that was tried in each epoch", "#9ec3dc", "#2f6486", None),
}
"""What was measured, by key."""

MODELS = {
    "prediction": CurveFacts(
        "Predicted, 9 of 10 runs",
        "Known before learning: this very run, made many times over in software on the measured responses. The line is "
        "the median, and nine of ten runs lie in the band.",
        "#d55e00",
        "#ee9a3a",
        LineStyle.DASHED,
        shaded=True,
    ),
    "exponential": CurveFacts(
        "Predicted exponential",
        "The exponential that fits the predicted curve best; its time constant with the interval of nine of ten single "
        "runs.",
        "#8a7a00",
        "#d3cc5a",
        LineStyle.DASH_DOT_DOT,
    ),
    "fit": CurveFacts(
        "Fit of an exponential",
        "Least squares to the best error so far: floor + height exp(-k / tau), with 95 % intervals.",
        "#00805c",
        "#3fcf9f",
        LineStyle.DASH_DOT,
    ),
    "two-exponentials": CurveFacts(
        "Two predicted exponentials",
        "Two exponentials and a floor, fitted to the logarithm of the predicted curve: a fast start and a slow rest, "
        "where one exponential does not do.",
        "#5b5ea6",
        "#a5a8e6",
        LineStyle.DOTTED,
        on_demand=True,
    ),
    "mean-field": CurveFacts(
        "Law 3, mean field",
        "The mean curve without simulation, from the modes of the measured responses: our derivation for many neurons.",
        "#a8418f",
        "#dd86bd",
        LineStyle.DASH_DOT_DOT,
        on_demand=True,
    ),
    "coverage": CurveFacts(
        "Law 1, coverage",
        "What independent neurons would give: a mirror is put right at its first visit. Start and floor as predicted; "
        "the rate has no free parameter.",
        "#8a94a3",
        "#7d8999",
        LineStyle.DOTTED,
        on_demand=True,
    ),
}
"""Models of learning, by key, in the order in which they are listed."""

OVERLAYS_LIGHT = ("#332288", "#44a0a0", "#882255", "#999933", "#6f4e37", "#556b8d")
OVERLAYS_DARK = ("#b98bd9", "#66c2bd", "#d08a6e", "#c9c27a", "#9fb3d1", "#e3a6b8")
"""Colours of other runs, on a light and on a dark ground (Paul Tol's muted set)."""


def series_colours(*, dark: bool) -> tuple[str, ...]:
    """The colours of the series of a plot on a dark or a light ground, in their order, as #rrggbb."""
    facts = (MEASURED["incumbent"], *(MODELS[key] for key in ("prediction", "fit", "mean-field", "exponential")))
    own = (curve.dark if dark else curve.light for curve in facts)
    return *own, *(OVERLAYS_DARK if dark else OVERLAYS_LIGHT)
