"""What a simulated table really is, in the words of a bench file: for tests and benchmarks of calibration only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_devices.misalignment import misaligned
from mock_devices.options import TableOptions
from mock_devices.physics.liquid_crystal import slm_response


def ground_truth_of(options: dict[str, Any]) -> TableOptions:
    """The settings in force of a table with these options."""
    return misaligned(TableOptions.model_validate(options))


def true_pixels(ground_truth: TableOptions, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Camera pixels (N, 2) of the centres of cells (N, 2)."""
    centre = (np.array(ground_truth.sensor_shape) - 1) / 2
    ideal = cells @ np.array(ground_truth.camera_matrix).T + np.array(ground_truth.camera_offset_px) - centre
    stretch = 1 + ground_truth.camera.distortion * np.sum(ideal**2, axis=1, keepdims=True) / (centre @ centre)
    pixels: NDArray[np.float64] = centre + ideal * stretch
    return pixels


def true_phase(ground_truth: TableOptions) -> NDArray[np.float64]:
    """Phase (256,) of the SLM's grey levels, in rad."""
    return slm_response(ground_truth.slm, ground_truth.laser.wavelength_nm)


def true_settings(ground_truth: TableOptions) -> dict[str, Any]:
    """The sections of a bench file that states the whole ground_truth."""
    centre = (np.array(ground_truth.sensor_shape) - 1) / 2
    return {
        "geometry": {
            "slm": {"origin_px": ground_truth.slm.origin_px},
            "dmd": {
                "matrix": ground_truth.dmd_matrix,
                "offset_px": tuple(float(at) for at in ground_truth.dmd_offset_px),
            },
            "camera": {
                "matrix": ground_truth.camera_matrix,
                "offset_px": ground_truth.camera_offset_px,
                "distortion_per_px2": ground_truth.camera.distortion / float(centre @ centre),
                "centre_px": tuple(centre.tolist()),
            },
        },
        "response": {"levels": tuple(range(256)), "phase_rad": tuple(true_phase(ground_truth).tolist())},
        "detector": {"trigger_delay_s": ground_truth.detector.trigger_delay_s},
    }
