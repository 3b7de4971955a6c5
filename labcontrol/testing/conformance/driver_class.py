"""What can be asked of a driver's class, without a device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from drivers.interfaces import (
    Camera,
    Detector,
    Device,
    DeviceError,
    DriverOptions,
    Found,
    Laser,
    Modulator,
    Search,
    Table,
)
from drivers.registry import driver_names, load_driver

ROLES: dict[str, type[Device]] = {"modulator": Modulator, "camera": Camera, "laser": Laser, "detector": Detector}


class _OneOfEach(Search):
    """A computer with one port, one instrument and one screen, none of which may be asked."""

    def __init__(self) -> None:
        self.identify, self.display, self.notes = False, None, []

    def on_serial_ports(self, **_: object) -> Iterator[Found]:
        yield Found("COM3", "converter", sure=False)

    def on_visa(self, **_: object) -> Iterator[Found]:
        yield Found("GPIB0::3::INSTR", "instrument", sure=False)

    def on_screens(self) -> Iterator[Found]:
        yield Found("HDMI-1", "screen", sure=False)


def _leads_to(name: str, driver: type[Device | Table]) -> bool:
    try:
        return load_driver(name) is driver
    except (ImportError, TypeError):  # somebody else's driver, which is not on trial here
        return False


class DriverClassConformance:
    """What the class of every driver says about itself.

    Notes
    -----
    A subclass provides the fixture ``driver``, the class; those that derive from `DeviceConformance` have it already.
    """

    def test_it_is_announced_under_a_name(self, driver: type[Device | Table]) -> None:
        assert any(_leads_to(name, driver) for name in driver_names()), (
            f"{driver.__name__} is none of the installed drivers ({', '.join(driver_names())}): announce it under "
            '[project.entry-points."labcontrol.drivers"] and install its package again'
        )

    def test_it_states_its_role_and_its_options(self, driver: type[Device | Table]) -> None:
        assert driver.__doc__
        assert issubclass(driver.Options, DriverOptions)
        if issubclass(driver, Device):
            assert issubclass(driver, ROLES[driver.role])
        with pytest.raises(ValidationError):
            driver.Options.model_validate({"no_such_setting_anywhere": 1})

    def test_every_option_is_described(self, driver: type[Device | Table]) -> None:
        for option, field in driver.Options.model_fields.items():
            group = isinstance(field.annotation, type) and issubclass(field.annotation, DriverOptions)
            assert field.description or group, option

    def test_it_says_where_its_devices_are_in_words_of_a_bench_file(self, driver: type[Device | Table]) -> None:
        if not issubclass(driver, Device):
            return
        found, missing = [], None
        try:
            found = list(driver.discover(_OneOfEach()))
        except DeviceError as error:
            missing = error
        assert missing is None or missing.remedy, "what is missing, and how to get it"
        for each in found:
            assert each.what
            assert set(each.options) <= set(driver.Options.model_fields)
            assert each.role in ("", "slm", "dmd")
            assert not each.role or issubclass(driver, Modulator)
