"""What GenICam cameras have in common, whoever made the library that reaches them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Literal, Self

from pydantic import Field

from drivers.cameras.features import Value, left_as_found
from drivers.cameras.frames import Pixels, checked_frame
from drivers.cameras.numbering import FrameNumbers, Numbered
from drivers.interfaces import (
    Camera,
    DeviceDisconnectedError,
    DeviceRefusedError,
    DeviceStatus,
    DriverContext,
    DriverOptions,
    Frame,
    Roi,
)

_BITS = {"Mono8": 8, "Mono10": 10, "Mono12": 12, "Mono16": 16}


class GenICamOptions(DriverOptions):
    """Settings of a GenICam camera."""

    pixel_format: Literal["Mono8", "Mono10", "Mono12", "Mono16"] = Field("Mono8", description="bits per pixel")
    readout_time_s: float = Field(0.02, ge=0, le=10, description="from the end of the exposure to the frame, in s")
    buffer_frames: int = Field(16, ge=2, le=1000, description="frames kept until they are read")
    trigger_line: str | None = Field(
        None,
        description="input whose rising edge takes a frame, as Line1, wired to the synch output of SLM or DMD: one "
        "pulse for each frame, after it is asked for; by default frames are triggered by software",
    )
    trigger_edge: Literal["rising", "falling"] = Field("rising", description="edge of a pulse that takes a frame")
    saturation_counts: int | None = Field(
        None, ge=1, description="counts from which a pixel is saturated; by default the largest that the format holds"
    )
    features: dict[str, Value] = Field(
        default_factory=dict,
        description="further features of the camera, by their GenICam names, set when it is opened, after all that "
        "other programs may have left otherwise",
    )


class GenICamCamera(Camera):
    """Base of the cameras whose frames are triggered one by one, by software or by an input line.

    With an input line, the frame of the next pulse after `trigger` is dated when that was called. Frames are numbered
    by the camera; a number that is left out is a frame that was lost.
    """

    def __init__(self, context: DriverContext, address: str, options: GenICamOptions) -> None:
        super().__init__(context)
        self._address, self._options = address, options
        self._camera: Any = None
        self._numbers = FrameNumbers(self.name, self.clock)
        self._roi = Roi(0, 0, 1, 1)
        self._exposure_s = 0.0
        self._stuck: dict[str, str] = {}

    @classmethod
    def from_bench(cls, address: str, options: Any, context: DriverContext) -> Self:
        return cls(context, address, options)

    @property
    def bit_depth(self) -> int:
        return _BITS[self._options.pixel_format]

    def _get_roi(self) -> Roi:
        return self._roi

    def _trigger(self) -> None:
        with self._asking("triggering"):
            self._wait_until_ready()
            self.clock.sleep(self._numbers.on_its_way_s(self.readout_time_s))
            self._discard_frames()
            self._numbers.trigger(self._exposure_s)
            if self._options.trigger_line is None:
                self._trigger_by_software()

    def _read_status(self) -> DeviceStatus:
        frames = self._numbers.counter
        values: dict[str, float | int | str | bool] = {"frames": frames, "exposure_s": self._get_exposure()}
        values |= self._readings()
        summary = f"{frames} frames"
        if self._stuck:
            values["left_as_found"] = left_as_found(self._stuck)
            summary += f", left as found: {values['left_as_found']}"
        return DeviceStatus(True, summary, values)

    # --- for drivers --------------------------------------------------------------------------------------------
    @abstractmethod
    def _asking(self, doing: str) -> AbstractContextManager[None]:
        """Turn errors of the library into those of devices, which say what was being done."""

    @abstractmethod
    def _readings(self) -> dict[str, float]:
        """What the camera says of itself beside frames and exposure."""

    def _wait_until_ready(self) -> None:
        """Until a trigger would be obeyed, where the camera can tell."""

    @abstractmethod
    def _trigger_by_software(self) -> None: ...

    def _require_trigger_line(self, line: str, lines: Iterable[str]) -> None:
        lines = tuple(lines)
        if line not in lines:
            raise DeviceRefusedError(
                self.name, f"has no trigger input {line}, only {', '.join(lines)}.", "Correct trigger_line."
            )

    def _only_one(self, found: list[Any], names: Iterable[str], remedy: str) -> Any:
        """The one camera that the address fits; names: of all that are there."""
        if len(found) == 1:
            return found[0]
        raise DeviceDisconnectedError(
            self.name,
            f"found {len(found)} cameras {self._address or 'without an address'}. Cameras here: "
            f"{', '.join(names) or 'none'}.",
            remedy,
        )

    def _checked(self, pixels: Pixels, numbered: Numbered) -> Frame:
        self._numbers.require_sure(numbered)
        return checked_frame(
            self.name, pixels, self._roi, self.bit_depth, saturation=self._options.saturation_counts,
            counter=numbered.counter, time_s=numbered.time_s, exposure_s=numbered.exposure_s,
        )  # fmt: skip
