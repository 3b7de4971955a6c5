"""Calibrating a bench: procedures in order, each result saved before the next begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from drivers.interfaces import Frame
from labcontrol.bench import Bench
from labcontrol.calibration.context import CalibrationContext, Progress
from labcontrol.calibration.procedure import Procedure
from labcontrol.calibration.procedures import PROCEDURES
from labcontrol.calibration.result import Calibration, Outcome
from labcontrol.calibration.store import Store, conditions
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError
from labcontrol.records import provenance


def with_needs(kinds: Iterable[str]) -> list[str]:
    """The kinds and all they are built on, in order. Raises UserError for an unknown one."""
    wanted: set[str] = set()
    open_kinds = list(kinds)
    while open_kinds:
        kind = open_kinds.pop()
        if kind not in PROCEDURES:
            raise UserError(f"There is no calibration {kind!r}.", f"Known are: {', '.join(PROCEDURES)}.")
        if kind not in wanted:
            wanted.add(kind)
            open_kinds.extend(PROCEDURES[kind].needs)
    return [kind for kind in PROCEDURES if kind in wanted]


def with_settings(config: BenchConfig, settings: Mapping[str, Any]) -> BenchConfig:
    """The bench file with sections replaced by what was measured."""
    return BenchConfig.model_validate(_merged(config.model_dump(), settings))


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, change in changes.items():
        below = merged.get(key)
        merged[key] = _merged(below, change) if isinstance(below, dict) and isinstance(change, Mapping) else change
    return merged


class Session:
    """Procedures on one open bench.

    config: the bench file. watch, progress: see `CalibrationContext`.
    """

    def __init__(
        self,
        bench: Bench,
        config: BenchConfig,
        store: Store,
        progress: Progress | None = None,
        watch: Callable[[Frame], None] | None = None,
    ) -> None:
        self._bench = bench
        self._file = config
        self._store = store
        self._context = CalibrationContext(bench, config, progress=progress, watch=watch)

    @property
    def file(self) -> BenchConfig:
        """The bench file as it was given."""
        return self._file

    def on_progress(self, progress: Progress) -> None:
        """What is called with steps done."""
        self._context.progress = progress

    def take_over(self, kind: str) -> bool:
        """Use the stored result of a kind if it is fresh; says whether it was."""
        status = self._store.status(kind, self._file)
        if status.is_fresh and status.calibration is not None:
            self._accept(status.calibration)
            return True
        return False

    def run(self, kind: str, *, save: bool = True) -> Calibration:
        """Run one procedure; what it needs must have been run or taken over. Leaves exposure as the results say.

        Raises UserError or DeviceError when it could not be done.
        """
        procedure = PROCEDURES[kind]
        missing = [need for need in procedure.needs if need not in self._context.results]
        if missing:
            raise UserError(f"'{kind}' builds on {', '.join(missing)}.", "Calibrate that first.")
        self._bench.camera.discard_frames()
        try:
            outcome = self._measured_in_the_light(procedure)
        finally:
            self._bench.camera.exposure_s = self._context.config.camera.exposure_s
        calibration = self._described(kind, outcome)
        if save:
            self.keep(calibration)
        return calibration

    def _measured_in_the_light(self, procedure: Procedure) -> Outcome:
        """What was measured in the dark says nothing of the devices, and neither does what failed in it."""
        try:
            outcome = procedure.measure(self._context)
        except Exception:
            self._context.check_light()
            raise
        self._context.check_light()
        return outcome

    def keep(self, calibration: Calibration) -> None:
        """Save a result, and build on it if it passed."""
        self._store.save(calibration)
        if calibration.passed:
            self._accept(calibration)

    def _accept(self, calibration: Calibration) -> None:
        self._context.results[calibration.kind] = calibration
        self._context.config = with_settings(self._context.config, calibration.outcome.settings)
        self._bench.camera.exposure_s = self._context.config.camera.exposure_s

    def _described(self, kind: str, outcome: Outcome) -> Calibration:
        procedure = PROCEDURES[kind]
        identities = self._bench.identities
        return Calibration(
            kind,
            time.time(),
            outcome,
            {role: asdict(identities[role]) for role in procedure.roles},
            conditions(procedure.roles, self._file),
            {need: self._context.results[need].hash for need in procedure.needs},
            {key: value for key, value in provenance().items() if key in ("version", "git", "host", "python")},
        )

    @property
    def config(self) -> BenchConfig:
        """The bench file with everything measured so far put in."""
        return self._context.config
