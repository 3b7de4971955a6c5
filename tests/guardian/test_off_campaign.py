"""A short form of `benchmarks/off_campaign.py`: each driver's line broken in the middle of a session, dark in time."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

if sys.platform == "win32":
    pytest.skip("emulated serial lines need POSIX", allow_module_level=True)

POINT = 9  # light is on
TIMEOUT_S = 0.3


def _campaign() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "off_campaign.py"
    spec = importlib.util.spec_from_file_location("off_campaign", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["off_campaign"] = module
    spec.loader.exec_module(module)
    return module


CAMPAIGN = _campaign()
FAULTS = [
    (driver, kind, guarded) for driver in CAMPAIGN.INSTRUMENTS for kind, guarded in (("mute", False), ("mute", True))
]
FAULTS += [("cobolt-06", kind, True) for kind in CAMPAIGN.KINDS if kind != "mute"]


@pytest.mark.parametrize(("driver", "kind", "guarded"), FAULTS)
def test_a_line_that_breaks_in_a_session_is_dark_in_time(driver: str, kind: str, guarded: bool) -> None:
    found = CAMPAIGN.broken(driver, kind, POINT, guarded=guarded, timeout_s=TIMEOUT_S)
    assert found.in_time, found
