"""What a run's progress says where no line can be redrawn."""

from __future__ import annotations

import pytest

from labcontrol.cli import progress
from labcontrol.cli.progress import RunProgress
from labcontrol.config import LearningConfig
from labcontrol.engine import Doing, RunState, RunStatus, StateChanged


def test_while_it_prepares_it_says_now_and_then_what_it_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    with RunProgress(LearningConfig()) as shown:
        shown.update([StateChanged(RunStatus(RunState.PREPARING, epochs=100))])
        for number in range(1, 13):
            shown.update([Doing(f"pilot {number}/12")])
            now_s += 1.0
        shown.update([StateChanged(RunStatus(RunState.RUNNING, epochs=100))])
        now_s += 10.0
        shown.update([])
    assert capsys.readouterr().err.split("\n") == [
        "preparing",
        "pilot 1/12 ...",
        "pilot 7/12 ...",
        "running",
        "",
    ]
