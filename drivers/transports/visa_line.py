"""A message line through VISA: USB, LAN or GPIB instruments that speak SCPI."""

from __future__ import annotations

import math
import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

from drivers.transports.line import Line

if TYPE_CHECKING:
    from pyvisa.resources import MessageBasedResource

_TIMEOUT_STEP_S = 0.01


class VisaLine(Line):
    """A VISA resource.

    address: a VISA resource name, for example ``USB0::0x1313::0x8078::P0012345::INSTR`` or
        ``TCPIP::10.0.0.7::5025::SOCKET``.
    backend: ``@py`` for pyvisa-py, which needs no vendor software; empty for the VISA library of the system.
    """

    def __init__(self, device: str, address: str, backend: str = "@py") -> None:
        super().__init__(device, address)
        self.backend = backend
        self._resource: MessageBasedResource | None = None
        self._socket: socket.socket | None = None
        self._session: object = None
        self._while_open = ExitStack()
        self._timeout_s = 0.0

    def _connect(self) -> None:
        import pyvisa  # slow to import, and only needed once an instrument is opened
        from pyvisa.constants import ResourceAttribute, StatusCode
        from pyvisa.resources import MessageBasedResource

        # The manager is pyvisa's one per backend; closing it would close the other instruments too.
        resource = pyvisa.ResourceManager(self.backend).open_resource(self.address, open_timeout=5000)
        if not isinstance(resource, MessageBasedResource):
            resource.close()
            raise TypeError(f"{self.address} is a {type(resource).__name__}, not a resource that takes messages")
        self._resource = resource
        resource.read_termination = "\n"  # lets a read return with the end of a line instead of the time-out
        if self.address.upper().endswith("SOCKET"):
            # Otherwise the bytes of an incomplete line are lost together with the time-out they cause.
            resource.set_visa_attribute(ResourceAttribute.suppress_end_enabled, False)
        self._timeout_s = 0.0
        self._session = getattr(resource.visalib, "sessions", {}).get(resource.session)  # None with vendor libraries
        port = getattr(self._session, "interface", None)
        self._socket = port if isinstance(port, socket.socket) else None
        self._while_open.enter_context(resource.ignore_warning(StatusCode.success_max_count_read))
        if self._socket is not None:
            # Otherwise a command and the query that checks it lie 40 ms apart (Nagle against delayed acknowledgement).
            # Vendor libraries do this themselves; pyvisa-py 0.8 fails when it is asked to.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _disconnect(self) -> None:
        resource, self._resource, self._session, self._socket = self._resource, None, None, None
        if resource is not None:
            try:
                self._while_open.close()
            finally:
                resource.close()

    def _send(self, data: bytes) -> None:
        assert self._resource is not None
        self._resource.write_raw(data)

    def _receive(self, limit: int, timeout_s: float) -> bytes:
        from pyvisa.constants import StatusCode
        from pyvisa.errors import VisaIOError

        assert self._resource is not None
        # In whole steps, because setting it takes longer than a short answer.
        timeout_s = _TIMEOUT_STEP_S * math.ceil(timeout_s / _TIMEOUT_STEP_S) or 1e-3
        if timeout_s != self._timeout_s:
            self._resource.timeout = 1e3 * timeout_s
            self._timeout_s = timeout_s
        try:
            data, _ = self._resource.visalib.read(self._resource.session, limit)
        except VisaIOError as error:
            if error.error_code == StatusCode.error_timeout:
                return b""
            raise
        return bytes(data)

    def _expect_binary(self, on: bool) -> None:
        from pyvisa.constants import ResourceAttribute

        if self._resource is not None:
            # A read would stop at every 256th byte or so, wherever a line feed is among the data.
            self._resource.set_visa_attribute(ResourceAttribute.termchar_enabled, not on)

    def _waiting(self) -> bytes:
        return self._receive(4096, 0.0) if self._something_waits() else b""

    def _something_waits(self) -> bool:
        """Whether bytes that nobody asked for have arrived.

        VISA can only tell on serial lines; on sockets, a read would wait a millisecond for nothing before every
        command. USB, VXI-11 and GPIB frame each message, so that none can be left over unnoticed.
        """
        if self._socket is not None:
            pending = getattr(self._session, "_pending_buffer", b"")
            return bool(pending or select.select([self._socket], [], [], 0.0)[0])
        from pyvisa.resources import SerialInstrument

        return isinstance(self._resource, SerialInstrument) and self._resource.bytes_in_buffer > 0

    def _opening_remedy(self, error: Exception) -> str:
        if isinstance(error, ImportError) or "install" in str(error).lower():
            return "Install what the message asks for, or set the VISA backend in the bench file."
        return "Check cable and power; `pyvisa-shell` with the command `list` names the resources found."
