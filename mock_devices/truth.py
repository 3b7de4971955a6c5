"""What a simulated table really is, in the words of a bench file: for tests and benchmarks of calibration only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_devices.misalignment import misaligned
from mock_devices.options import TableOptions
from mock_devices.physics.liquid_crystal import slm_response


def truth_of(options: dict[str, Any]) -> TableOptions:
    """The settings in force of a table with these options."""
    return misaligned(TableOptions.model_validate(options))


def true_pixels(truth: TableOptions, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Camera pixels (N, 2) of the centres of cells (N, 2)."""
    centre = (np.array(truth.sensor_shape) - 1) / 2
    ideal = cells @ np.array(truth.camera_matrix).T + np.array(truth.camera_offset_px) - centre
    stretch = 1 + truth.camera.distortion * np.sum(ideal**2, axis=1, keepdims=True) / (centre @ centre)
    pixels: NDArray[np.float64] = centre + ideal * stretch
    return pixels


def true_phase(truth: TableOptions) -> NDArray[np.float64]:
    """Phase (256,) of the SLM's grey levels, in rad."""
    return slm_response(truth.slm, truth.laser.wavelength_nm)


def true_settings(truth: TableOptions) -> dict[str, Any]:
    """The sections of a bench file that states the whole truth."""
    centre = (np.array(truth.sensor_shape) - 1) / 2
    return {
        "geometry": {
            "slm": {"origin_px": truth.slm.origin_px},
            "dmd": {"matrix": truth.dmd_matrix, "offset_px": tuple(float(at) for at in truth.dmd_offset_px)},
            "camera": {
                "matrix": truth.camera_matrix,
                "offset_px": truth.camera_offset_px,
                "distortion_per_px2": truth.camera.distortion / float(centre @ centre),
                "centre_px": tuple(centre.tolist()),
            },
        },
        "response": {"levels": tuple(range(256)), "phase_rad": tuple(true_phase(truth).tolist())},
        "detector": {"trigger_delay_s": truth.detector.trigger_delay_s},
    }
