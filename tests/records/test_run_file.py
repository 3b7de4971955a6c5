"""What is written into a run file comes back, whole and unchanged, and nothing is written by halves."""

import errno
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import synthetic_run
from synthetic_run import STEPS, TEST_STEPS, SyntheticRun

from labcontrol.engine.checkpoint import decode, encode
from labcontrol.errors import UserError
from labcontrol.records import DiskRoom, Epoch, RecordFullError, RunReader, RunWriter


def all_epochs(run: SyntheticRun, replays: int) -> list[Epoch]:
    return [epoch for epochs in run.replays(replays) for epoch in epochs]


def datasets(path: Path) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: content.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
        )
    return content


def test_everything_written_is_read_back(tmp_path: Path) -> None:
    run = SyntheticRun(acceptance="re-measured")
    expected = all_epochs(SyntheticRun(acceptance="re-measured"), 30)
    with RunReader(run.write(tmp_path / "run.h5", replays=30)) as found:
        assert found.config == run.header.config
        assert found.metadata.items() >= run.header.metadata.items()
        for name in ("input", "target", "washout_input", "test_input", "test_target", "initial_mask"):
            np.testing.assert_array_equal(getattr(found, name), getattr(run.header, name))
        assert found.gain == run.told.gain
        assert found.pilot is not None
        np.testing.assert_array_equal(found.pilot.masks, run.pilot.masks)
        np.testing.assert_array_equal(found.pilot.replays, run.pilot.replays)
        np.testing.assert_array_equal(found.pilot.outputs, run.pilot.outputs)
        assert found.preparations == [{"exposure_s": 1e-3}]
        table = found.epochs
        assert len(table) == len(expected) == 59
        assert table.mirror.tolist() == [epoch.mirror for epoch in expected]
        assert table.replay.tolist() == [epoch.replay for epoch in expected]
        assert table.accepted.tolist() == [epoch.accepted for epoch in expected]
        assert table.mse.tolist() == [epoch.mse for epoch in expected]
        assert table.nmse.tolist() == [epoch.nmse for epoch in expected]
        assert table.unix_s.tolist() == [epoch.unix_s for epoch in expected]
        assert table.bench_s.tolist() == [epoch.bench_s for epoch in expected]
        np.testing.assert_array_equal(table.outputs(), [epoch.output for epoch in expected])
        np.testing.assert_array_equal(table.masks(), [epoch.mask for epoch in expected])
        np.testing.assert_array_equal(found.mask(7), expected[7].mask)
        np.testing.assert_array_equal(table[-1].output, expected[-1].output)
        assert found.final_mask is not None
        np.testing.assert_array_equal(found.final_mask, run.final_mask)
        assert found.test_output is not None
        np.testing.assert_array_equal(found.train_output, run.train_output)
        np.testing.assert_array_equal(found.test_output, run.test_output)
        assert found.result is not None
        assert set(found.result["test"]) == {"mse", "nmse"}
        assert decode(found.checkpoint().state)["epochs"] == found.checkpoint().epochs == 59
        assert [(line.level, line.text) for line in found.log] == [("info", "learning ended")]
        assert (found.state.name, found.state.reason, found.state.epochs) == ("finished", "all epochs done", 59)


def test_the_file_has_the_promised_names_shapes_and_types(tmp_path: Path) -> None:
    path = SyntheticRun(neurons=49).write(tmp_path / "run.h5", replays=20)
    with h5py.File(path, "r") as file:
        assert file.attrs["schema_version"] == 2
        assert json.loads(file["config"][()])["experiment"]["neurons"] == 49
        promised = {
            "input": ((STEPS,), "float64"),
            "target": ((STEPS,), "float64"),
            "epochs/mirror": ((20,), "int64"),
            "epochs/mask": ((20, 7), "uint8"),
            "epochs/replay": ((20,), "int64"),
            "epochs/mse": ((20,), "float64"),
            "epochs/nmse": ((20,), "float64"),
            "epochs/accepted": ((20,), "bool"),
            "epochs/time": ((20,), "float64"),
            "epochs/bench_time": ((20,), "float64"),
            "epochs/output": ((20, STEPS), "float32"),
            "masks/initial": ((49,), "bool"),
            "masks/final": ((49,), "bool"),
            "train/output": ((STEPS,), "float32"),
            "test/output": ((TEST_STEPS,), "float32"),
            "gain": ((), "float64"),
            "pilot/amplitude": ((49,), "float64"),
            "pilot/response": ((49, STEPS), "float32"),
        }
        assert {name: (file[name].shape, str(file[name].dtype)) for name in promised} == promised


def test_a_file_without_a_dataset_of_later_versions_can_be_read_and_continued(tmp_path: Path) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5", replays=10)
    with h5py.File(path, "r+") as file:
        del file["train/output"]
    with RunReader(path) as run:
        assert run.train_output is None
        run.refresh()
        assert len(run.epochs) == 10
    RunWriter.reopen(path).close()
    with h5py.File(path, "r") as file:
        assert len(file["train/output"]) == 0


def test_the_same_run_written_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = SyntheticRun(seed=4).write(tmp_path / "first.h5")
    second = SyntheticRun(seed=4).write(tmp_path / "second.h5")
    other = SyntheticRun(seed=5).write(tmp_path / "other.h5")
    assert datasets(first) == datasets(second)
    assert datasets(first)["epochs/output"] != datasets(other)["epochs/output"]


def test_a_continued_run_has_the_bytes_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = SyntheticRun().write(tmp_path / "whole.h5", finish=False)
    run = SyntheticRun()
    path = SyntheticRun().write(tmp_path / "continued.h5", replays=30, finish=False)
    with RunWriter.reopen(path) as writer:
        for epochs in run.replays(60):
            if epochs[0].index < 30:
                continue
            writer.append_many(epochs)
            if writer.epochs % 10 == 0:
                writer.checkpoint(writer.epochs, encode(run.state))
    found, expected = datasets(path), datasets(whole)
    assert found.pop("state") != expected.pop("state")
    for name in ("log", "seal"):
        found.pop(name), expected.pop(name)
    assert found == expected


def test_continuing_a_finished_run_forgets_how_it_ended(tmp_path: Path) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5", replays=10)
    with RunWriter.reopen(path) as writer:
        writer.log("info", "once more")
    with RunReader(path) as run:
        assert run.result is None
        assert run.final_mask is None
        assert run.test_output is None
        assert [line.text for line in run.log] == ["learning ended", "once more"]
        assert run.state.name == "interrupted"
        assert [state.name for state in run.states] == ["running", "finished", "running"]


def test_a_run_can_be_read_by_the_program_that_writes_it(tmp_path: Path) -> None:
    run = SyntheticRun()
    path = tmp_path / "run.h5"
    with RunWriter.create(path, run.header) as writer:
        with RunReader(path) as reader:
            assert len(reader.epochs) == 0
            assert reader.gain is None
            for epochs in run.replays(5):
                writer.append_many(epochs)
            assert len(reader.epochs) == 0, "what is read stays as it was until the next refresh"
            reader.refresh()
            assert len(reader.epochs) == 5
        writer.log("info", "closing a reader does not disturb the writer")
    with RunReader(path) as reader:
        assert len(reader.log) == 1


def test_a_run_that_is_read_since_before_its_end_can_be_opened_again_after_it(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    command = [sys.executable, synthetic_run.__file__, str(path), "5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["created\n", "1\n"]
        with RunReader(path) as first:
            seen = len(first.epochs)
            process.communicate("")  # it ends
            for _ in range(2):
                with RunReader(path) as second:
                    assert len(second.epochs) == 5
                    assert second.log[-1].text == "epoch 5"
                    assert second.seal is not None
                    assert second.unsealed_datasets() == []
                assert len(first.epochs) == seen, "what is read stays as it was until the next refresh"
                first.refresh()
                seen = 5


def test_faults_and_text_keep_every_character(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run.h5", SyntheticRun().header, unix_s=lambda: 12.5) as writer:
        writer.fault("slm", "timeout", "no answer\nwithin 2 s: λ = 661 nm", "retried")
        writer.log("warning", "x" * 100_000)
    with RunReader(tmp_path / "run.h5") as run:
        (fault,) = run.faults
        assert (fault.unix_s, fault.device, fault.kind, fault.action) == (12.5, "slm", "timeout", "retried")
        assert fault.text == "no answer\nwithin 2 s: λ = 661 nm"
        assert run.log[0].text == "x" * 100_000


def test_a_run_without_test_part_or_washout_is_a_run(tmp_path: Path) -> None:
    nothing = np.empty(0)
    header = replace(SyntheticRun().header, washout_input=nothing, test_input=nothing, test_target=nothing)
    with RunWriter.create(tmp_path / "run.h5", header) as writer:
        writer.finish("finished")
    with RunReader(tmp_path / "run.h5") as run:
        assert len(run.washout_input) == len(run.test_target) == 0
        assert run.state.name == "finished"


def test_epochs_must_come_in_order_and_whole(tmp_path: Path) -> None:
    run = SyntheticRun()
    epochs = all_epochs(run, 3)
    with RunWriter.create(tmp_path / "run.h5", run.header) as writer:
        writer.append(epochs[0])
        with pytest.raises(ValueError, match="next epoch is 1"):
            writer.append(epochs[2])
        with pytest.raises(ValueError, match="shape"):
            writer.append(replace(epochs[1], output=epochs[1].output[:-1]))
        writer.append(epochs[1])
        with pytest.raises(ValueError, match="checkpoint after 3"):
            writer.checkpoint(3, b"state")
    with RunReader(tmp_path / "run.h5") as reader:
        np.testing.assert_array_equal(reader.epochs.outputs(), [epoch.output for epoch in epochs[:2]])


# --- places that cannot be written ------------------------------------------------------------------------------
def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = SyntheticRun().write(tmp_path / "run.h5", replays=3)
    before = path.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        RunWriter.create(path, SyntheticRun().header)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_said_so_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match=r"cannot be written.*Choose a folder"):
        RunWriter.create(tmp_path / "file" / "run.h5", SyntheticRun().header)
    with pytest.raises(UserError, match="full"):
        RunWriter.create(tmp_path / "run.h5", SyntheticRun().header, room=DiskRoom(free_bytes=lambda _: 1000))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_a_file_that_is_no_run_is_refused_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(content)
    for use in (RunReader, RunWriter.reopen):
        with pytest.raises(UserError, match="not a run file") as refusal:
            use(path)
        assert refusal.value.remedy
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_other_hdf5_files_and_newer_schemas_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file["data"] = [1, 2, 3]
    with pytest.raises(UserError, match="not of a run"):
        RunReader(path)
    newer = SyntheticRun().write(tmp_path / "newer.h5", replays=2)
    with h5py.File(newer, "r+") as file:
        file.attrs["schema_version"] = 3
    with pytest.raises(UserError, match="schema version 3"):
        RunReader(newer)
    with pytest.raises(UserError, match="no run file"):
        RunReader(tmp_path / "missing.h5")


def test_a_file_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    whole = SyntheticRun().write(tmp_path / "whole.h5").read_bytes()
    for share in np.linspace(0.001, 0.999, 25):
        path = tmp_path / "cut.h5"
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UserError, match=r"not a run file any more: .* missing|HDF5 cannot open it"):
            RunReader(path)


# --- a disk that fills up ---------------------------------------------------------------------------------------
def test_a_full_disk_stops_epochs_but_still_lets_the_log_say_so(tmp_path: Path) -> None:
    free = [1 << 40]
    room = DiskRoom(free_bytes=lambda _: free[0])
    run = SyntheticRun()
    epochs = all_epochs(run, 20)
    with RunWriter.create(tmp_path / "run.h5", run.header, room=room) as writer:
        writer.append_many(epochs[:9])
        free[0] = 600_000
        for _ in range(3):
            with pytest.raises(RecordFullError, match=r"0\.6 MB are free, 1\.0 MB are needed.*Make room"):
                writer.append_many(epochs[9:12])
        writer.log("error", "paused: the disk is full")
        free[0] = 1 << 40
        writer.append_many(epochs[9:12])
        writer.append_many(epochs[12:])
    with RunReader(tmp_path / "run.h5") as reader:
        np.testing.assert_array_equal(reader.epochs.outputs(), [epoch.output for epoch in epochs])
        assert reader.log[0].text == "paused: the disk is full"


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of files are POSIX")
def test_a_write_that_fails_halfway_can_be_repeated_without_tearing_rows(tmp_path: Path) -> None:
    """The file may not grow beyond a limit: HDF5 meets a real error of the system in the middle of its work."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    rng = np.random.default_rng(8)
    run = SyntheticRun(neurons=900)
    epochs = all_epochs(run, 1200)
    path = tmp_path / "run.h5"
    failures = 0
    with RunWriter.create(path, run.header) as writer:
        while writer.epochs < len(epochs):
            batch = epochs[writer.epochs : writer.epochs + int(rng.integers(1, 40))]
            limit = path.stat().st_size + int(rng.integers(0, 40_000))
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                writer.append_many(batch)
            except RecordFullError:
                failures += 1
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                killed_now = tmp_path / "killed.h5"
                killed_now.write_bytes(path.read_bytes())
                with RunReader(killed_now) as reader:
                    assert len(reader.epochs) >= writer.epochs
                    kept = [epoch.output for epoch in epochs[: writer.epochs]]
                    np.testing.assert_array_equal(
                        reader.epochs.outputs(0, writer.epochs), np.reshape(kept, (-1, STEPS))
                    )
                writer.append_many(batch)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.log("info", "done")
    assert failures > 3
    with RunReader(path) as reader:
        table = reader.epochs
        np.testing.assert_array_equal(table.outputs(), [epoch.output for epoch in epochs])
        np.testing.assert_array_equal(table.masks(), [epoch.mask for epoch in epochs])
        assert table.mirror.tolist() == [epoch.mirror for epoch in epochs]
        assert table.mse.tolist() == [epoch.mse for epoch in epochs]
        assert table.unix_s.tolist() == [epoch.unix_s for epoch in epochs]
        assert reader.log[0].text == "done"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["killed.h5", "run.h5"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_any_failed_write_is_named_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    from labcontrol.records import RecordWriteError, storage

    run = SyntheticRun()
    epochs = all_epochs(run, 4)
    put = storage.Column.put
    with RunWriter.create(tmp_path / "run.h5", run.header) as writer:
        writer.append(epochs[0])

        def failing(column: storage.Column, *arguments: object) -> None:
            put(column, *arguments)
            raise OSError(number, "broken on purpose")

        monkeypatch.setattr(storage.Column, "put", failing)
        with pytest.raises(RecordWriteError) as refusal:
            writer.append_many(epochs[1:3])
        assert isinstance(refusal.value, RecordFullError) == (number == errno.ENOSPC)
        monkeypatch.undo()
        writer.append_many(epochs[1:3])
        writer.append(epochs[3])
    with RunReader(tmp_path / "run.h5") as reader:
        np.testing.assert_array_equal(reader.epochs.outputs(), [epoch.output for epoch in epochs])


def test_a_record_is_sealed_when_it_is_closed_and_anew_after_a_continuation(tmp_path: Path) -> None:
    run = SyntheticRun()
    path = tmp_path / "run.h5"
    with RunWriter.create(path, run.header) as writer:
        with RunReader(path) as reader:
            assert reader.seal is None
        for epochs in run.replays(3):
            writer.append_many(epochs)
    with RunReader(path) as reader:
        first = reader.seal
        assert reader.unsealed_datasets() == []
    with RunWriter.reopen(path) as writer:
        writer.log("info", "once more")
        with RunReader(path) as reader:
            assert reader.seal is None
    with RunReader(path) as reader:
        assert reader.seal != first is not None
        assert reader.unsealed_datasets() == []


def test_the_last_checkpoints_are_kept_in_the_room_of_a_few(tmp_path: Path) -> None:
    run, path, rng = SyntheticRun(), tmp_path / "run.h5", np.random.default_rng(5)
    states: list[bytes] = []

    def write(writer: RunWriter, epochs: list[Epoch]) -> None:
        writer.append_many(epochs)
        states.append(rng.bytes(int(rng.integers(9_000, 10_000))))
        writer.checkpoint(writer.epochs, states[-1])

    def assert_kept(most_bytes: int = 60_000) -> None:
        with RunReader(path) as reader:
            last = len(states)
            assert reader.checkpoint_epochs.tolist() == [last - 2, last - 1, last]
            assert [reader.checkpoint(k).state for k in range(3)] == states[-3:]
            assert len(reader._file["checkpoints/bytes"]) < most_bytes

    replays = run.replays(60)
    with RunWriter.create(path, run.header) as writer:
        for _ in range(30):
            write(writer, next(replays))
        assert_kept()
    with RunWriter.reopen(path, dropped_checkpoints=1) as writer:
        with RunReader(path) as reader:
            assert reader.checkpoint_epochs.tolist() == [28, 29]
            assert [reader.checkpoint(k).state for k in range(2)] == states[-3:-1]
        for _ in range(20):
            write(writer, next(replays))
            if len(states) > 32:
                assert_kept()
    with RunReader(path) as reader:
        assert list(reader.changes()) == []
