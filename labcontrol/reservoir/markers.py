"""Marker masks: a sequence of masks carries its own check that every sample belongs to the mask it is taken for.

Before and after the masks of a replay the DMD shows every second mirror on, then none. A trigger that comes late, a
pattern that was dropped, or a sequence that was not played moves these away from where they must be. Half of the
mirrors rather than all, so that a marker is no brighter than most masks: the detector need not have room for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Dark last: what a detector of finite bandwidth still remembers of a bright marker would go to the first mask.
HEAD = (True, False)
TAIL = (True, False)
COUNT = len(HEAD) + len(TAIL)

_MEDIAN_STEP = 0.954  # median difference of two normal numbers of variance 1
_SURELY = 6.0  # standard deviations of one sample
_MARGIN = 0.25  # of the contrast, by which a marker may differ from the other of its kind
_LEAST_CONTRAST = 0.02  # of the spread of all masks


def with_markers(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(2 + B + 2, N) the masks (B, N) between on, off and on, off."""
    on = np.arange(masks.shape[1]) % 2 == 0
    head, tail = (np.array(states)[:, None] & on for states in (HEAD, TAIL))
    return np.concatenate([head, masks, tail])


def without_markers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, ...) of values (2 + B + 2, ...)."""
    return values[len(HEAD) : -len(TAIL)]


def misalignment(samples: NDArray[np.float64], known_noise: float = 0.0) -> str | None:
    """What is wrong with samples (2 + B + 2, S) of a sequence with markers, with its probable cause; None if nothing.

    known_noise: rms of a sample, from before the run; a single sample of each mask does not show it.
    Every single sample of a marker must lie near the level of its kind, on or off. Where the mirrors of a
    marker interfere to nothing, as fields with phases of their own may at some steps, it cannot tell and is silent.
    """
    levels = np.median(samples, axis=1)
    # From neighbouring samples, so that a mask that changes in the middle of its samples does not pass for noise.
    steps = np.abs(np.diff(samples, axis=1))
    noise = max(known_noise, float(np.median(steps)) / _MEDIAN_STEP if steps.size else 0.0)
    spread = float(np.ptp(levels))
    if spread <= _SURELY * noise:
        return "sees no change of masks: the sequence was not played, or there is no light"
    pairs = [(levels[0], levels[1]), (levels[-2], levels[-1])]
    on, off = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    if abs(on - off) <= max(_SURELY * noise, _LEAST_CONTRAST * spread):
        return None
    margin = _MARGIN * (on - off) + _SURELY * noise
    wanted = np.array([on, off])[:, None]
    head = np.abs(samples[: len(HEAD)] - wanted) <= margin
    tail = np.abs(samples[-len(TAIL) :] - wanted) <= margin
    if not head.all():
        return "is not in step with the DMD from the first mask on: its trigger comes early or late"
    if not tail.all():
        return "falls out of step with the DMD within the sequence: masks were dropped, or the rates differ"
    return None
