"""Which devices of a bench only one process may hold."""

from __future__ import annotations

from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig


def real_devices(bench: BenchConfig) -> list[str]:
    """The devices that are no part of a simulated table, as driver and address; none for a simulated bench.

    Raises UserError when the bench names drivers that do not exist or fit.
    """
    found = []
    for role, (driver, _) in driver_classes(bench).items():
        if role == "table" or driver.on_table:
            continue
        entry = getattr(bench, role)
        found.append(f"{entry.driver} at {entry.address}" if entry.address else f"the {entry.driver}")
    return found
