"""Plays a fault script: brings its faults to the simulated table, and to the disk, at their moments."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from drivers.interfaces import Clock, Table
from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig, FaultEntry, FaultScript
from labcontrol.errors import UserError
from labcontrol.records.room import DiskRoom, free_bytes

log = logging.getLogger(__name__)


class FaultPlayer:
    """One script on one table. `epoch` is kept up to date by the run. table: none for faults of the disk only."""

    def __init__(self, script: FaultScript, table: Table | None, clock: Clock) -> None:
        self._script, self._table, self._clock = script, table, clock
        self._random = np.random.default_rng(script.seed)
        self._steps = 0
        self._done = [False] * len(script.fault)
        self._full = 0
        self.epoch = 0

    @property
    def disk_room(self) -> DiskRoom:
        """For the record: sometimes there is none."""
        return DiskRoom(free_bytes=self._free_bytes)

    def step(self) -> None:
        """Call before every step."""
        for k, entry in enumerate(self._script.fault):
            if self._is_due(k, entry):
                self._begin(entry)
        self._steps += 1

    def state(self) -> dict[str, Any]:
        return {
            "steps": self._steps,
            "done": list(self._done),
            "full": self._full,
            "generator": dict(self._random.bit_generator.state),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._steps, self._done, self._full = state["steps"], list(state["done"]), state["full"]
        self._random.bit_generator.state = state["generator"]

    def _is_due(self, k: int, entry: FaultEntry) -> bool:
        if entry.rate is not None:
            return bool(self._random.random() < entry.rate)
        if self._done[k]:
            return False
        self._done[k] = due = (
            (entry.at_s is not None and self._clock.now_s() >= entry.at_s)
            or (entry.at_step is not None and self._steps >= entry.at_step)
            or (entry.at_epoch is not None and self.epoch >= entry.at_epoch)
        )
        return due

    def _begin(self, entry: FaultEntry) -> None:
        log.info("fault script: %s %s", entry.device, entry.kind)
        if entry.device == "disk":
            self._full += entry.times
        elif self._table is not None:
            self._table.inject(entry.device, entry.kind, times=entry.times, seconds=entry.seconds, share=entry.share)

    def _free_bytes(self, folder: Path) -> int:
        if self._full:
            self._full -= 1
            return 0
        return free_bytes(folder)


def check_fault_script(script: FaultScript | None, bench: BenchConfig) -> None:
    """Raises UserError for a script that this bench cannot play."""
    if script is None:
        return
    if bench.table is None:
        raise UserError(
            "Faults on demand are for simulated tables, and this bench has real devices.",
            "Leave --faults and fault_script away, or use the bench 'simulated'.",
        )
    table, _ = driver_classes(bench)["table"]
    script.check(table.fault_kinds())
