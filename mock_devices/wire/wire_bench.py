"""The bench file of a wired table: geometry and response as a careful calibration would find them.

Where the table hides its ground truth (`misalignment_seed`), the file states what the table was meant to be.
"""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from mock_devices.options import CameraOptions, DmdOptions, SlmOptions, TableOptions
from mock_devices.physics.liquid_crystal import slm_response

EXPOSURE_S = 2e-3
RATE_HZ = 1e5
SLM_MARGIN_PX = 4  # lit pixels of the SLM beside the neurons

Time = Literal["virtual", "real"]
Sections = dict[str, dict[str, Any]]
Place = tuple[int, int]


def table_options(
    neurons: int,
    seed: int,
    time: Time = "virtual",
    misalignment_seed: int | None = None,
    *,
    slm_pixels: int = 4,
    noise: float = 1.0,
) -> TableOptions:
    """The table behind the wires. Its camera has the 8 bits of the images that the emulator reads.

    slm_pixels: along the edge of one neuron. noise: factor on all noise.
    """
    side = math.isqrt(neurons)
    return TableOptions(
        rows=side,
        columns=side,
        seed=seed,
        clock=time,
        noise=noise,
        misalignment_seed=misalignment_seed,
        slm=SlmOptions(
            pixels_per_cell=slm_pixels,
            origin_px=(SLM_MARGIN_PX, SLM_MARGIN_PX),
            shape=(slm_pixels * side + 2 * SLM_MARGIN_PX, slm_pixels * side + 2 * SLM_MARGIN_PX),
        ),
        dmd=DmdOptions(mirrors_per_cell=2),
        camera=CameraOptions(bit_depth=8, exposure_s=EXPOSURE_S),
    )


def geometry_sections(options: TableOptions, slm_at: Place = (0, 0), dmd_at: Place = (0, 0)) -> Sections:
    """Where the neurons lie, and the SLM's response. slm_at, dmd_at: pixel (row, column) of the modulators' first."""
    first_px = tuple(at + origin for at, origin in zip(slm_at, options.slm.origin_px, strict=True))
    levels = [*range(0, 255, 8), 255]
    phase_rad = slm_response(options.slm, options.laser.wavelength_nm)[levels]
    return {
        "geometry": {"rows": options.rows, "columns": options.columns},
        "geometry.slm": {"pitch_px": options.slm.pixels_per_cell, "origin_px": first_px},
        "geometry.dmd": {"pitch_px": options.dmd.mirrors_per_cell, "origin_px": dmd_at},
        "geometry.camera": {"matrix": options.camera_matrix, "offset_px": options.camera_offset_px},
        "response": {"levels": levels, "phase_rad": [round(float(phase), 4) for phase in phase_rad]},
    }


def in_process_bench(options: TableOptions) -> str:
    """The same table behind simulated drivers, in virtual time: what a run over the wires is compared with."""
    sections: Sections = {
        "table": {"driver": "simulated-table"},
        **_nested("table.options", options.model_dump(mode="json", exclude_defaults=True)),
        "laser": {"driver": "simulated-laser", "power_w": options.laser.power_w},
        "slm": {"driver": "simulated-slm"},
        "camera": {"driver": "simulated-camera", "exposure_s": options.camera.exposure_s},
        "dmd": {"driver": "simulated-dmd"},
        "detector": {"driver": "simulated-detector", "rate_hz": RATE_HZ},
        **geometry_sections(options),
    }
    return toml_text("the same table in process", sections)


def toml_text(name: str, sections: Sections) -> str:
    """The text of a bench file; values are numbers, booleans, text and lists of them, alike in JSON and TOML."""
    lines = [f"name = {json.dumps(name)}"]
    for title, entries in sections.items():
        lines += ["", f"[{title}]", *(f"{key} = {json.dumps(value)}" for key, value in entries.items())]
    return "\n".join(lines) + "\n"


def _nested(title: str, values: dict[str, Any]) -> Sections:
    sections: Sections = {title: {key: value for key, value in values.items() if not isinstance(value, dict)}}
    for key, value in values.items():
        if isinstance(value, dict):
            sections |= _nested(f"{title}.{key}", value)
    return sections
