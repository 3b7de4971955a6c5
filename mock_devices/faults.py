"""Faults on demand: what a test or a fault script makes go wrong with one device."""

from __future__ import annotations

from drivers.interfaces import DeviceDisconnectedError, DeviceReplyError, DeviceTimeoutError


class Faults:
    """Faults waiting to happen to one device.

    kinds: the faults this device knows, beside ``timeout`` (the next reply does not come) and ``garbled`` (it makes no
        sense) that all know.
    disconnected: while true, every use raises DeviceDisconnectedError, opening included.
    """

    def __init__(self, *kinds: str) -> None:
        self.kinds = ("timeout", "garbled", *kinds)
        self.disconnected = False
        self.waiting: dict[str, int] = {}

    def add(self, kind: str, times: int = 1) -> None:
        """Let a fault happen at the next `times` occasions. Raises ValueError for a kind the device does not know."""
        if kind not in self.kinds:
            raise ValueError(f"unknown fault {kind!r}; this device knows {', '.join(self.kinds)}")
        self.waiting[kind] = self.waiting.get(kind, 0) + times

    def clear(self) -> None:
        """Forget all faults that did not happen yet, and connect the device again."""
        self.waiting.clear()
        self.disconnected = False

    def take(self, kind: str) -> bool:
        """Whether this fault happens now; it is then one occasion less."""
        left = self.waiting.get(kind, 0)
        if not left:
            return False
        if left == 1:
            del self.waiting[kind]
        else:
            self.waiting[kind] = left - 1
        return True

    def check_line(self, device: str) -> None:
        """Raise what a device on a broken line raises. device: its name on the bench, for the message."""
        if self.disconnected:
            raise DeviceDisconnectedError(device, "does not answer, its line is dead.", "Check plug and power.")
        if self.waiting and self.take("timeout"):
            raise DeviceTimeoutError(device, "did not answer in time.", "Try again; check its line if it persists.")
        if self.waiting and self.take("garbled"):
            raise DeviceReplyError(device, "answered what makes no sense here.", "Check its line if it persists.")

    def state(self) -> dict[str, object]:
        return {"disconnected": self.disconnected, "waiting": dict(self.waiting)}

    def restore(self, state: dict[str, object]) -> None:
        self.disconnected = bool(state["disconnected"])
        waiting = state["waiting"]
        assert isinstance(waiting, dict)
        self.waiting = {str(kind): int(times) for kind, times in waiting.items()}
