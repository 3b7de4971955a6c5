"""Modulators that are driven as a screen of this computer: LCOS phase modulators, and DMDs in their video mode."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from drivers.interfaces import (
    DeviceError,
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
from drivers.modulators.areas import Area, differing_area, enlarged, enlarged_area, whole_area
from drivers.modulators.screen_events import ScreenFacts
from drivers.modulators.screen_link import ScreenLink

_NEARLY = 0.95  # of the screen's rows and columns: the active part of a panel


class DisplayOptions(DriverOptions):
    """Settings of a modulator that is a screen."""

    refresh_hz: float | None = Field(
        None, gt=0, le=1000, description="refresh rate of the modulator, in Hz; by default that of its screen"
    )
    latency_frames: float = Field(
        2.0, ge=0, le=20, description="refresh periods from a pattern's drawing until the modulator starts to obey it"
    )
    response_time_s: float = Field(0.0, ge=0, le=1, description="time the pixels then need to settle, in s")
    macro_pixel: int = Field(1, ge=1, le=256, description="screen pixels along the edge of one pixel of a pattern")
    display: str | None = Field(
        None, description="X display the screen belongs to, for example :1; by default the one this program runs on"
    )
    allow_primary: bool = Field(False, description="whether the primary screen may be covered, where people work")


class DisplaySlmOptions(DisplayOptions):
    """Settings of a liquid-crystal modulator that is a screen.

    The grey level on the screen is ``response_table[(pattern + correction_image) modulo 256]``.
    """

    response_time_s: float = Field(0.02, ge=0, le=1, description="time the liquid crystal needs to settle, in s")
    response_table: Path | None = Field(
        None,
        description="text file with a grey level for each of 256 phase levels, or with the one level of a whole wave, "
        "as the maker delivers it",
    )
    correction_image: Path | None = Field(
        None,
        description="8-bit image of the maker that flattens the modulator, of the screen's size or its active part's",
    )
    correction_offset_px: tuple[int, int] | None = Field(
        None, description="row and column of the screen where the correction image begins, where it is smaller"
    )


class DisplayModulator(Modulator):
    """A window without frame on a screen of its own. address: name or serial number of the screen.

    Every pattern stays for one refresh at least: this driver paces itself, because the window system does not. A screen
    that is removed, moved, changed or covered is a fault, not a window somewhere else.
    """

    Options = DisplayOptions
    bench_role: ClassVar[str]

    def __init__(self, context: DriverContext, screen: str, options: DisplayOptions) -> None:
        super().__init__(context)
        self._options = options
        self._link = ScreenLink(self.name, screen, options.allow_primary, options.display)
        self._facts = ScreenFacts(0, 0, 60.0, screen, "", "", "")
        self._next_s = 0.0
        self._last: Pattern | None = None

    @classmethod
    def from_bench(cls, address: str, options: Any, context: DriverContext) -> Self:
        return cls(context, address, options)

    @classmethod
    def discover(cls, search: Search) -> Iterable[Found]:
        return (replace(screen, role=cls.bench_role) for screen in search.on_screens())

    @property
    def shape(self) -> tuple[int, int]:
        self._require_open()
        return self._facts.rows // self._options.macro_pixel, self._facts.columns // self._options.macro_pixel

    @property
    def refresh_hz(self) -> float:
        return self._options.refresh_hz or self._facts.refresh_hz

    @property
    def settle_time_s(self) -> float:
        return self._options.latency_frames / self.refresh_hz + self._options.response_time_s

    # --- device -------------------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._next_s = self.clock.now_s()
        self._last = None
        self._facts = self._link.open()
        self._prepare(self._facts.rows, self._facts.columns)

    def _close(self) -> None:
        self._link.close()

    def _read_identity(self) -> Identity:
        facts = self._facts
        model = f"{facts.model or 'screen'} {facts.columns} x {facts.rows}"
        return Identity(facts.manufacturer or "unknown", model, facts.serial_number or facts.name, f"on {facts.name}")

    def _read_status(self) -> DeviceStatus:
        values: dict[str, float | int | str | bool] = {"screen": self._facts.name, "refresh_hz": self.refresh_hz}
        try:
            self._link.check()
        except DeviceError as error:
            return DeviceStatus(ok=False, summary=error.message.rstrip("."), values=values)
        return DeviceStatus(ok=True, summary="showing", values=values)

    def _show(self, pattern: Pattern) -> Shown:
        self._link.check(thorough=False)
        self.clock.sleep(self._next_s - self.clock.now_s())
        number = self._show_changes(pattern)
        now_s = self.clock.now_s()
        self._next_s = now_s + 1.0 / self.refresh_hz
        return Shown(number, now_s)

    def _show_changes(self, pattern: Pattern) -> int:
        """Draw and show where a pattern differs from the last one."""
        edge, pixels = self._options.macro_pixel, self._link.pixels
        last, self._last = self._last, None  # until this one is on the screen
        if last is None:
            area, shown = whole_area(pattern), whole_area(pixels)
            self._draw(np.zeros_like(pixels), pixels, shown)  # also where no pattern reaches
        else:
            area = differing_area(last, pattern)
            shown = enlarged_area(area, edge)
        self._draw(enlarged(pattern[area], edge), pixels, enlarged_area(area, edge))
        if edge == 1 and self._draws_as_it_is:
            last = pixels
        elif last is None:
            last = pattern.copy()
        else:
            last[area] = pattern[area]
        number = self._link.show(shown)
        self._last = last
        return number

    # --- for kinds ----------------------------------------------------------------------------------------------
    @property
    def _draws_as_it_is(self) -> bool:
        """Whether the grey levels on the screen are those of the pattern."""
        return False

    def _prepare(self, rows: int, columns: int) -> None:
        """Load what belongs to this size of screen."""

    @abstractmethod
    def _draw(self, part: Pattern, screen: NDArray[np.uint8], area: Area) -> None:
        """Write the grey levels that show a part of a pattern into this area of the screen."""


class DisplaySlm(DisplayModulator):
    """A liquid-crystal phase modulator (LCOS) that is a screen of this computer."""

    Options = DisplaySlmOptions
    bench_role = "slm"
    _options: DisplaySlmOptions

    def __init__(self, context: DriverContext, screen: str, options: DisplaySlmOptions) -> None:
        super().__init__(context, screen, options)
        self._table: bytes | None = None
        self._correction: NDArray[np.uint8] | None = None

    @property
    def bit_depth(self) -> int:
        return 8

    def _prepare(self, rows: int, columns: int) -> None:
        options = self._options
        self._table = None if options.response_table is None else self._load_table(options.response_table).tobytes()
        self._correction = (
            None if options.correction_image is None else self._load_image(options.correction_image, (rows, columns))
        )

    @property
    def _draws_as_it_is(self) -> bool:
        return self._correction is None and self._table is None

    def _draw(self, part: Pattern, screen: NDArray[np.uint8], area: Area) -> None:
        if self._correction is not None:
            part = part + self._correction[area]  # modulo 256, which is a whole wave
        if self._table is not None:
            # Twice as fast as an array as index, which would become one of whole numbers of eight bytes.
            part = np.frombuffer(part.tobytes().translate(self._table), dtype=np.uint8).reshape(part.shape)
        screen[area] = part

    def _load_table(self, path: Path) -> NDArray[np.uint8]:
        try:
            words = [re.split(r"[\s,;]+", line.strip()) for line in path.read_text().splitlines() if line.strip()]
            while len(words) > 256 and not _is_number(words[0][0]):
                words.pop(0)  # headings
            numbers = [[float(word) for word in line if word] for line in words]
        except (OSError, ValueError) as error:
            raise self._bad_file(path, f"cannot be read ({error})") from error
        if [len(line) for line in numbers] == [1]:
            return self._whole_wave_at(path, numbers[0][0])
        columns = {len(line) for line in numbers}
        if len(numbers) != 256 or columns not in ({1}, {2}):
            raise self._bad_file(path, f"holds {len(numbers)} lines of {sorted(columns)} numbers, not 256 of 1 or 2")
        if columns == {2} and [line[0] for line in numbers] != list(range(256)):
            raise self._bad_file(path, "has a first column that is not 0, 1, ... 255")
        levels = np.array([line[-1] for line in numbers])
        top = levels.max()
        if not (np.isfinite(levels).all() and levels.min() >= 0 and (top <= 255 or 4095 < top <= 65535)):
            raise self._bad_file(path, "holds levels that are neither from 0 to 255 nor of 16 bits")
        return np.rint(levels / (1 if top <= 255 else 257)).astype(np.uint8)

    def _whole_wave_at(self, path: Path, level: float) -> NDArray[np.uint8]:
        """The table of a modulator with a straight response that reaches a whole wave at this grey level."""
        if not 1 <= level <= 255:
            raise self._bad_file(path, f"holds the one level {level:g}, which is not from 1 to 255")
        return np.rint(np.arange(256) * level / 256).astype(np.uint8)

    def _load_image(self, path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
        from PIL import Image  # only where there is an image

        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("L") if image.mode == "P" else image)
        except Exception as error:  # every decoder has its own way to fail on a damaged file
            raise self._bad_file(path, f"cannot be read ({error})") from error
        if pixels.ndim == 3 and (pixels[..., :3] == pixels[..., :1]).all():
            pixels = pixels[..., 0]  # grey, kept as colour
        if pixels.dtype != np.uint8 or pixels.ndim != 2:
            raise self._bad_file(path, f"is {pixels.dtype} of shape {pixels.shape}, not uint8 of shape {shape}")
        return self._on_the_whole_screen(path, pixels, shape)

    def _on_the_whole_screen(self, path: Path, image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
        offset = self._options.correction_offset_px
        row, column = offset or (0, 0)
        nearly = all(wanted * _NEARLY <= size for size, wanted in zip(image.shape, shape, strict=True))
        if image.shape != shape and not nearly and offset is None:
            raise self._bad_file(
                path,
                f"is uint8 of shape {image.shape}, not uint8 of shape {shape}",
                "Use the file of this modulator, or say with correction_offset_px where it begins.",
            )
        rows, columns = image.shape
        if min(row, column) < 0 or row + rows > shape[0] or column + columns > shape[1]:
            raise self._bad_file(path, f"of shape {image.shape} at {(row, column)} does not lie on a screen of {shape}")
        if image.shape == shape:
            return image
        whole = np.zeros(shape, dtype=np.uint8)
        whole[row : row + rows, column : column + columns] = image
        return whole

    def _bad_file(self, path: Path, what: str, remedy: str = "") -> DeviceRefusedError:
        remedy = remedy or "Use the file the maker delivered for this modulator."
        return DeviceRefusedError(self.name, f"{path} {what}.", remedy)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


class DisplayDmd(DisplayModulator):
    """A micromirror array in its video mode: a screen of this computer that is black or white everywhere."""

    bench_role = "dmd"

    @property
    def bit_depth(self) -> int:
        return 1

    def _draw(self, part: Pattern, screen: NDArray[np.uint8], area: Area) -> None:
        np.multiply(part, 255, out=screen[area])
