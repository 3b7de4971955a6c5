"""What an examination of a laser finds in the way of a run, also where the laser's own status says that all is well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labcontrol.bench.examine import Finding, _laser

WELL = {"power_limits_w": (0.0, 0.05), "interlock_closed": True, "warm_up_time_s": 1.0, "emission": False}


@pytest.mark.parametrize(
    ("changes", "power_w", "problems"),
    [
        ({}, 0.02, []),
        ({"interlock_closed": False}, 0.02, ["its interlock is open"]),
        ({"emission": True}, 0.02, ["emits although it was told not to: switch it off at its key"]),
        ({}, 0.06, ["laser.power_w is 60 mW, it takes 0 mW to 50 mW"]),
    ],
)
def test_what_stands_in_the_way_of_light_is_a_problem(
    changes: dict[str, Any], power_w: float, problems: list[str]
) -> None:
    finding = Finding("laser")
    _laser(SimpleNamespace(**(WELL | changes)), finding, power_w)  # type: ignore[arg-type]
    assert finding.problems == problems


def test_an_open_interlock_that_the_status_named_is_not_named_again() -> None:
    finding = Finding("laser", problems=["the interlock is open"])
    _laser(SimpleNamespace(**(WELL | {"interlock_closed": False})), finding, 0.02)  # type: ignore[arg-type]
    assert finding.problems == ["the interlock is open"]
