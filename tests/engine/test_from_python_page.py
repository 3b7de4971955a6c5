"""The script and the notebook printed in docs/from-python.md do what the page says."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from small_runs import small_run

from labcontrol.engine import EpochDone, Finished, RunState
from labcontrol.records import RunReader

PAGE = Path(__file__).parents[2] / "docs" / "from-python.md"


def blocks(heading: str) -> list[str]:
    """The Python blocks of a section of the page, one after the other."""
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def execute(*cells: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        exec(compile(cell, str(PAGE), "exec"), names)
    return names


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_script_has_ten_lines_and_stops_at_the_error_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    (script,) = blocks("A script")
    assert len([line for line in script.splitlines() if line.strip()]) == 10
    run = execute(script)["run"]
    assert run.status.state is RunState.STOPPED
    assert 0 < run.status.error < 0.02
    assert capsys.readouterr().out.startswith("stopped at ")
    assert list(Path("runs").glob("*.h5")) == [run.record]
    assert Path("run.png").stat().st_size > 10_000


def test_the_cells_of_the_notebook_pause_resume_and_stop_a_run() -> None:
    start, pause, resume, stop = blocks("A notebook")
    names = execute(start, "events = run.subscribe()", pause, resume, stop)
    assert names["run"].status.state is RunState.STOPPED
    assert names["figure"]._repr_png_().startswith(b"\x89PNG"), "what a notebook shows of a cell's value"
    with RunReader(names["run"].record) as record:
        assert record.loss == "mse"
        assert record.state.reason.startswith("stopped at ")


def test_the_runs_of_a_loop_are_listed_with_their_errors(capsys: pytest.CaptureFixture[str]) -> None:
    execute(*blocks("Several runs"))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert sorted(line[:2] for line in lines) == [["1", "64"], ["2", "64"]]


def test_leaving_the_block_waits_for_the_run_and_raises_what_it_failed_of(tmp_path: Path) -> None:
    with small_run(tmp_path) as run:
        run.start()
    assert run.status.state is RunState.FINISHED
    with pytest.raises(RuntimeError, match="no light"), small_run(tmp_path) as run:  # noqa: PT012
        run._on_bench = fail  # type: ignore[method-assign]
        run.start()
    assert run.status.state is RunState.FAILED


def fail(_bench: object) -> str:
    raise RuntimeError("no light")


def test_an_exception_in_the_block_aborts_the_run_and_the_record_tells(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), small_run(tmp_path) as run:  # noqa: PT012
        events = run.subscribe()
        run.start()
        for event in events:
            if isinstance(event, EpochDone):
                run.pause()  # so that it cannot be over before the interrupt
                raise KeyboardInterrupt
    assert run.status.state is RunState.ABORTED
    with RunReader(run.record) as record:
        assert record.state.name == "aborted"
        assert len(record.epochs) >= 1


def test_a_mailbox_gives_each_event_as_it_comes_and_ends_with_the_run(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    early, heard = run.subscribe(), []
    listener = threading.Thread(target=lambda: heard.extend(early))
    listener.start()
    run.execute()
    listener.join()
    assert isinstance(heard[-1], Finished)
    assert [event.epoch.index for event in heard if isinstance(event, EpochDone)] == list(range(40))
    assert [type(event) for event in run.subscribe()] == [Finished], "one that comes late is told the end"


def test_a_status_prints_as_a_sentence(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    assert str(run.status) == "idle"
    run.execute()
    assert re.fullmatch(r"finished: .*, epoch 40 of 40, error [\d.]+", str(run.status))
