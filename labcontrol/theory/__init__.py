"""Convergence laws, live fits, the compiled twin and the scaling study.

Names are imported when first used: the laws a window needs should not wait for the compiler that the twin needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labcontrol.theory.amplitude import (
        AmplitudeLaw,
        FlipResponses,
        amplitude_law,
        flip_responses,
        gain_from_pilot,
        noise_from_repeats,
    )

_HOMES = {
    "AmplitudeLaw": "amplitude",
    "FlipResponses": "amplitude",
    "amplitude_law": "amplitude",
    "flip_responses": "amplitude",
    "gain_from_pilot": "amplitude",
    "noise_from_repeats": "amplitude",
}

__all__ = [
    "AmplitudeLaw",
    "FlipResponses",
    "amplitude_law",
    "flip_responses",
    "gain_from_pilot",
    "noise_from_repeats",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
