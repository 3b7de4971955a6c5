"""What every device promises, whatever its role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from drivers.interfaces import Device, DeviceNotOpenError
from labcontrol.testing.conformance.driver_class import DriverClassConformance


class DeviceConformance(DriverClassConformance):
    """What every device promises, whatever its role; derive from the suite of a role instead.

    Notes
    -----
    A subclass overrides the fixture `device`. Its tests get `device` as it was built, not opened yet, or `opened`.
    """

    Role: ClassVar[type[Device]] = Device

    @pytest.fixture
    def device(self) -> Any:
        """Build the driver in front of something it can be opened against; a subclass overrides this.

        Returns
        -------
        Device
            The driver, not opened yet; a subclass may as well yield it.

        Raises
        ------
        NotImplementedError
            Where the subclass does not.
        """
        raise NotImplementedError(f"{type(self).__name__} has to say how its driver is built: override device")

    @pytest.fixture(autouse=True)
    def _closed_after_the_test(self, device: Device) -> Iterator[None]:
        yield
        device.close()

    @pytest.fixture
    def opened(self, device: Device) -> Device:
        """Open the driver.

        Parameters
        ----------
        device : Device
            As it was built.

        Returns
        -------
        Device
            The same one, open.
        """
        return device.open()

    @pytest.fixture
    def driver(self, device: Device) -> type[Device]:
        return type(device)

    def test_it_has_the_role_of_its_suite(self, device: Any) -> None:
        assert isinstance(device, self.Role)

    def test_building_a_driver_opens_nothing(self, device: Device) -> None:
        assert not device.is_open

    def test_opening_twice_is_opening_once(self, device: Device) -> None:
        with device:
            identity = device.identity
            assert device.open() is device
            assert device.identity is identity

    def test_closing_is_repeatable_and_safe_before_opening(self, device: Device) -> None:
        device.close()
        device.open()
        device.close()
        device.close()
        assert not device.is_open

    def test_a_closed_device_can_be_opened_again(self, device: Device) -> None:
        with device:
            first = device.identity
        with device:
            assert device.identity == first

    def test_identity_is_complete(self, opened: Device) -> None:
        identity = opened.identity
        assert all((identity.vendor, identity.model, identity.serial_number, identity.firmware))

    def test_status_says_in_one_line_that_all_is_well(self, opened: Device) -> None:
        status = opened.status()
        assert status.ok
        assert status.summary
        assert "\n" not in status.summary

    def test_a_closed_device_refuses_to_be_used_and_says_which_it_is(self, device: Device) -> None:
        with pytest.raises(DeviceNotOpenError) as caught:
            _ = device.identity
        assert caught.value.device == device.name
        with pytest.raises(DeviceNotOpenError):
            device.status()

    def test_the_context_closes_after_an_error(self, device: Device) -> None:
        def fail_inside() -> None:
            with device:
                assert device.is_open
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_inside()
        assert not device.is_open
