"""A bench with its calibrations put in, and the refusal to run without them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from drivers.interfaces import Identity
from labcontrol.calibration.procedures import PROCEDURES
from labcontrol.calibration.session import with_settings
from labcontrol.calibration.store import FRESH, CalibrationStatus, Store, measured_text
from labcontrol.config import AppliedCalibration, BenchConfig, CalibrationConfig
from labcontrol.errors import UserError

DEFAULT_STORE = "calibrations"


class NotCalibratedError(UserError):
    """A run is refused because calibrations that its bench requires do not hold; problems: which, and why."""

    def __init__(self, bench: str, problems: Sequence[str], remedy: str) -> None:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"The bench '{bench}' is not calibrated:{listed}\n", remedy)
        self.bench, self.problems = bench, tuple(problems)


def with_store(config: BenchConfig, bench_file: Path) -> BenchConfig:
    """The bench of a file; one that names no store gets a folder beside the file."""
    if config.calibration is not None:
        return config
    section = CalibrationConfig(store=str(bench_file.parent / DEFAULT_STORE))
    return config.model_copy(update={"calibration": section})


def store_of(config: BenchConfig, now: Callable[[], float] = time.time) -> Store:
    """The store a bench file names. Raises UserError when it names none."""
    if config.calibration is None:
        raise UserError(
            "The bench file names no calibrations.", 'Add the lines "[calibration]" and "store = \'calibrations\'".'
        )
    return Store(Path(config.calibration.store), PROCEDURES, now)


def statuses(config: BenchConfig, now: Callable[[], float] = time.time) -> list[CalibrationStatus]:
    """How the calibrations stand that a bench requires."""
    store = store_of(config, now)
    required = config.calibration.require if config.calibration is not None else ()
    return [store.status(kind, config) for kind in required]


def calibrated(config: BenchConfig) -> BenchConfig:
    """The bench file with its calibrations put in; the same one where it names none, or has them already.

    `calibration.applied` of the result says which, for the record. Raises NotCalibratedError when one is missing,
    failed, expired or stale; where the bench allows stale ones, only when one is missing or failed.
    """
    section = config.calibration
    if section is None or section.applied:
        return config
    required = statuses(config)
    bad = [status for status in required if not status.is_fresh]
    unusable = [status for status in bad if not status.is_usable]
    if unusable or (bad and not section.allow_stale):
        remedy = "'labcontrol calibrate --bench BENCH.toml' measures what is not fresh."
        if not unusable:
            remedy += " Or add --allow-stale: the record will say so."
        problems = [f"{status.kind} is {status.state}: {status.reason}" for status in bad]
        raise NotCalibratedError(config.name, problems, remedy)
    store = store_of(config)
    others = [store.status(kind, config) for kind in PROCEDURES if kind not in section.require]
    used = {s.kind: s for s in [*required, *(other for other in others if other.is_fresh)]}
    result, applied = config, []
    for kind in (kind for kind in PROCEDURES if kind in used):
        calibration = used[kind].calibration
        assert calibration is not None
        result = with_settings(result, calibration.outcome.settings)
        state = FRESH if used[kind].is_fresh else f"{used[kind].state}: {used[kind].reason}"
        devices = {role: _name(identity) for role, identity in calibration.devices.items()}
        applied.append(
            AppliedCalibration(
                kind=kind, sha256=calibration.hash, measured=measured_text(calibration), state=state, devices=devices
            )
        )
    return result.model_copy(update={"calibration": section.model_copy(update={"applied": tuple(applied)})})


def check_devices(config: BenchConfig, identities: Mapping[str, Identity]) -> None:
    """Refuse devices other than those the applied calibrations were measured with. Raises UserError."""
    section = config.calibration
    if section is None or section.allow_stale:
        return
    for applied in section.applied:
        for role, calibrated_name in applied.devices.items():
            identity = identities[role]
            found = _name({name: getattr(identity, name) for name in ("vendor", "model", "serial_number")})
            if found != calibrated_name:
                raise UserError(
                    f"The calibration '{applied.kind}' was measured with the {role} {calibrated_name}, "
                    f"but the bench has {found}.",
                    f"Run 'labcontrol calibrate {applied.kind}' again, or add --allow-stale.",
                )


def _name(identity: Mapping[str, str]) -> str:
    return f"{identity['vendor']} {identity['model']}, serial number {identity['serial_number']}"
