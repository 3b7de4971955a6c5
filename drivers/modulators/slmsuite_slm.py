"""Spatial light modulators through slmsuite's hardware classes: HOLOEYE, Meadowlark, Santec, Thorlabs, Hamamatsu, …

Needs `pip install "labcontrol[slmsuite]"` and the maker's own software. Source: slmsuite.hardware.slms.slm.SLM of
slmsuite 0.5 (`set_phase` passes whole numbers on as they are; `shape`, `bitdepth`, `settle_time_s`). Why this package
stays apart from the others: docs/decisions/0041-slmsuite-apart.md.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import numpy as np
from pydantic import Field

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    DriverOptions,
    Identity,
    Modulator,
    Pattern,
    Shown,
)

_BITS = 8  # of our patterns; the steps of a finer modulator are taken that many times as wide
_PLACE = "slmsuite.hardware.slms"


class SlmsuiteOptions(DriverOptions):
    """Settings of a modulator of slmsuite."""

    model: str = Field(
        pattern=r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$",
        description="module and class within slmsuite.hardware.slms, for example santec.Santec or holoeye.Holoeye",
    )
    arguments: dict[str, str | float | int | bool | list[float] | list[int]] = Field(
        default_factory=dict, description="what that class is to be made with, by name; see slmsuite's documentation"
    )
    settle_time_s: float | None = Field(
        None, gt=0, le=10, description="from a pattern until the light obeys it, in s; by default as slmsuite says"
    )


class SlmsuiteSlm(Modulator):
    """A phase modulator that slmsuite drives. It takes no address: what tells it from others is in its arguments.

    Grey levels go to it as they are; neither slmsuite's phase conversion nor its correction is used.
    """

    Options = SlmsuiteOptions

    def __init__(self, context: DriverContext, options: SlmsuiteOptions) -> None:
        super().__init__(context)
        self._options = options
        self._slm: Any = None
        self._shown = 0

    @classmethod
    def from_bench(cls, address: str, options: SlmsuiteOptions, context: DriverContext) -> Self:
        if address:
            raise DeviceRefusedError(
                context.device, f"takes no address, got {address!r}.", "Name it in its options, as arguments."
            )
        return cls(context, options)

    @property
    def shape(self) -> tuple[int, int]:
        self._require_open()
        rows, columns = self._slm.shape
        return int(rows), int(columns)

    @property
    def bit_depth(self) -> int:
        self._require_open()
        return min(_BITS, int(self._slm.bitdepth))

    @property
    def settle_time_s(self) -> float:
        return self._options.settle_time_s or float(self._slm.settle_time_s if self._slm is not None else 0.0)

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._shown = 0
        with self._asking("connecting", DeviceDisconnectedError):
            self._slm = self._class()(**self._options.arguments)
        if self.settle_time_s <= 0.0:
            raise DeviceRefusedError(
                self.name, "does not know how long it takes to settle.", "Set settle_time_s in the bench file."
            )

    def _close(self) -> None:
        slm, self._slm = self._slm, None
        if slm is not None:
            with suppress(Exception):  # of a modulator that is gone already
                slm.close()

    def _read_identity(self) -> Identity:
        vendor, model = self._options.model.split(".")
        slm = self._slm
        number = next((str(slm.__dict__[key]) for key in ("serial", "serial_number") if slm.__dict__.get(key)), "")
        version = importlib.import_module("slmsuite").__version__
        return Identity(vendor, str(slm.name) or model, number or "unknown", f"slmsuite {version}")

    def _read_status(self) -> DeviceStatus:
        return DeviceStatus(True, "showing", {"patterns": self._shown, "bit_depth": int(self._slm.bitdepth)})

    def _show(self, pattern: Pattern) -> Shown:
        finer = max(0, int(self._slm.bitdepth) - _BITS)
        levels = pattern if int(self._slm.bitdepth) <= _BITS else pattern.astype(np.uint16) << finer
        with self._asking("showing a pattern", DeviceFaultError):
            self._slm.set_phase(levels, phase_correct=False, settle=False)
        self._shown += 1
        return Shown(self._shown, self.clock.now_s())

    # --- inner workings -----------------------------------------------------------------------------------------
    def _class(self) -> Any:
        module, name = self._options.model.split(".")
        try:
            with _environment_kept():
                found = importlib.import_module(f"{_PLACE}.{module}")
        except ImportError as error:
            raise DeviceDisconnectedError(
                self.name,
                f"needs slmsuite and the maker's software ({error}).",
                'Install them: pip install "labcontrol[slmsuite]", and what slmsuite asks for this modulator.',
            ) from error
        if not isinstance(getattr(found, name, None), type):
            raise DeviceRefusedError(
                self.name, f"slmsuite has no class {name} in {module}.", "Correct the model in the bench file."
            )
        return getattr(found, name)

    @contextmanager
    def _asking(self, doing: str, failure: type[DeviceError]) -> Iterator[None]:
        try:
            yield
        except DeviceError:
            raise
        except Exception as error:  # every maker's library has its own
            raise failure(
                self.name,
                f"failed {doing}: {type(error).__name__}: {error}".rstrip(". ") + ".",
                "Check its power, its cable and its arguments in the bench file; then open it again.",
            ) from error


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what OpenCV does when slmsuite imports it: programs started later would use its Qt, and no window open."""
    before = {name: value for name, value in os.environ.items() if name.startswith("QT_")}
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("QT_")]:
            del os.environ[name]
        os.environ.update(before)
