"""Break the line of each laser at every point of a session, and see when its emulated head is dark.

For each driver, with and without its guardian, and at every command of a session with light: the line is unplugged,
mute (answers do not arrive), deaf (commands do not arrive), garbled, late, or the process that holds the laser is
stopped. "Off" is due when the session asks for it, or when the guardian must have noticed. The head's own clock says
when it was dark. Where the wire to the laser is cut no program can do anything: there the time counts from the moment
it is whole again.

    python benchmarks/off_campaign.py                     # everything: about half an hour
    python benchmarks/off_campaign.py --stride 8 --json   # every eighth point
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from drivers.interfaces import DeviceError, DriverContext, DriverOptions, Laser
from drivers.lasers.wired_laser import WiredLaser
from drivers.registry import load_driver
from labcontrol.guardian import GuardedLaser, Limits
from labcontrol.guardian.messages import GUARDIAN_SILENCE_S, UNREAD_S
from mock_devices.wire.cobolt import CoboltInstrument
from mock_devices.wire.ibeam import IBeamInstrument
from mock_devices.wire.instrument import Instrument
from mock_devices.wire.laser_electronics import LaserElectronics
from mock_devices.wire.line_faults import Kind, LineFaults
from mock_devices.wire.obis import ObisInstrument
from mock_devices.wire.ports import Port, PtyPort, TcpPort
from mock_devices.wire.thorlabs_diode import ThorlabsDiodeInstrument

IN_TIME_S = 0.5
PATIENCE_S = 30.0
FOREVER = 10**6
INSTRUMENTS: dict[str, Callable[[LaserElectronics], Instrument]] = {
    "cobolt-06": CoboltInstrument,
    "coherent-obis": ObisInstrument,
    "toptica-ibeam-smart": IBeamInstrument,
    "thorlabs-laser-diode": ThorlabsDiodeInstrument,
}
KINDS = ("unplugged", "mute", "deaf", "garbled", "late", "stopped")
CUT = ("unplugged", "deaf")  # nothing reaches the laser until the line is whole again


@dataclass(frozen=True)
class Broken:
    """What came of one fault. dark_s: since off was due, or could arrive again; infinite where the laser stayed on."""

    driver: str
    guarded: bool
    kind: str
    point: int
    dark_s: float
    said: str

    @property
    def in_time(self) -> bool:
        return self.dark_s < IN_TIME_S


@dataclass
class Stand:
    laser: Laser
    port: Port
    head: LaserElectronics


@contextmanager
def stand(driver: str, *, guarded: bool, timeout_s: float) -> Iterator[Stand]:
    """A laser plugged in, not open; ended by force where it must be."""
    head = LaserElectronics(max_power_w=0.1, min_power_w=0.001 if driver == "coherent-obis" else 0.0)
    with (TcpPort if driver == "thorlabs-laser-diode" else PtyPort)(INSTRUMENTS[driver](head)) as port:
        kind = load_driver(driver)
        assert issubclass(kind, WiredLaser)
        settings = {"timeout_s": timeout_s, "warm_up_time_s": 0.0, "start_time_s": 2.0}
        if driver == "cobolt-06":
            settings["command_spacing_s"] = 0.0
        if driver == "thorlabs-laser-diode":
            settings |= {"threshold_a": 0.05, "slope_w_per_a": 0.8, "temperature_c": 25.0}
        options: DriverOptions = kind.Options.model_validate(settings)
        address = port.visa_address if isinstance(port, TcpPort) else port.address
        context = DriverContext("laser")
        laser: Laser = (
            GuardedLaser(context, driver, kind, address, options, Limits())
            if guarded
            else kind.from_bench(address, options, context)
        )
        try:
            yield Stand(laser, port, head)
        finally:
            port.line_faults = LineFaults()
            with contextlib.suppress(DeviceError):
                laser.close()


def session(laser: Laser) -> None:
    """What a run does with a laser, light included."""
    if isinstance(laser, GuardedLaser):
        laser.arm("the campaign: no laser here is real")
    laser.power_setpoint_w = 0.02
    laser.emission_on()
    for _ in range(3):
        _ = laser.power_w
        _ = laser.interlock_closed
    laser.status()


def points_of_a_session(driver: str) -> int:
    with stand(driver, guarded=False, timeout_s=0.3) as made:
        made.laser.open()
        before = len(made.port.received)
        session(made.laser)
        return len(made.port.received) - before


def broken(driver: str, kind: str, point: int, *, guarded: bool, timeout_s: float) -> Broken:
    """One session in which something breaks at one point, and is ended then."""
    with stand(driver, guarded=guarded, timeout_s=timeout_s) as made:
        made.laser.open()
        happened = threading.Event()
        break_it(made, kind, point, happened)
        said = ""
        try:
            session(made.laser)
        except DeviceError as error:
            said = str(error)
        happened.wait(1.0)
        due_s = time.monotonic()
        if kind == "stopped":
            due_s += GUARDIAN_SILENCE_S  # until then the application cannot know
        ended = threading.Thread(target=switch_off, args=(made.laser,), daemon=True)
        ended.start()
        if kind in CUT:
            time.sleep(UNREAD_S)
            due_s = time.monotonic()
            made.port.line_faults = LineFaults()
            if kind == "unplugged":
                made.port.plug()
        dark_s = dark_after(made.head, due_s)
        made.port.line_faults = LineFaults()
        if not made.port.is_plugged:
            made.port.plug()
        ended.join(PATIENCE_S)
        return Broken(driver, guarded, kind, point, dark_s, said)


def break_it(made: Stand, kind: str, point: int, happened: threading.Event) -> None:
    """Plan what happens at one command of the session; faults of the line last until it is mended."""
    port, laser = made.port, made.laser
    lasting: dict[str, Kind] = {"mute": "silent", "deaf": "deaf", "garbled": "garbled", "late": "late"}

    def begin() -> None:
        happened.set()
        if kind in lasting:
            port.line_faults.plan(lasting[kind], times=FOREVER, seconds=0.2)
        elif kind == "unplugged":
            threading.Thread(target=port.unplug).start()
        else:
            assert isinstance(laser, GuardedLaser)
            assert laser.guardian_pid is not None
            os.kill(laser.guardian_pid, signal.SIGSTOP)

    port.line_faults.plan("event", after=point, event=begin)


def switch_off(laser: Laser) -> None:
    """As a run does it: off, until it is confirmed or there is no guardian any more, and then closed."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s and laser.is_open:
        try:
            laser.emission_off()
            break
        except DeviceError:
            time.sleep(0.1)
    with contextlib.suppress(DeviceError):
        laser.close()


def dark_after(head: LaserElectronics, due_s: float) -> float:
    """Seconds from a moment until the head was dark; 0 where it was before, infinite where it stayed on."""
    deadline_s = time.monotonic() + PATIENCE_S
    while head.emitting:
        if time.monotonic() > deadline_s:
            return float("inf")
        time.sleep(0.002)
    return max(0.0, head.emission_log[-1][0] - due_s) if head.emission_log else 0.0


def campaign(drivers: list[str], kinds: list[str], stride: int, timeout_s: float) -> Iterator[Broken]:
    for driver in drivers:
        points = points_of_a_session(driver)
        for guarded in (False, True):
            for kind in kinds:
                if kind == "stopped" and not guarded:
                    continue  # the process that is stopped is the guardian
                for point in range(0, points, stride):
                    yield broken(driver, kind, point, guarded=guarded, timeout_s=timeout_s)


def table(found: list[Broken]) -> str:
    lines = [f"{'driver':22}{'guardian':10}{'fault':11}{'points':>7}{'in time':>9}{'median s':>10}{'latest s':>10}"]
    groups: dict[tuple[str, bool, str], list[Broken]] = {}
    for one in found:
        groups.setdefault((one.driver, one.guarded, one.kind), []).append(one)
    for (driver, guarded, kind), group in groups.items():
        times = sorted(one.dark_s for one in group)
        right = sum(one.in_time for one in group)
        guardian = "with" if guarded else "without"
        numbers = f"{len(group):7}{right:9}{times[len(times) // 2]:10.3f}{times[-1]:10.3f}"
        lines.append(f"{driver:22}{guardian:10}{kind:11}{numbers}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", default=",".join(INSTRUMENTS))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--stride", type=int, default=1, help="every how many-th point of a session")
    parser.add_argument("--timeout-s", type=float, default=0.3, help="longest time for one answer, of the drivers")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    drivers, kinds = arguments.drivers.split(","), arguments.kinds.split(",")
    found = []
    for one in campaign(drivers, kinds, arguments.stride, arguments.timeout_s):
        found.append(one)
        if not one.in_time:
            print(f"NOT IN TIME: {one}", file=sys.stderr)
    print(json.dumps([asdict(one) for one in found]) if arguments.json else table(found))
    late = [one for one in found if not one.in_time]
    if not arguments.json:
        print(f"{len(found)} faults, {len(found) - len(late)} dark within {IN_TIME_S:g} s of the moment off was due")
    return int(bool(late))


if __name__ == "__main__":
    sys.exit(main())
