"""Ports behind which an emulated instrument is found: a pseudo-terminal or a TCP socket, each with one thread.

A port can be unplugged at any moment and plugged in again at the same address.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tempfile
import threading
import tty
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from mock_devices.wire.instrument import Instrument
from mock_devices.wire.line_faults import LineFaults


class _DroppedError(Exception):
    """The line breaks now."""


class Port(ABC):
    """Serves one instrument to one client at a time, until stopped.

    line_faults: what goes wrong on this line. received: every command that arrived, in order.
    """

    def __init__(self, instrument: Instrument, line_faults: LineFaults | None = None) -> None:
        self.instrument = instrument
        self.line_faults = line_faults or LineFaults()
        self.received: list[bytes] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._closed = False

    @property
    @abstractmethod
    def address(self) -> str:
        """Where a client finds the instrument."""

    @property
    def is_plugged(self) -> bool:
        """Whether the line is connected."""
        return self._thread is not None

    def plug(self) -> None:
        """Connect the line."""
        if self._thread is not None:
            return
        self._stopping.clear()
        self._connect()
        self._thread = threading.Thread(target=self._run, name=f"port {self.address}", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Break the line, as if somebody had pulled the plug; the instrument goes on."""
        self._stopping.set()
        os.write(self._wake_write, b"x")
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        while select.select([self._wake_read], [], [], 0)[0]:
            os.read(self._wake_read, 64)
        self._disconnect()

    def close(self) -> None:
        """Stop for good."""
        if not self._closed:
            self.unplug()
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._closed = True

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- for kinds of ports -------------------------------------------------------------------------------------
    @abstractmethod
    def _connect(self) -> None: ...

    @abstractmethod
    def _disconnect(self) -> None: ...

    @abstractmethod
    def _run(self) -> None: ...

    # --- inner workings -----------------------------------------------------------------------------------------
    def _wait(self, descriptor: int) -> bool:
        """Whether the descriptor has something to read; false when the port is to stop."""
        readable, _, _ = select.select([descriptor, self._wake_read], [], [])
        return self._wake_read not in readable

    def _handle(self, pending: bytearray) -> bytes:
        """Answer all complete commands among the bytes received."""
        replies = b""
        while (command := self.instrument.split(pending)) is not None:
            self.received.append(command)
            replies += self._answer_with_line_faults(command)
        return replies

    def _answer_with_line_faults(self, command: bytes) -> bytes:
        fault = self.line_faults.next(command)
        if fault is None:
            return self._answer(command)
        if fault.event is not None:
            fault.event()
        match fault.kind:
            case "deaf":
                return b""
            case "dropped":
                raise _DroppedError
            case "silent":
                self._answer(command)
                return b""
            case "late":
                self._stopping.wait(fault.seconds)
        reply = self._answer(command)
        match fault.kind:
            case "garbled":
                return self.line_faults.garble(reply)
            case "cut":
                return reply[: len(reply) // 2]
            case "doubled":
                return reply + reply
        return reply

    def _answer(self, command: bytes) -> bytes:
        with self.instrument.lock:
            return self.instrument.answer(command)


class PtyPort(Port):
    """A serial port: a pseudo-terminal, reached through a link that stays when it is plugged in anew."""

    def __init__(self, instrument: Instrument, line_faults: LineFaults | None = None) -> None:
        super().__init__(instrument, line_faults)
        self._folder = tempfile.TemporaryDirectory(prefix="labcontrol-port-")
        self._link = Path(self._folder.name) / "tty"
        self._ours = self._theirs = -1

    @property
    def address(self) -> str:
        return str(self._link)

    def close(self) -> None:
        super().close()
        self._folder.cleanup()

    def _connect(self) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._ours)
        tty.setraw(self._theirs)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._theirs))

    def _disconnect(self) -> None:
        self._link.unlink(missing_ok=True)
        for descriptor in (self._ours, self._theirs):
            if descriptor >= 0:
                os.close(descriptor)
        self._ours = self._theirs = -1

    def _run(self) -> None:
        pending = bytearray()
        try:
            while self._wait(self._ours):
                pending += os.read(self._ours, 4096)
                _write_all(self._ours, self._handle(pending))
        except (_DroppedError, OSError):
            self._disconnect()


class TcpPort(Port):
    """A TCP socket of this computer, as an instrument on the network or a serial server has one.

    number: of the port; 0 for any that is free.
    """

    def __init__(self, instrument: Instrument, line_faults: LineFaults | None = None, number: int = 0) -> None:
        super().__init__(instrument, line_faults)
        self._number = number
        self._listener: socket.socket | None = None

    @property
    def address(self) -> str:
        """As pyserial writes it."""
        return f"socket://127.0.0.1:{self._number}"

    @property
    def visa_address(self) -> str:
        return f"TCPIP::127.0.0.1::{self._number}::SOCKET"

    def _connect(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._number))
        self._number = self._listener.getsockname()[1]

    def _disconnect(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _run(self) -> None:
        assert self._listener is not None
        while self._wait(self._listener.fileno()):
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, contextlib.suppress(_DroppedError, OSError):
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        pending = bytearray()
        client.sendall(self.instrument.greet())
        while self._wait(client.fileno()):
            data = client.recv(65536)
            if not data:
                return
            pending += data
            client.sendall(self._handle(pending))


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
