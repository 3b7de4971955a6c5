"""ViALUX micromirror arrays (DLP V-Modules, SuperSpeed V-Modules) through the maker's ALP library and ALP4lib.

Source: ALP-4.x high-speed API description of ViALUX. Needs the maker's library, and `pip install "labcontrol[alp]"`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    DriverOptions,
    Found,
    Identity,
    Modulator,
    Pattern,
    Search,
    Shown,
)

_LOST = {1001, 1003, 1004, 1011, 1012}  # not found, not valid, allocated by another program, no communication, removed
_REFUSED = {1002, 1005, 1007, 1008}  # not idle, invalid parameter, out of memory, in use
_DMDS = {
    1: "XGA 0.7 D3000",
    2: "SXGA+ 0.95",
    3: "1080p 0.95",
    4: "XGA 0.7",
    5: "XGA 0.55",
    6: "XGA 0.55X",
    7: "WUXGA 0.96",
    8: "WQXGA 0.9",
    9: "WQXGA 0.9",
    12: "WXGA 0.65",
}
_MICROSECOND_S = 1e-6


class VialuxOptions(DriverOptions):
    """Settings of a ViALUX DMD."""

    version: Literal["4.1", "4.2", "4.3", "4.4", "5.0", "5.1"] = Field("4.3", description="version of the ALP library")
    library_folder: Path | None = Field(
        None, description="folder of the ALP library; by default where its installation puts it"
    )
    switching_time_s: float = Field(
        20e-6, ge=0, le=1, description="time the mirrors need to move and come to rest, in s"
    )
    hold_time_s: float = Field(
        2e-4, ge=2e-5, le=1, description="refresh period of a single pattern, in s; a new one waits for its end"
    )


class VialuxDmd(Modulator):
    """A ViALUX DMD in binary mode without dark phases. address: serial number, or empty for the first one found.

    Sequences are kept in the memory of the controller and played by it at an exact rate; the controller's synch output
    gives a pulse with every pattern, the first of which triggers a detector.
    """

    Options = VialuxOptions

    def __init__(self, context: DriverContext, serial_number: int | None, options: VialuxOptions) -> None:
        super().__init__(context)
        self._serial_number = serial_number
        self._options = options
        self._alp: Any = None
        self._api: Any = None
        self._shape = (0, 0)
        self._memory = 0
        self._shortest_us = 1
        self._single: list[Any] = []
        self._sequence: Any = None
        self._sequence_us = 0
        self._played = False
        self._spare_from_s = 0.0
        self._shown = 0

    @classmethod
    def from_bench(cls, address: str, options: VialuxOptions, context: DriverContext) -> Self:
        if address and not address.isdigit():
            raise DeviceRefusedError(
                context.device, f"{address!r} is not a serial number.", "Write its digits, or nothing."
            )
        return cls(context, int(address) if address else None, options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        _load("DMDs of ViALUX")
        if not search.identify:
            search.note("DMDs of ViALUX are looked for where devices may be asked: only opening tells of them.")
            return
        with cls.from_bench("", cls.Options(), DriverContext("DMDs of ViALUX")) as device:
            identity = device.identity
        yield Found(identity.serial_number, f"{identity.vendor} {identity.model}", role="dmd")

    # --- modulator ----------------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, int]:
        self._require_open()
        return self._shape

    @property
    def bit_depth(self) -> int:
        return 1

    @property
    def settle_time_s(self) -> float:
        return self._hold_us * _MICROSECOND_S + self._options.switching_time_s

    @property
    def max_sequence_length(self) -> int:
        self._require_open()
        return self._memory

    @property
    def max_pattern_rate_hz(self) -> float:
        self._require_open()
        return 1.0 / (self._shortest_us * _MICROSECOND_S)

    def _show(self, pattern: Pattern) -> Shown:
        with self._asking("showing a pattern"):
            self._finish_sequence()
            self.clock.sleep(self._spare_from_s - self.clock.now_s())
            shown, spare = self._single
            self._put(spare, pattern[None])
            self._alp.Run(spare, loop=True)
            self._single = [spare, shown]
        # The pattern before is in use until its refresh period ends.
        self._spare_from_s = self.clock.now_s() + self._hold_us * _MICROSECOND_S
        return self._count()

    def _load_sequence(self, patterns: Pattern) -> None:
        with self._asking("loading a sequence"):
            self._finish_sequence()
            self._free_sequence()
            self._sequence = self._allocate(len(patterns))
            self._put(self._sequence, patterns)

    def _play(self, rate_hz: float) -> Shown:
        if self._sequence is None:
            raise DeviceRefusedError(self.name, "has no sequence to play.", "Load one first.")
        period_us = round(1e6 / rate_hz)
        if abs(period_us * rate_hz - 1e6) > 1e-6 * 1e6:
            raise DeviceRefusedError(
                self.name,
                f"counts whole microseconds: {rate_hz:g} Hz is a period of {1e6 / rate_hz:g} us.",
                f"Ask for {1e6 / period_us:.6f} Hz.",
            )
        with self._asking("playing a sequence"):
            self._finish_sequence()
            if period_us != self._sequence_us:
                self._alp.SetTiming(self._sequence, pictureTime=period_us)
                self._sequence_us = period_us
            self._alp.Halt()  # ends the single pattern, or the sequence would wait for the end of its refresh period
            self._alp.Run(self._sequence, loop=False)
            self._played = True
        return self._count()

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._api = api = _load(self.name)
        self._shown, self._sequence, self._sequence_us, self._played = 0, None, 0, False
        self._spare_from_s = self.clock.now_s()
        folder = self._options.library_folder
        with self._asking("loading the ALP library"), contextlib.redirect_stdout(io.StringIO()):
            alp = api.ALP4(version=self._options.version, libDir=None if folder is None else str(folder))
        with self._asking("connecting"), contextlib.redirect_stdout(io.StringIO()):
            self._alp = alp
            alp.Initialize(self._serial_number)
        with self._asking("setting up"):
            self._shape = (alp.nSizeY, alp.nSizeX)
            self._single = [self._allocate(1), self._allocate(1)]
            self._shortest_us = alp.SeqInquire(api.ALP_MIN_PICTURE_TIME, self._single[0])
            for sequence in self._single:
                alp.SetTiming(sequence, pictureTime=self._hold_us)
            self._memory = alp.DevInquire(api.ALP_AVAIL_MEMORY)

    def _close(self) -> None:
        alp, self._alp = self._alp, None
        if alp is None:
            return
        for end in (alp.Halt, alp.Free):
            with contextlib.suppress(self._api.ALPError, KeyError, OSError):  # of a device that is gone already
                end()

    def _read_identity(self) -> Identity:
        with self._asking("asking for its identity"):
            serial_number = self._alp.DevInquire(self._api.ALP_DEVICE_NUMBER)
            version = self._alp.DevInquire(self._api.ALP_VERSION)
        model = f"{_DMDS.get(self._alp.DMDType.value, 'DMD')} {self._shape[1]} x {self._shape[0]}"
        return Identity("ViALUX", model, str(serial_number), f"{version} with ALP-{self._options.version}")

    def _read_status(self) -> DeviceStatus:
        with self._asking("asking for its state"):
            free = self._alp.DevInquire(self._api.ALP_AVAIL_MEMORY)
        return DeviceStatus(True, f"{self._shown} patterns shown", {"patterns": self._shown, "free_patterns": free})

    # --- inner workings -----------------------------------------------------------------------------------------
    @property
    def _hold_us(self) -> int:
        return max(self._shortest_us, round(self._options.hold_time_s / _MICROSECOND_S))

    def _allocate(self, count: int) -> Any:
        sequence = self._alp.SeqAlloc(count, 1)
        self._alp.SeqControl(self._api.ALP_BIN_MODE, self._api.ALP_BIN_UNINTERRUPTED, sequence)
        self._alp.SeqControl(self._api.ALP_DATA_FORMAT, self._api.ALP_DATA_BINARY_TOPDOWN, sequence)
        return sequence

    def _put(self, sequence: Any, patterns: NDArray[np.uint8]) -> None:
        self._alp.SeqPut(np.packbits(patterns, axis=-1), sequence)

    def _finish_sequence(self) -> None:
        if self._played:
            self._alp.Wait()
            self._played = False

    def _free_sequence(self) -> None:
        sequence, self._sequence, self._sequence_us = self._sequence, None, 0
        if sequence is not None:
            with contextlib.redirect_stdout(io.StringIO()):  # ALP4lib prints what it cannot free
                self._alp.FreeSeq(sequence)

    def _count(self) -> Shown:
        self._shown += 1
        return Shown(self._shown, self.clock.now_s())

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except self._api.ALPError as error:
            codes = {text: code for code, text in self._api.ALP_ERRORS.items()}
            code = codes.get(str(error), 0)
            message = f"failed {doing}: {error} (ALP error {code})"
            if code in _LOST:
                raise DeviceDisconnectedError(
                    self.name, message, "Check power and USB, and that no other program uses it; then open it again."
                ) from error
            if code in _REFUSED:
                raise DeviceRefusedError(self.name, message, "Check the number of patterns and their rate.") from error
            raise DeviceFaultError(self.name, message, "Switch it off and on, and open it again.") from error
        except KeyError as error:  # ALP4lib looks its messages up and does not know them all
            raise DeviceFaultError(
                self.name, f"failed {doing}: ALP error {error}.", "Look the number up in the ALP API description."
            ) from error
        except (OSError, ValueError) as error:
            raise DeviceDisconnectedError(
                self.name,
                f"failed {doing}: {error}.",
                "Install the maker's ALP library, and give its folder and version.",
            ) from error


def _load(name: str) -> Any:
    try:
        import ALP4
    except ImportError as error:
        raise DeviceDisconnectedError(
            name, "needs the package ALP4lib.", 'Install it: pip install "labcontrol[alp]".'
        ) from error
    return ALP4
