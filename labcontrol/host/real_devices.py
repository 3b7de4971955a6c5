"""Which devices of a bench only one process may hold."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from labcontrol.bench import driver_classes
from labcontrol.config import BenchConfig
from labcontrol.host.directory import HostPlace, hosts_folder


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


@contextmanager
def held(bench: BenchConfig) -> Iterator[None]:
    """Hold the real devices of a bench against every host, for a program that opens them itself.

    Raises UserError when another process holds one of them.
    """
    devices = real_devices(bench)
    if not devices:
        yield
        return
    place = HostPlace(hosts_folder(), secrets.token_hex(6))
    try:
        place.hold(devices, bench.name)
        yield
    finally:
        place.close()
