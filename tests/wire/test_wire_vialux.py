"""The ViALUX driver through the unmodified ALP4lib, on a stand-in for the maker's library compiled here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("ALP4", reason='needs ALP4lib: pip install "labcontrol[alp]"')
if not sys.platform.startswith("linux"):
    pytest.skip("the stand-in is compiled for Linux only", allow_module_level=True)

from drivers.interfaces import (
    DeviceDisconnectedError,
    DeviceFaultError,
    DeviceRefusedError,
    DriverContext,
    Pattern,
)
from drivers.modulators.vialux import VialuxDmd, VialuxOptions
from mock_devices.wire.alp import SERIAL_NUMBER, MirrorArray, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> MirrorArray:
    return MirrorArray(tmp_path_factory.mktemp("alp"), rows=48, columns=64)


@pytest.fixture
def mirrors(compiled: MirrorArray) -> Iterator[MirrorArray]:
    yield compiled
    compiled.reset()


@pytest.fixture
def dmd(mirrors: MirrorArray) -> Iterator[VialuxDmd]:
    options = VialuxOptions(library_folder=mirrors.folder)
    device = VialuxDmd.from_bench("", options, DriverContext("dmd"))
    yield device
    device.close()


def noise(count: int = 1) -> Pattern:
    return np.random.default_rng(5).integers(0, 2, (count, 48, 64), dtype=np.uint8)


def test_it_says_who_it_is(dmd: VialuxDmd) -> None:
    with dmd:
        assert dmd.identity.vendor == "ViALUX"
        assert dmd.identity.serial_number == str(SERIAL_NUMBER)
        assert dmd.shape == (48, 64)
        assert dmd.max_pattern_rate_hz == pytest.approx(20_000.0)
        assert dmd.status().values["free_patterns"] == dmd.max_sequence_length


def test_patterns_reach_the_mirrors_bit_by_bit(dmd: VialuxDmd, mirrors: MirrorArray) -> None:
    with dmd:
        for number, pattern in enumerate(noise(5), start=1):
            assert dmd.show_settled(pattern).id == number
            np.testing.assert_array_equal(mirrors.now(), pattern)


def test_a_sequence_is_played_once_at_its_rate_and_its_last_pattern_stays(dmd: VialuxDmd, mirrors: MirrorArray) -> None:
    heard: list[tuple[NDArray[np.uint8], float, bool]] = []
    patterns = noise(64)
    with dmd:
        mirrors.listen(lambda *what: heard.append(what))
        dmd.load_sequence(patterns)
        assert heard == []
        for number in (1, 2):
            assert dmd.play(10_000.0).id == number
        dmd.show(patterns[3])
        assert len(heard) == 3
        for played, period_s, repeats in heard[:2]:
            np.testing.assert_array_equal(played, patterns)
            assert period_s == pytest.approx(1e-4)
            assert not repeats
        np.testing.assert_array_equal(heard[2][0], patterns[3:4])
        assert heard[2][2]


def test_a_new_sequence_takes_the_place_of_the_old_one(dmd: VialuxDmd) -> None:
    with dmd:
        free = dmd.status().values["free_patterns"]
        for count in (100, 7, 3000):
            dmd.load_sequence(np.zeros((count, 48, 64), dtype=np.uint8))
            dmd.play(20_000.0)
            assert dmd.status().values["free_patterns"] == int(free) - count


def test_rates_are_exact_or_refused(dmd: VialuxDmd) -> None:
    with dmd:
        dmd.load_sequence(noise(2))
        dmd.play(1e6 / 123)
        with pytest.raises(DeviceRefusedError, match="counts whole microseconds") as caught:
            dmd.play(7_777.0)
        assert "7751.937984 Hz" in caught.value.remedy
        with pytest.raises(DeviceRefusedError, match="pattern rate"):
            dmd.play(20_001.0)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (1011, DeviceDisconnectedError),
        (1012, DeviceDisconnectedError),
        (1007, DeviceRefusedError),
        (1018, DeviceFaultError),
        (4711, DeviceFaultError),
    ],
)
def test_errors_of_the_library_are_told_with_number_and_remedy(
    dmd: VialuxDmd, mirrors: MirrorArray, code: int, error: type[Exception]
) -> None:
    dmd.open()
    mirrors.fail(code)
    with pytest.raises(error, match=str(code)) as caught:
        dmd.show(noise()[0])
    assert caught.value.remedy  # type: ignore[attr-defined]
    dmd.show(noise()[0])


def test_unplugged_at_any_call_of_opening_it_closes_and_opens_again(dmd: VialuxDmd, mirrors: MirrorArray) -> None:
    for after in range(20):
        mirrors.fail(1012, after)
        try:
            dmd.open()
        except DeviceDisconnectedError:
            assert not dmd.is_open
        else:
            break
    assert after > 10


def test_another_serial_number_is_not_found(mirrors: MirrorArray) -> None:
    options = VialuxOptions(library_folder=mirrors.folder)
    with pytest.raises(DeviceDisconnectedError, match="not been found"):
        VialuxDmd.from_bench("4711", options, DriverContext("dmd")).open()
    VialuxDmd.from_bench(str(SERIAL_NUMBER), options, DriverContext("dmd")).open().close()
    with pytest.raises(DeviceRefusedError, match="not a serial number"):
        VialuxDmd.from_bench("COM3", options, DriverContext("dmd"))


def test_a_missing_library_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(DeviceDisconnectedError, match="ALP library") as caught:
        VialuxDmd.from_bench("", VialuxOptions(library_folder=tmp_path), DriverContext("dmd")).open()
    assert "folder" in caught.value.remedy


def test_a_missing_package_says_what_to_install(dmd: VialuxDmd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ALP4", None)
    with pytest.raises(DeviceDisconnectedError, match="needs the package ALP4lib") as caught:
        dmd.open()
    assert 'pip install "labcontrol[alp]"' in caught.value.remedy


def test_nothing_is_printed(dmd: VialuxDmd, capfd: pytest.CaptureFixture[str]) -> None:
    with dmd:
        dmd.load_sequence(noise(2))
        dmd.load_sequence(noise(2))
    assert capfd.readouterr() == ("", "")
