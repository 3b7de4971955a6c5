"""Calibrations on disk: one HDF5 file each, in a folder that only grows; and whether they still hold.

A calibration holds while it has passed, is younger than its lifetime, the bench file says of its devices what it said
then, and every calibration it was built on is still the newest of its kind and holds itself.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py

from labcontrol.calibration.procedure import Procedure
from labcontrol.calibration.result import Calibration
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.whole_files import replacing

FORMAT = "labcontrol calibration"
VERSION = 1
SUFFIX = ".h5"
FRESH = "fresh"


@dataclass(frozen=True)
class CalibrationStatus:
    """How a kind of calibration stands. state: fresh, missing, failed, expired or stale. reason: why, in words."""

    kind: str
    state: str
    reason: str
    calibration: Calibration | None = None

    @property
    def is_fresh(self) -> bool:
        return self.state == FRESH

    @property
    def is_usable(self) -> bool:
        """Whether there is a result that may be used when a person insists."""
        return self.calibration is not None and self.calibration.passed


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write one file, whole or not at all."""
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["version"] = VERSION
        file.attrs["sha256"] = calibration.hash
        file.attrs["facts"] = json.dumps(calibration.facts())
        for name, array in calibration.outcome.arrays.items():
            file.create_dataset(f"arrays/{name}", data=array)
        file.flush()


def read_calibration(path: Path) -> Calibration:
    """Read one file. Raises UserError when it is none, or its content is not what was written."""
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise UserError(f"{path} is not a calibration.")
            if file.attrs["version"] != VERSION:
                raise UserError(
                    f"{path} has format version {file.attrs['version']}, this program reads {VERSION}.",
                    "Use the version of labcontrol that wrote it, or calibrate again.",
                )
            arrays = {name: data[()] for name, data in file["arrays"].items()} if "arrays" in file else {}
            calibration = Calibration.from_facts(json.loads(file.attrs["facts"]), arrays)
            written = file.attrs["sha256"]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.", "Remove it and calibrate again.") from None
    if calibration.hash != written:
        raise UserError(
            f"{path} was changed after it was written: its content does not match its hash.",
            "Remove it and calibrate again.",
        )
    return calibration


class Store:
    """The folder of a bench's calibrations. now: the time, in unix seconds."""

    def __init__(self, folder: Path, procedures: Mapping[str, Procedure], now: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._procedures = procedures
        self._now = now
        self._read: dict[Path, Calibration] = {}

    def files(self, kind: str | None = None) -> list[Path]:
        """Calibration files, oldest first."""
        found = self.folder.glob(f"{kind or '*'}_*{SUFFIX}")
        return sorted(found, key=lambda path: path.name.split("_", 1)[-1])

    def save(self, calibration: Calibration) -> Path:
        """Add a calibration; returns its file."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            stamp = datetime.fromtimestamp(calibration.measured_unix_s, UTC).strftime("%Y-%m-%d_%H%M%S_%f")
            path = self.folder / f"{calibration.kind}_{stamp}{SUFFIX}"
            write_calibration(path, calibration)
        except OSError as error:
            raise UserError(
                f"The calibration cannot be saved in {self.folder}: {error}.", "Name a folder that you may write to."
            ) from None
        return path

    def load(self, path: Path) -> Calibration:
        """Read a file once. Raises UserError."""
        if path not in self._read:
            self._read[path] = read_calibration(path)
        return self._read[path]

    def newest(self, kind: str) -> Calibration | None:
        """The newest calibration of a kind, passed or not."""
        files = self.files(kind)
        return self.load(files[-1]) if files else None

    def status(self, kind: str, config: BenchConfig) -> CalibrationStatus:
        """How a kind stands for a bench file."""
        procedure = self._procedures.get(kind)
        if procedure is None:
            known = ", ".join(self._procedures)
            raise UserError(f"There is no calibration {kind!r}.", f"Known are: {known}.")
        calibration = self.newest(kind)
        if calibration is None:
            return CalibrationStatus(kind, "missing", "was never measured")
        if not calibration.passed:
            return CalibrationStatus(kind, "failed", "; ".join(calibration.outcome.failures), calibration)
        age_h = (self._now() - calibration.measured_unix_s) / 3600
        lifetime_h = _lifetime_h(procedure, config)
        if age_h > lifetime_h:
            return CalibrationStatus(
                kind, "expired", f"is {_span(age_h)} old and holds for {_span(lifetime_h)}", calibration
            )
        stale = self._why_stale(procedure, calibration, config)
        return CalibrationStatus(
            kind, "stale" if stale else FRESH, stale or f"measured {_span(age_h)} ago", calibration
        )

    def _why_stale(self, procedure: Procedure, calibration: Calibration, config: BenchConfig) -> str:
        for role, condition in conditions(procedure.roles, config).items():
            if calibration.conditions.get(role) != condition:
                return f"the bench file says something else of '{role}' than when it was measured"
        for parent in procedure.needs:
            status = self.status(parent, config)
            if status.calibration is not None and calibration.parents.get(parent) != status.calibration.hash:
                return f"'{parent}', on which it is built, was measured again since"
            if not status.is_fresh:
                return f"'{parent}', on which it is built, is {status.state}: {status.reason}"
        return ""


def conditions(roles: tuple[str, ...], config: BenchConfig) -> dict[str, str]:
    """What the bench file says of each role, as short hashes; the simulated table belongs to every role."""
    table = config.table.model_dump(mode="json") if config.table is not None else None

    def said(role: str) -> Any:
        entry = getattr(config, role).model_dump(mode="json")
        # What calibration itself sets is no condition.
        return {key: value for key, value in entry.items() if key in ("driver", "address", "options", "power_w")}

    return {
        role: hashlib.sha256(json.dumps([said(role), table], sort_keys=True).encode()).hexdigest()[:16]
        for role in roles
    }


def measured_text(calibration: Calibration) -> str:
    """When it was measured, ISO 8601 in UTC."""
    return datetime.fromtimestamp(calibration.measured_unix_s, UTC).isoformat(timespec="seconds")


def _lifetime_h(procedure: Procedure, config: BenchConfig) -> float:
    overrides = config.calibration.lifetime_h if config.calibration is not None else {}
    return overrides.get(procedure.kind, procedure.lifetime_h)


def _span(hours: float) -> str:
    if hours < 1:
        return f"{max(0, round(60 * hours))} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
