"""A package of slmsuite's shape, for environments without it: its own dependencies do not get on with PyQt5."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest


class Maker:
    """What slmsuite's classes are, as far as the adapter uses them."""

    name = "LC-7"

    def __init__(
        self, bits: int = 8, shape: tuple[int, int] = (4, 6), settle_time_s: float = 0.02, fails: bool = False
    ) -> None:
        if fails:
            raise OSError("no device on USB")
        self.shape, self.bitdepth, self.settle_time_s = tuple(shape), bits, settle_time_s
        self.serial = "S-1"
        self.taken: list[Any] = []
        self.closed = 0

    def set_phase(self, phase: Any, *, phase_correct: bool, settle: bool) -> None:
        assert not phase_correct
        assert not settle
        if self.closed:
            raise RuntimeError("unplugged")
        self.taken.append(phase)

    def close(self) -> None:
        self.closed += 1


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `slmsuite.hardware.slms.maker.Maker` be imported."""
    for name in ("slmsuite", "slmsuite.hardware", "slmsuite.hardware.slms", "slmsuite.hardware.slms.maker"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules["slmsuite"], "__version__", "0.5", raising=False)
    monkeypatch.setattr(sys.modules["slmsuite.hardware.slms.maker"], "Maker", Maker, raising=False)
