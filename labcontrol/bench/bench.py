"""Opens the devices a bench names, by role, and always leaves them safe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from drivers.interfaces import (
    Camera,
    Clock,
    Detector,
    Device,
    DeviceDisconnectedError,
    DeviceError,
    DeviceRefusedError,
    DeviceTimeoutError,
    DriverContext,
    DriverOptions,
    Identity,
    Laser,
    Modulator,
    RealClock,
    Table,
)
from drivers.registry import UnknownDriverError, load_driver
from labcontrol.bench.light import Light
from labcontrol.config import BenchConfig, DeviceEntry, TableEntry, user_error
from labcontrol.errors import UserError
from labcontrol.guardian import GuardedLaser, Limits

log = logging.getLogger(__name__)

D = TypeVar("D", bound=Device)

ROLES: dict[str, type[Device]] = {
    "laser": Laser,
    "slm": Modulator,
    "dmd": Modulator,
    "camera": Camera,
    "detector": Detector,
}


def driver_classes(config: BenchConfig) -> dict[str, tuple[type[Any], DriverOptions]]:
    """The driver class and checked options of each role; touches no hardware. Raises UserError."""
    chosen: dict[str, tuple[type[Any], DriverOptions]] = {}
    if config.table is not None:
        chosen["table"] = _driver_class("table", config.table, Table)
    for role, kind in ROLES.items():
        chosen[role] = _driver_class(role, getattr(config, role), kind)
    return chosen


# What a driver may let through that its interface does not allow, as those from elsewhere do.
_OF_A_DRIVER = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ImportError, AssertionError)


def _open(device: Device) -> None:
    """Open a device; whatever its driver raises names it. Raises DeviceError."""
    try:
        device.open()
    except (DeviceDisconnectedError, DeviceTimeoutError) as error:
        if not isinstance(device, Laser):
            raise
        unknown = f"{error.remedy} Until it answers nobody knows whether it emits: look at it.".strip()
        raise type(error)(error.device, error.message, unknown) from error
    except _OF_A_DRIVER as error:
        driver = f"{type(device).__module__}.{type(device).__qualname__}"
        message = f"could not be opened: its driver {driver} raised {type(error).__name__}: {error}."
        raise DeviceError(device.name, message, "Check address and line; a driver should say what it lacks.") from error


class Bench:
    """Opened devices. Use as a context manager; leaving it switches the laser off and closes everything."""

    def __init__(self, config: BenchConfig) -> None:
        self.config = config
        self._open_devices: list[Device] = []
        classes = driver_classes(config)
        self.table: Table | None = None
        if config.table is not None:
            table_class, options = classes["table"]
            self.table = table_class.from_bench(options)
        self.clock: Clock = self.table.clock if self.table is not None else RealClock()
        self.wait: Callable[[float], None] = self.clock.sleep  # a run puts one here that an abort ends
        self._known: dict[str, Identity] = {}

        def build(role: str, kind: type[D]) -> D:
            driver, options = classes[role]
            entry: DeviceEntry = getattr(config, role)
            context = DriverContext(role, self.clock, self.table)
            if role == "laser" and not driver.on_table:
                limits = Limits(config.laser.power_ceiling_w)
                return GuardedLaser(context, entry.driver, driver, entry.address, options, limits)  # type: ignore[return-value]
            device = driver.from_bench(entry.address, options, context)
            assert isinstance(device, kind)
            return device

        self.laser = build("laser", Laser)
        self.slm = build("slm", Modulator)
        self.dmd = build("dmd", Modulator)
        self.camera = build("camera", Camera)
        self.detector = build("detector", Detector)
        self.light = Light(self.laser, config.laser, self.table)

    @property
    def devices(self) -> dict[str, Device]:
        """All devices by role, the laser first."""
        return {role: getattr(self, role) for role in ROLES}

    @property
    def identities(self) -> dict[str, Identity]:
        return {role: device.identity for role, device in self.devices.items()}

    def open(self) -> Self:
        """Open every device, dark: emission is off afterwards."""
        try:
            for device in self.devices.values():
                self._open_devices.append(device)
                _open(device)
                log.info("opened %s: %s", device.name, device.identity)
            self.laser.emission_off()
            self._check_depths()
            self._set_up_camera()
            self._known = self.identities
        except BaseException:
            self.close()
            raise
        return self

    def reconnect(self, role: str) -> None:
        """Close a device and open it again, dark and with the bench's settings.

        Raises DeviceError when it does not answer, or when it is not the one that was there before.
        """
        device = self.devices[role]
        try:
            device.close()
        except DeviceError as error:
            log.info("closing it before it is connected again: %s", error)
        _open(device)
        known, found = self._known[role], device.identity
        if (found.model, found.serial_number) != (known.model, known.serial_number):
            device.close()
            raise DeviceRefusedError(
                role,
                f"is another device now: {found.model} {found.serial_number} instead of {known.model} "
                f"{known.serial_number}.",
                "Connect the one that was there before.",
            )
        if role == "laser":
            self.light_off("connected again")
        elif role == "camera":
            self._set_up_camera()
        log.info("connected %s again", role)

    def light_on(
        self, wait: Callable[[float], None] | None = None, *, power_w: float | None = None, reason: str = ""
    ) -> None:
        """Set the power, start emission and wait until it is warm.

        wait: how to wait, for example interruptibly; default is `wait`. power_w: the run's where not given. reason: for
        the record. Raises DeviceRefusedError for a real laser that nobody armed (`light.arm`).
        """
        self.light.on(wait or self.wait, power_w, reason)

    def light_off(self, reason: str = "") -> None:
        """Emission off, from any state. reason: for the record."""
        self.light.off(reason)

    def check_light(self) -> None:
        """Raises DeviceError when the laser does not give the light it was told to give."""
        self.light.check()

    @contextmanager
    def good_light(self) -> Iterator[None]:
        """For measuring in the light that was switched on.

        Raises DeviceError when the laser did not give it until the end: also in place of what another device says that
        got none.
        """
        try:
            yield
        except DeviceError as error:
            if error.device != self.laser.name:
                self.check_light()
            raise
        self.check_light()

    def close(self) -> None:
        """Laser off, then close every device; a device that fails to close is logged and the others still close."""
        try:
            self.light_off("the bench is closed")
        except Exception:
            log.exception("the laser did not confirm that emission is off; check it by eye")
        while self._open_devices:
            device = self._open_devices.pop()
            try:
                device.close()
            except Exception:
                log.exception("%s did not close properly", device.name)
        if self.table is not None:
            self.table.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _set_up_camera(self) -> None:
        self.camera.exposure_s = self.config.camera.exposure_s
        self.camera.gain_db = self.config.camera.gain_db

    def _check_depths(self) -> None:
        if self.slm.bit_depth < 2 or self.dmd.bit_depth != 1:
            raise UserError(
                f"The SLM has {self.slm.bit_depth} bit and the DMD {self.dmd.bit_depth} bit a pixel; expected more "
                "than 1 for the SLM and 1 for the DMD.",
                "Are the two entries of the bench file swapped?",
            )


def _driver_class(
    role: str, entry: DeviceEntry | TableEntry, kind: type[Device | Table]
) -> tuple[type[Any], DriverOptions]:
    try:
        driver = load_driver(entry.driver)
    except UnknownDriverError as error:
        raise UserError(f"{role}: {error}", "'labcontrol drivers' lists all drivers.") from None
    except (ImportError, TypeError) as error:
        raise UserError(f"{role}: the driver {entry.driver!r} cannot be used: {error}.") from error
    if not issubclass(driver, kind):
        raise UserError(
            f"{role}: the driver {entry.driver!r} is a {driver.__name__}, but this role needs a {kind.__name__}."
        )
    try:
        return driver, driver.Options.model_validate(entry.options)
    except ValidationError as error:
        raise user_error(error, driver.Options, f"{role}.options of driver {entry.driver!r}") from None
