"""Before a run: dark level, camera scale, step time, and what a change of a pattern or a mask looks like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceFaultError, Frame
from labcontrol.bench import Bench
from labcontrol.errors import UserError
from labcontrol.reservoir.mask_readout import MaskReadout
from labcontrol.reservoir.pattern_check import pattern_gain
from labcontrol.reservoir.pictures import Pictures
from labcontrol.reservoir.results import Preparation

Floats = NDArray[np.float64]

_DARK_FRAMES = 4


def measure_preparation(
    bench: Bench,
    pictures: Pictures,
    readout: MaskReadout,
    phases: NDArray[np.int64],
    between_frames: Callable[[], None],
) -> Preparation:
    """Acquire pictures of reference patterns of phases (P, N), each of them twice; switches the laser on.

    phases: indices into the table of the pictures. between_frames: called before every pattern; may block or raise.
    Raises UserError when the camera is saturated or sees no light, DeviceFaultError when the SLM does not show what it
    is told to show, DeviceError when the laser does not give its light from beginning to end.
    """

    def acquire(of: NDArray[np.int64] | None = None) -> tuple[Frame, Floats]:
        between_frames()
        return pictures.acquire_settled(pictures.dark_pattern if of is None else pictures.pattern(of))

    bench.light_off("the dark level is measured")
    dark = np.mean([acquire()[1] for _ in range(_DARK_FRAMES)], axis=0)
    bench.light_on()
    with bench.good_light():
        readout.show(np.arange(len(dark)) % 2 == 0)
        started = bench.clock.now_s()
        taken, half_levels = [], []
        for reference in (*phases, *phases):
            taken.append(acquire(reference))
            half_levels.append(readout.samples().mean())
        step_s = (bench.clock.now_s() - started) / len(taken)
    frames, both = [frame for frame, _ in taken], np.array([counts for _, counts in taken]) - dark
    signals, again = np.split(both, 2)
    reference_counts = float(both.mean())
    _check_exposure(bench, frames, reference_counts, dark)
    noises = np.sqrt(np.mean((again - signals) ** 2, axis=1)) / reference_counts
    readout.show(np.zeros(len(dark), dtype=np.bool_))
    off = readout.samples().mean()
    return Preparation(
        dark,
        reference_counts,
        max(float(frame.data.max()) for frame in frames) / (2**bench.camera.bit_depth - 1),
        step_s,
        slm_gain=_slm_gain(bench, phases, signals, reference_counts, noises),
        camera_noise=float(np.median(noises)),
        mirrors_off=float(off),
        mirrors_half=float(np.mean(half_levels)),
        mirrors_noise=float(np.sqrt(np.mean(np.diff(np.reshape(half_levels, (2, -1)), axis=0) ** 2) / 2)),
    )


def _check_exposure(bench: Bench, frames: list[Frame], reference_counts: float, dark: Floats) -> None:
    if any(frame.saturated_share > 0 for frame in frames):
        raise UserError(
            f"The camera is saturated at an exposure of {bench.camera.exposure_s * 1e3:g} ms.",
            "Lower camera.exposure_s, camera.gain_db or laser.power_w in the bench file.",
        )
    if reference_counts < float(np.std(dark)) + 1.0:
        raise UserError(
            f"The camera sees no light on the neurons: {reference_counts:.1f} counts with the laser on, "
            f"{float(dark.mean()):.1f} without.",
            "Check laser, shutter, exposure and geometry.camera in the bench file.",
        )


def _slm_gain(
    bench: Bench, phases: NDArray[np.int64], signals: Floats, reference_counts: float, noises: Floats
) -> float:
    try:
        return pattern_gain(phases, signals, reference_counts, noises)
    except ValueError as error:
        raise DeviceFaultError(
            bench.slm.name, f"does not show its patterns: {error}.", "Check its line, and its settle time."
        ) from None
