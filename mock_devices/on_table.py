"""What all devices of the simulated table have in common."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from drivers.interfaces import Device, DeviceRefusedError, DriverContext, Identity
from mock_devices.faults import Faults
from mock_devices.table import SimulatedTable


class Command:
    """``with command as now_s``: holds the table, lets it catch up, gives the time; fails as a dead line does.

    A class rather than a generator: it is entered a dozen times a step.
    """

    def __init__(self, table: SimulatedTable, faults: Faults, device: str) -> None:
        self._table = table
        self._faults = faults
        self._device = device

    def __enter__(self) -> float:
        self._table.lock.acquire()
        try:
            now_s = self._table.clock.now_s()
            if self._table.injection.next_end_s <= now_s:
                self._table.injection.end(now_s)
            self._faults.check_line(self._device)
            self._table.catch_up(now_s)
        except BaseException:
            self._table.lock.release()
            raise
        return now_s

    def __exit__(self, *_: object) -> None:
        self._table.lock.release()


class OnTable(Device):
    """A device that stands on a simulated table and lives by its clock.

    model: what it says it is. part: the table's attribute behind it, whose `faults` are this device's.
    """

    on_table = True
    model: ClassVar[str]
    part: ClassVar[str]

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context)
        if not isinstance(context.table, SimulatedTable):
            raise DeviceRefusedError(
                context.device,
                "is simulated and needs a simulated table.",
                "Add a [table] section to the bench file.",
            )
        self._table = context.table
        self.clock = self._table.clock
        self._faults: Faults = getattr(self._table, self.part).faults
        self._command = Command(self._table, self._faults, self.name)

    @classmethod
    def from_bench(cls, address: str, options: Any, context: DriverContext) -> Self:  # noqa: ARG003 (has neither)
        return cls(context)

    def _wait_until(self, time_s: float) -> None:
        """Sleep to a time or just past it, whatever the rounding of the clock."""
        while (left_s := time_s - self.clock.now_s()) > 0:
            self.clock.sleep(max(left_s, 1e-9))

    def _read_identity(self) -> Identity:
        o = self._table.options
        return Identity("simulated", self.model, f"{self.model.replace(' ', '-')}-{o.rows}x{o.columns}-{o.seed}", "1")
