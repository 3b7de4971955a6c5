"""A serial line through pyserial: a port of this computer, or one of the network as ``socket://host:port``."""

from __future__ import annotations

import errno

import serial
from serial.tools import list_ports

from drivers.transports.line import Line

# Ports are read in slices, because changing the time-out of an open port reconfigures it, at a cost, each time.
SLICE_S = 0.02
WRITE_TIMEOUT_S = 1.0


class SerialLine(Line):
    """A serial port at 8 data bits, no parity, one stop bit.

    address: a port (``COM3``, ``/dev/ttyUSB0``) or any URL pyserial knows, for example ``socket://10.0.0.7:4001``.
    baudrate_hz: symbols per second; without meaning for a socket.
    """

    def __init__(self, device: str, address: str, baudrate_hz: int = 115200) -> None:
        super().__init__(device, address)
        self.baudrate_hz = baudrate_hz
        self._port: serial.SerialBase | None = None

    def _connect(self) -> None:
        self._port = serial.serial_for_url(
            self.address,
            baudrate=self.baudrate_hz,
            timeout=SLICE_S,
            write_timeout=WRITE_TIMEOUT_S,
            exclusive=True,  # a second program on the same port would steal replies
        )

    def _disconnect(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _send(self, data: bytes) -> None:
        assert self._port is not None
        self._port.write(data)

    def _receive(self, limit: int, timeout_s: float) -> bytes:
        assert self._port is not None
        return bytes(self._port.read(min(limit, max(1, self._port.in_waiting))))

    def _waiting(self) -> bytes:
        assert self._port is not None
        data = b""
        while waiting := self._port.in_waiting:
            data += self._port.read(waiting)
        return data

    def _opening_remedy(self, error: Exception) -> str:
        number = getattr(error, "errno", None)
        if "://" in self.address:
            return "Check that the serial server is on and that host and port in the bench file are right."
        if number == errno.EACCES:
            return (
                "You may not use this port: add yourself to its group (often dialout), or close the program using it."
            )
        if number in (errno.EAGAIN, errno.EBUSY):
            return "Another program holds this port: close it."
        ports = ", ".join(port.device for port in list_ports.comports()) or "none"
        return f"Serial ports of this computer: {ports}."
