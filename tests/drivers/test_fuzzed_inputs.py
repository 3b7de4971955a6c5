"""Whatever a window says, a camera delivers or a file holds: only our errors come out."""

from __future__ import annotations

import io
import json
import os
import queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from drivers.cameras.frames import checked_frame, pixels_of
from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DeviceReplyError,
    DeviceTimeoutError,
    DriverContext,
    Roi,
)
from drivers.modulators.areas import whole_area
from drivers.modulators.display import DisplaySlm, DisplaySlmOptions
from drivers.modulators.screen_events import event_of, facts_of, x_window_of
from drivers.modulators.screen_link import ScreenLink

EXAMPLES = int(os.environ.get("LABCONTROL_FUZZ", "30"))
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

READY = {
    "event": "ready",
    "rows": 2,
    "columns": 3,
    "refresh_hz": 60.0,
    "name": "A",
    "manufacturer": "",
    "model": "",
    "primary": False,
}
VALUES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["ready", "shown", "fault", "refused", "x"])},
    optional={name: VALUES for name in [*READY, "x_window", "number", "reason", "screens"] if name != "event"},
)
LINES = (
    st.binary(max_size=60)
    | EVENTS.map(lambda event: json.dumps(event).encode())
    | st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3)).map(lambda value: json.dumps(value).encode())
    | st.just(b"[" * 100_000)
)


@given(LINES)
@FUZZ
def test_whatever_a_window_says_when_it_is_opened_is_facts_or_nothing(line: bytes) -> None:
    event = event_of(line)
    facts, window = facts_of(event), x_window_of(event)
    assert facts is None or (facts.rows >= 0 and facts.columns >= 0 and facts.refresh_hz > 0)
    assert window is None or 0 < window < 2**32


def test_what_a_window_says_of_its_screen_is_read() -> None:
    facts = facts_of(event_of(json.dumps(READY | {"serial_number": "7"}).encode() + b"\n"))
    assert facts is not None
    assert (facts.rows, facts.columns, facts.refresh_hz, facts.serial_number) == (2, 3, 60.0, "7")
    assert facts_of(event_of(json.dumps(READY).encode())) is None


class Talker(ScreenLink):
    """A link whose window says what it is told to say, and is gone after that."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__("slm", "A", allow_primary=False)
        self.pixels = np.zeros((2, 3), dtype=np.uint8)
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._lines = lines

    def _send(self, order: dict[str, Any]) -> None:
        for line in self._lines:
            self._events.put(event_of(line))


@given(st.lists(LINES, max_size=3))
@FUZZ
def test_whatever_a_window_says_when_it_shows_only_our_errors_come_out(lines: list[bytes]) -> None:
    link = Talker([*lines, b'{"event": "shown", "number": 1}'])
    try:
        assert link.show(whole_area(link.pixels)) == 1
    except (DeviceReplyError, DeviceFaultError, DeviceTimeoutError, DeviceDisconnectedError) as error:
        assert error.device == "slm"  # noqa: PT017
        assert lines  # not without a reason


@given(st.binary(max_size=80), st.integers(1, 4), st.integers(1, 4), st.sampled_from([8, 10, 12, 16]))
@FUZZ
def test_whatever_a_camera_delivers_is_a_frame_of_its_region_or_a_fault(
    data: bytes, rows: int, columns: int, bits: int
) -> None:
    try:
        pixels = pixels_of("camera", data, (rows, columns), bits)
        frame = checked_frame("camera", pixels, Roi(0, 0, 3, 3), bits, counter=1, time_s=0.0, exposure_s=0.0)
    except DeviceFaultError:
        return
    assert frame.data.shape == (3, 3)
    assert frame.data.max() < 2**bits


def slm() -> DisplaySlm:
    return DisplaySlm(DriverContext("slm"), "A", DisplaySlmOptions())


def written(path: Path, form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(file, format=form)
    path.write_bytes(file.getvalue())
    return file.getvalue()


@pytest.mark.parametrize("form", ["BMP", "PNG", "TIFF"])
@pytest.mark.filterwarnings("ignore")  # the decoders' own words about damaged files
def test_whatever_a_correction_image_holds_it_is_an_image_of_the_size_or_refused(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"flat.{form}"
    right = written(path, form)

    @given(st.integers(0, len(right) - 1), st.binary(max_size=4), st.integers(0, len(right)))
    @FUZZ
    def read(at: int, put: bytes, end: int) -> None:
        path.write_bytes((right[:at] + put + right[at + len(put) :])[: max(end, at)])
        try:
            assert slm()._load_image(path, (2, 3)).shape == (2, 3)
        except DeviceRefusedError as error:
            assert str(path) in str(error)  # noqa: PT017

    read()


@given(st.binary(max_size=60) | st.lists(st.floats() | st.integers(), min_size=256, max_size=256))
@FUZZ
def test_whatever_a_response_table_holds_it_is_256_levels_or_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(content if isinstance(content, bytes) else "\n".join(map(str, content)).encode())
    try:
        assert slm()._load_table(path).shape == (256,)
    except DeviceRefusedError as error:
        assert str(path) in str(error)  # noqa: PT017
