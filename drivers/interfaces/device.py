"""What every device on the bench has in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from drivers.interfaces.clock import Clock, RealClock
from drivers.interfaces.discovery import Found, Search
from drivers.interfaces.errors import DeviceLimitError, DeviceNotOpenError


class DriverOptions(BaseModel):
    """What a bench file may say about one device, beyond its driver and address.

    A driver with settings of its own subclasses this; unknown keys are refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Identity:
    """Who a device says it is; read when it is opened, and kept in every record.

    Attributes
    ----------
    vendor, model, serial_number, firmware : str
        In the device's own words; none is empty.
    """

    vendor: str
    model: str
    serial_number: str
    firmware: str

    def __str__(self) -> str:
        return f"{self.vendor} {self.model}, serial number {self.serial_number}, firmware {self.firmware}"


@dataclass(frozen=True)
class DeviceStatus:
    """What a device reports about itself now.

    Attributes
    ----------
    ok : bool
        Whether nothing stands in the way of a run.
    summary : str
        One line in plain words.
    values : mapping of str to float, int, str or bool
        Readings, with their unit in the name, for example ``temperature_c``.
    """

    ok: bool
    summary: str
    values: Mapping[str, float | int | str | bool] = field(default_factory=dict)


class Table(ABC):
    """A shared apparatus behind several devices; only simulated benches have one.

    It owns the clock its devices live by. `snapshot` and `restore` carry its whole state over a restart of the
    program, so that an interrupted run can go on exactly.
    """

    Options: ClassVar[type[DriverOptions]] = DriverOptions

    @classmethod
    @abstractmethod
    def from_bench(cls, options: DriverOptions) -> Self:
        """Build the table from its section of the bench file.

        Parameters
        ----------
        options : DriverOptions
            An instance of `Options`.

        Returns
        -------
        Table
            The table.
        """

    @property
    @abstractmethod
    def clock(self) -> Clock:
        """The time of this table, real or virtual."""

    @abstractmethod
    def snapshot(self) -> bytes:
        """Save everything that decides what the table does next.

        Returns
        -------
        bytes
            For `restore`.
        """

    @abstractmethod
    def restore(self, state: bytes) -> None:
        """Continue from a `snapshot` of a table with the same options.

        Parameters
        ----------
        state : bytes
            What `snapshot` gave.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; may be called more than once."""

    @classmethod
    def fault_kinds(cls) -> Mapping[str, tuple[str, ...]]:
        """List what can be made to go wrong.

        Returns
        -------
        mapping of str to tuple of str
            Kinds of faults by device.
        """
        return {}

    def inject(self, device: str, kind: str, *, times: int, seconds: float | None, share: float) -> None:
        """Let something go wrong.

        Parameters
        ----------
        device : str
            A key of `fault_kinds`.
        kind : str
            One of its faults.
        times : int
            How often, for faults of single commands and frames.
        seconds : float or None
            For how long, for states such as an open interlock; until `mend` where None.
        share : float
            Share of the power that is missing, when a laser droops.

        Raises
        ------
        ValueError
            For what is not among `fault_kinds`.
        """
        raise ValueError(f"{device} knows no fault {kind!r}")

    def mend(self) -> None:  # noqa: B027 (a table without faults on demand has nothing to mend)
        """A person has been at the table: what was wrong until then no longer is."""

    def shine(self, power_w: float) -> None:
        """Let light of a laser that does not stand on the table fall on it.

        Parameters
        ----------
        power_w : float
            Its power, in W; 0 for none.

        Raises
        ------
        NotImplementedError
            By tables without a place for it.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class DriverContext:
    """What a driver is given besides its own settings.

    Attributes
    ----------
    device : str
        Name of the device on its bench, used in every message.
    clock : Clock
        The time to wait on.
    table : Table or None
        The simulated table it stands on, where there is one.
    """

    device: str
    clock: Clock = field(default_factory=RealClock)
    table: Table | None = None


class Device(ABC):
    """Base of every driver: open, identify, report, close.

    Parameters
    ----------
    context : DriverContext
        Name, clock and table.

    Notes
    -----
    Public methods validate and document; a driver fills the protected hooks. `close` may be called from any state,
    any number of times.
    """

    role: ClassVar[str]
    on_table: ClassVar[bool] = False  # whether it is part of a simulated table
    tried_on_hardware: ClassVar[str] = "no"  # when, and on which model; by whoever stood beside it
    Options: ClassVar[type[DriverOptions]] = DriverOptions

    def __init__(self, context: DriverContext) -> None:
        self.name = context.device
        self.clock = context.clock
        self._identity: Identity | None = None
        self._conditions: dict[str, str | float] = {}

    @classmethod
    @abstractmethod
    def from_bench(cls, address: str, options: Any, context: DriverContext) -> Self:
        """Build the driver from its bench entry; touches no hardware.

        Parameters
        ----------
        address : str
            Where the device is, in the driver's own words (port, resource, serial number); may be empty.
        options : DriverOptions
            An instance of `Options`.
        context : DriverContext
            Name, clock and table.

        Returns
        -------
        Device
            The driver, not opened yet.
        """

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:  # noqa: ARG003 (drivers use it)
        """Find devices for this driver. Opens none of them, but where the search may `identify`.

        Parameters
        ----------
        search : Search
            What may be asked where.

        Returns
        -------
        iterable of Found
            Where devices are, or may be. By default nowhere: the driver can only be named.

        Raises
        ------
        DeviceError
            When a package that the driver needs is missing.
        """
        return ()

    # --- life ---------------------------------------------------------------------------------------------------
    def open(self) -> Self:
        """Connect and read the identity. Opening an open device does nothing.

        Returns
        -------
        Device
            The device itself.

        Raises
        ------
        DeviceError
            When it cannot be opened; it is closed then.
        """
        if self._identity is None:
            try:
                self._open()
                self._identity = self._read_identity()
            except BaseException:
                self._close()
                raise
        return self

    def close(self) -> None:
        """Leave the device in its safe state and let go of it."""
        try:
            self._close()
        finally:
            self._identity = None

    @property
    def is_open(self) -> bool:
        """Whether the device is open, as far as this program knows."""
        return self._identity is not None

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware as read when the device was opened.

        Raises
        ------
        DeviceNotOpenError
            While the device is closed.
        """
        if self._identity is None:
            raise DeviceNotOpenError(self.name, "is not open.", "Open it before it is used.")
        return self._identity

    @property
    def conditions(self) -> Mapping[str, str | float]:
        """Settings of the device that the driver relies on, as read when it was opened, by name; kept in the record."""
        self._require_open()
        return self._conditions

    def status(self) -> DeviceStatus:
        """Ask the device for its own report on itself.

        Returns
        -------
        DeviceStatus
            Whether all is well, in one line, and readings.
        """
        self._require_open()
        return self._read_status()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- for drivers --------------------------------------------------------------------------------------------
    def _require_open(self) -> None:
        if self._identity is None:
            raise DeviceNotOpenError(self.name, "is not open.", "Open it before it is used.")

    def _require_within(self, what: str, value: float, limits: tuple[float, float], unit: str) -> None:
        """Refuse a value outside its limits (both ends allowed); nothing is ever clipped."""
        low, high = limits
        if not (math.isfinite(value) and low <= value <= high):
            raise DeviceLimitError(self.name, f"{what} must be from {low:g} to {high:g} {unit}, not {value:g} {unit}.")

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _close(self) -> None:
        """Safe from any state, also half opened; never raises for a device that is already gone."""

    @abstractmethod
    def _read_identity(self) -> Identity: ...

    @abstractmethod
    def _read_status(self) -> DeviceStatus: ...
