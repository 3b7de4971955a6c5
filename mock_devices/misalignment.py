"""Hidden ground truth: a table whose geometry, response and delays must be measured before it can be used."""

from __future__ import annotations

import math

import numpy as np

from mock_devices.options import TableOptions


def misaligned(options: TableOptions) -> TableOptions:
    """The settings really in force: those given, or a seeded variation of them where `misalignment_seed` asks for it.

    Varied are the place of the cells on SLM (margins up to 8 pixels), camera (rotation up to 4 degrees, scale and
    shear of some percent, distortion, margins) and DMD (shift, rotation), the SLM's response and time constants, the
    beam's centre, the camera's sensitivity and dark level, and the detector's trigger delay. Shapes of the devices
    stay such that all cells are on them.
    """
    if options.misalignment_seed is None:
        return options
    random = np.random.default_rng([options.misalignment_seed, 0x7AB1E])
    rows, columns = options.cells

    edge = options.slm.pixels_per_cell
    slm = options.slm.model_copy(
        update={
            "origin_px": (int(random.integers(0, 9)), int(random.integers(0, 9))),
            "shape": (edge * rows + 8, edge * columns + 8),
            "stroke_nm": options.slm.stroke_nm * random.uniform(1.0, 1.15),
            "bow": random.uniform(-0.2, 0.2),
            "ripple_rad": random.uniform(0.0, 0.08),
            "response_time_s": options.slm.response_time_s * random.uniform(0.6, 1.5),
            "latency_s": options.slm.latency_s * random.uniform(0.5, 3.0),
        }
    )

    pitch = options.camera.pitch_px * random.uniform(0.94, 1.06)
    matrix = _rotation(math.radians(random.uniform(-4, 4))) @ (pitch * _shear(random))
    margin = options.camera.margin_px
    corners = matrix @ np.array([[0, 0, rows - 1, rows - 1], [0, columns - 1, 0, columns - 1]])
    extent = corners.max(axis=1) - corners.min(axis=1) + 4 * margin
    sensor_shape = (math.ceil(1.05 * extent[0]), math.ceil(1.05 * extent[1]))
    slack = np.array(sensor_shape) - extent
    offset = -corners.min(axis=1) + 2 * margin + random.uniform(0, 1, 2) * slack
    camera = options.camera.model_copy(
        update={
            "matrix": _pairs(matrix),
            "offset_px": (float(offset[0]), float(offset[1])),
            "sensor_shape": sensor_shape,
            "distortion": random.uniform(-0.005, 0.005),
            "electrons_per_joule": options.camera.electrons_per_joule * random.uniform(0.8, 1.2),
            "dark_level": int(random.integers(4, 32)),
        }
    )

    mirrors = options.dmd.mirrors_per_cell
    turn = _rotation(random.uniform(-0.5, 0.5) / max(rows, columns)) * mirrors
    dmd = options.dmd.model_copy(
        update={
            "matrix": _pairs(turn),
            "offset_px": tuple((mirrors - 1) / 2 + random.uniform(2, 6, 2)),
            "shape": (mirrors * rows + 8, mirrors * columns + 8),
            "contrast": options.dmd.contrast * random.uniform(0.5, 2.0),
        }
    )
    optics = options.optics.model_copy(update={"beam_centre": tuple(random.uniform(-0.05, 0.05, 2) * (rows + columns))})
    detector = options.detector.model_copy(update={"trigger_delay_s": random.uniform(0, 1e-5)})
    return options.model_copy(update={"slm": slm, "camera": camera, "dmd": dmd, "optics": optics, "detector": detector})


def _rotation(angle_rad: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([[math.cos(angle_rad), -math.sin(angle_rad)], [math.sin(angle_rad), math.cos(angle_rad)]])


def _shear(random: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([[1 + random.uniform(-0.01, 0.01), random.uniform(-0.01, 0.01)], [0, 1]])


def _pairs(
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> tuple[tuple[float, float], tuple[float, float]]:
    (a, b), (c, d) = matrix.tolist()
    return (a, b), (c, d)
