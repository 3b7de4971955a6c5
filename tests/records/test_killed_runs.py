"""A run file survives the death of its writer at any moment, and can be continued."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic_run import SyntheticRun, state_after

from labcontrol.errors import UserError
from labcontrol.records import Epoch, RunReader, RunWriter

EPOCHS = 400


def start_writer(path: Path, epochs: int = EPOCHS) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("synthetic_run.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(path), str(epochs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def reported(process: subprocess.Popen[str], epochs: int) -> None:
    """Return as soon as the writer says that so many epochs are on disk."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == str(epochs):
            return
    raise AssertionError("the writer ended early")


def kill(process: subprocess.Popen[str]) -> int:
    """SIGKILL; returns the number of epochs the writer had reported."""
    process.kill()
    rest, _ = process.communicate()
    numbers = [int(line) for line in rest.split("\n")[:-1] if line.isdigit()]  # the last line may be cut
    return max(numbers, default=0)


def assert_equal(found: Epoch, expected: Epoch) -> None:
    for name in ("index", "replay", "mirror", "mse", "nmse", "accepted", "unix_s", "bench_s"):
        assert getattr(found, name) == getattr(expected, name)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_array_equal(found.output, expected.output)


@pytest.fixture(scope="module")
def expected() -> list[Epoch]:
    return [epoch for epochs in SyntheticRun().replays(EPOCHS) for epoch in epochs]


@pytest.mark.skipif(sys.platform == "win32", reason="the writers are forked")
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_torn_whenever_the_writer_is_killed(
    tmp_path: Path, expected: list[Epoch], kills: int
) -> None:
    script = Path(__file__).with_name("killed_writers.py")
    command = [sys.executable, str(script), str(tmp_path), str(kills), "5"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    acknowledged = [int(line) for line in answer.split()]
    assert len(acknowledged) == kills
    lengths = []
    for number, least in enumerate(acknowledged):
        path = tmp_path / f"{number}.h5"
        if not path.exists():
            assert least == 0
            RunWriter.create(path, SyntheticRun().header).close()  # nothing in the way of another attempt
            continue
        with RunReader(path) as run:
            table = run.epochs
            assert least <= len(table) <= least + 1
            lengths.append(len(table))
            written = expected[: len(table)]
            assert table.outputs().tolist() == [epoch.output.tolist() for epoch in written]
            assert table.masks().tolist() == [epoch.mask.tolist() for epoch in written]
            for found, name in ((table.mirror, "mirror"), (table.accepted, "accepted"), (table.replay, "replay")):
                assert found.tolist() == [getattr(epoch, name) for epoch in written]
            for found, name in ((table.mse, "mse"), (table.nmse, "nmse"), (table.unix_s, "unix_s")):
                assert found.tolist() == [getattr(epoch, name) for epoch in written]
            assert run.state.name == "interrupted"
            assert [line.text for line in run.log] == [f"epoch {k + 1}" for k in range(len(run.log))]
            assert len(run.log) >= least - 1
            for index, epochs in enumerate(run.checkpoint_epochs):
                assert run.checkpoint(index).state == state_after(int(epochs))
            assert len(run.checkpoint_epochs) >= min((least - 1) // 10, 3)
    assert len(set(lengths)) > kills // 4, "the kills should come at different moments"


def test_a_killed_run_continues_at_its_next_epoch(tmp_path: Path, expected: list[Epoch]) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path)
    reported(process, 123)
    kill(process)
    with RunWriter.reopen(path) as writer:
        assert writer.epochs >= 123
        writer.append_many(expected[writer.epochs :])
    with RunReader(path) as run:
        assert len(run.epochs) == EPOCHS
        np.testing.assert_array_equal(run.epochs.outputs(), [epoch.output for epoch in expected])
        assert [state.reason for state in run.states] == ["", "continued"]


def test_another_process_sees_every_epoch_while_the_run_goes_on(tmp_path: Path, expected: list[Epoch]) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path)
    try:
        reported(process, 1)
        with RunReader(path) as run:
            lengths = [len(run.epochs)]
            while lengths[-1] < EPOCHS:
                run.refresh()
                table = run.epochs
                lengths.append(len(table))
                assert_equal(table[-1], expected[len(table) - 1])
                assert len(table.mse) == len(table.masks()) == len(table)
            assert run.state.name == "running"
        assert lengths == sorted(lengths)
        assert len(set(lengths)) > 3, "the reader should have seen the file grow"
    finally:
        kill(process)


def test_only_one_process_writes_a_run(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path, 3)
    try:
        reported(process, 3)
        with pytest.raises(UserError, match="another process"):
            RunWriter.reopen(path)
    finally:
        kill(process)
    RunWriter.reopen(path).close()


def test_a_reader_follows_a_run_through_its_continuation(tmp_path: Path, expected: list[Epoch]) -> None:
    path = tmp_path / "run.h5"
    process = start_writer(path, 20)
    reported(process, 20)
    kill(process)
    with RunReader(path) as run:
        assert len(run.epochs) == 20
        with RunWriter.reopen(path) as writer:
            writer.append(expected[20])
            run.refresh()
            assert len(run.epochs) == 21
            assert run.state.name == "running"


def test_no_header_lies_across_two_pages_of_memory_between_which_a_kill_may_stop_a_write(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, SyntheticRun().header) as writer:
        for epochs in SyntheticRun().replays(EPOCHS):
            writer.append_many(epochs)
    places: dict[str, int] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: places.update({name: h5py.h5o.get_info(item.id).addr % 4096}))
    assert len(places) > 40
    assert max(places.values()) <= 4096 - 131  # bytes of the smallest header, of a group; of a dataset it is 268
