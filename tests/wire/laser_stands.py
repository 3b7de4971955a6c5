"""Each laser driver in front of its emulated laser, on a line of the kind it has in a laboratory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from drivers.interfaces import DeviceError, DriverContext, Laser
from drivers.lasers.cobolt import CoboltLaser, CoboltOptions
from drivers.lasers.ibeam import IBeamLaser, IBeamOptions
from drivers.lasers.obis import ObisLaser
from drivers.lasers.thorlabs_diode import ThorlabsDiodeLaser, ThorlabsDiodeOptions
from drivers.lasers.wired_laser import SerialLaserOptions
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.ibeam import IBeamInstrument
from mock_devices.wire.instrument import Instrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.obis import ObisInstrument
from mock_devices.wire.ports import Port, PtyPort, TcpPort
from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

TIMEOUT_S = float(os.environ.get("LABCONTROL_WIRE_TIMEOUT_S", "0.1"))  # short for tests, longer on a busy computer
START_S = 0.4
AT_BENCH = DriverContext("laser")


@dataclass
class Stand:
    """laser: the driver, not open yet; head: the emulated electronics, where it is seen what really happens."""

    laser: Laser
    port: Port
    head: LaserElectronics


def _cobolt(head: LaserElectronics) -> tuple[Instrument, Callable[[Port], Laser]]:
    options = CoboltOptions(timeout_s=TIMEOUT_S, start_time_s=START_S, command_spacing_s=0.0)
    return CoboltInstrument(head), lambda port: CoboltLaser.from_bench(port.address, options, AT_BENCH)


def _obis(head: LaserElectronics) -> tuple[Instrument, Callable[[Port], Laser]]:
    options = SerialLaserOptions(timeout_s=TIMEOUT_S, start_time_s=START_S)
    return ObisInstrument(head), lambda port: ObisLaser.from_bench(port.address, options, AT_BENCH)


def _ibeam(head: LaserElectronics) -> tuple[Instrument, Callable[[Port], Laser]]:
    options = IBeamOptions(timeout_s=TIMEOUT_S, start_time_s=START_S)
    return IBeamInstrument(head), lambda port: IBeamLaser.from_bench(port.address, options, AT_BENCH)


def _thorlabs(head: LaserElectronics) -> tuple[Instrument, Callable[[Port], Laser]]:
    options = ThorlabsDiodeOptions(
        timeout_s=TIMEOUT_S, start_time_s=START_S, threshold_a=0.05, slope_w_per_a=0.8, temperature_c=25.0
    )

    def build(port: Port) -> Laser:
        assert isinstance(port, TcpPort)
        return ThorlabsDiodeLaser.from_bench(port.visa_address, options, AT_BENCH)

    return ThorlabsDiodeInstrument(head), build


KINDS = {"cobolt": _cobolt, "obis": _obis, "ibeam": _ibeam, "thorlabs": _thorlabs}


@contextmanager
def stand(kind: str) -> Iterator[Stand]:
    """A laser plugged in; closed and unplugged in the end, whatever has happened to it."""
    head = LaserElectronics(max_power_w=0.1, min_power_w=0.001 if kind == "obis" else 0.0)
    instrument, build = KINDS[kind](head)
    with (TcpPort if kind == "thorlabs" else PtyPort)(instrument) as port:
        made = Stand(build(port), port, head)
        try:
            yield made
        finally:
            try:
                made.laser.close()
            except DeviceError:
                made.laser.close()
