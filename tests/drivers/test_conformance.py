"""What every driver promises, by `labcontrol.testing`, checked on each driver that can be opened without hardware.

`OPENERS` says how. Every driver of this repository has an entry; one that somebody has installed beside it is skipped
where it has none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from openers import OPENERS, STANDING

from drivers.interfaces import Camera, Detector, Device, Laser, Modulator, Table
from drivers.registry import driver_names, load_driver
from labcontrol.testing import (
    CameraConformance,
    DetectorConformance,
    DriverClassConformance,
    LaserConformance,
    ModulatorConformance,
)


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_standing() -> Iterator[None]:
    yield
    STANDING.close()


def drivers(kind: type[Device | Table]) -> list[str]:
    return [name for name in driver_names() if issubclass(load_driver(name), kind)]


def on_every(kind: type[Device]) -> pytest.MarkDecorator:
    """Each driver of a kind, skipped where it cannot be opened here."""
    needs_hardware = pytest.mark.skip(reason="needs hardware: no opener")
    names = [name if name in OPENERS else pytest.param(name, marks=needs_hardware) for name in drivers(kind)]
    return pytest.mark.parametrize("device", names, indirect=True)


class Opened:
    """The suites' fixture `device`, by the name of a driver."""

    @pytest.fixture
    def device(self, request: pytest.FixtureRequest) -> Iterator[Device]:
        with OPENERS[request.param](request.param) as device:
            yield device


@on_every(Modulator)
class TestModulators(Opened, ModulatorConformance):
    pass


@on_every(Camera)
class TestCameras(Opened, CameraConformance):
    pass


@on_every(Laser)
class TestLasers(Opened, LaserConformance):
    pass


@on_every(Detector)
class TestDetectors(Opened, DetectorConformance):
    pass


class TestClasses(DriverClassConformance):
    """Of drivers without an opener, too."""

    @pytest.fixture(params=driver_names())
    def driver(self, request: pytest.FixtureRequest) -> type[Device | Table]:
        return load_driver(request.param)


@pytest.mark.skipif(sys.platform == "win32", reason="instruments are emulated on other systems")
def test_every_driver_of_this_repository_is_covered() -> None:
    ours = {
        name for name in drivers(Device) if load_driver(name).__module__.split(".")[0] in ("drivers", "mock_devices")
    }
    assert not ours - set(OPENERS), f"add an opener for {', '.join(sorted(ours - set(OPENERS)))}"
    assert not set(OPENERS) - set(driver_names())


@pytest.mark.parametrize("name", drivers(Table))
def test_a_table_goes_on_from_its_snapshot_and_closes_twice(name: str) -> None:
    kind = load_driver(name)
    assert issubclass(kind, Table)
    first, second = kind.from_bench(kind.Options()), kind.from_bench(kind.Options())
    first.clock.sleep(2.5)
    state = first.snapshot()
    assert isinstance(state, bytes)
    second.restore(state)
    assert second.clock.now_s() == first.clock.now_s()
    assert second.snapshot() == state
    for table in (first, second, first):
        table.close()
