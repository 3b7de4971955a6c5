"""What all devices of the simulated table have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from drivers.interfaces import Device, DeviceRefusedError, Identity, Surroundings
from mock_devices.faults import Faults
from mock_devices.table import SimulatedTable


class OnTable(Device):
    """A device that stands on a simulated table and lives by its clock.

    model: what it says it is. part: the table's attribute behind it, whose `faults` are this device's.
    """

    model: ClassVar[str]
    part: ClassVar[str]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        if not isinstance(surroundings.table, SimulatedTable):
            raise DeviceRefusedError(
                surroundings.device,
                "is simulated and needs a simulated table.",
                "Add a [table] section to the bench file.",
            )
        self._table = surroundings.table
        self.clock = self._table.clock
        self._faults: Faults = getattr(self._table, self.part).faults

    @classmethod
    def from_bench(cls, address: str, options: Any, surroundings: Surroundings) -> Self:  # noqa: ARG003 (has neither)
        return cls(surroundings)

    @contextmanager
    def _command(self) -> Iterator[float]:
        """Hold the table, let it catch up, and give the time; fails as a dead line does."""
        with self._table.lock:
            self._faults.check_line(self.name)
            now_s = self.clock.now_s()
            self._table.catch_up(now_s)
            yield now_s

    def _wait_until(self, time_s: float) -> None:
        """Sleep to a time or just past it, whatever the rounding of the clock."""
        while (left_s := time_s - self.clock.now_s()) > 0:
            self.clock.sleep(max(left_s, 1e-9))

    def _read_identity(self) -> Identity:
        o = self._table.options
        return Identity("simulated", self.model, f"{self.model.replace(' ', '-')}-{o.rows}x{o.columns}-{o.seed}", "1")
