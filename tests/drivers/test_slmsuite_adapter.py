"""The adapter to slmsuite's modulators, in front of a package of the same shape."""

from __future__ import annotations

import os
import sys
import types
from typing import Any

import numpy as np
import pytest
from slmsuite_stand_in import Maker, install

from drivers.interfaces import DeviceDisconnectedError, DeviceFaultError, DeviceRefusedError, DriverContext
from drivers.modulators.slmsuite_slm import SlmsuiteOptions, SlmsuiteSlm


@pytest.fixture(autouse=True)
def of_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def slm(model: str = "maker.Maker", **arguments: Any) -> SlmsuiteSlm:
    options = SlmsuiteOptions.model_validate({"model": model, "arguments": arguments})
    return SlmsuiteSlm.from_bench("", options, DriverContext("slm"))


PATTERN = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


@pytest.mark.parametrize(("bits", "dtype", "factor"), [(8, np.uint8, 1), (10, np.uint16, 4)])
def test_levels_go_to_it_as_they_are_in_its_own_depth(bits: int, dtype: type, factor: int) -> None:
    with slm(bits=bits) as device:
        assert (device.shape, device.bit_depth, device.settle_time_s) == ((4, 6), 8, 0.02)
        assert device.show(PATTERN).id == 1
        (taken,) = device._slm.taken
        assert taken.dtype == dtype
        np.testing.assert_array_equal(taken, factor * PATTERN.astype(int))
        assert (device.identity.vendor, device.identity.model) == ("maker", "LC-7")
        assert device.identity.serial_number == "S-1"
        maker = device._slm
    assert maker.closed == 1


def test_what_its_library_raises_is_ours() -> None:
    with pytest.raises(DeviceDisconnectedError, match="failed connecting: OSError: no device on USB"):
        slm(fails=True).open()
    with pytest.raises(DeviceDisconnectedError, match="unexpected keyword argument"):
        slm(colour="red").open()
    with slm() as device:
        device._slm.close()
        with pytest.raises(DeviceFaultError, match="unplugged") as caught:
            device.show(PATTERN)
    assert caught.value.remedy


def test_what_there_is_not_is_said_with_a_remedy() -> None:
    with pytest.raises(DeviceDisconnectedError, match="needs slmsuite") as caught:
        slm("another.Maker").open()
    assert "labcontrol[slmsuite]" in caught.value.remedy
    with pytest.raises(DeviceRefusedError, match="no class Other in maker"):
        slm("maker.Other").open()
    with pytest.raises(DeviceRefusedError, match="takes no address"):
        SlmsuiteSlm.from_bench("USB", SlmsuiteOptions(model="maker.Maker"), DriverContext("slm"))
    with pytest.raises(DeviceRefusedError, match="how long it takes to settle"):
        slm(settle_time_s=0.0).open()


def test_windows_opened_later_keep_their_own_qt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_SCALE_FACTOR", "1")
    monkeypatch.delenv("QT_QPA_PLATFORM_PLUGIN_PATH", raising=False)

    meddled = []

    class Meddling(types.ModuleType):
        @property
        def __spec__(self) -> None:  # looked at by the import
            os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"] = "/of/another/qt"
            meddled.append(True)

    module = Meddling("slmsuite.hardware.slms.maker")
    module.__dict__["Maker"] = Maker
    monkeypatch.setitem(sys.modules, "slmsuite.hardware.slms.maker", module)
    with slm():
        assert meddled
        assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in os.environ
        assert os.environ["QT_SCALE_FACTOR"] == "1"
