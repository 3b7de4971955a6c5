"""All procedures, in an order in which each finds what it builds on."""

from __future__ import annotations

from labcontrol.calibration import (
    camera,
    detector,
    exposure,
    laser,
    mirrors,
    phase_response,
    profile,
    registration,
    timing,
    window,
)
from labcontrol.calibration.procedure import Procedure

PROCEDURES: dict[str, Procedure] = {
    module.PROCEDURE.kind: module.PROCEDURE
    for module in (
        camera,
        phase_response,
        window,
        exposure,
        registration,
        profile,
        timing,
        detector,
        mirrors,
        laser,
    )
}
