"""Messages name the culprit: the call that failed, not the record that was read; a person's text is shown as it is."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from labcontrol.config.bench_edit import replace_file
from labcontrol.errors import UserError
from labcontrol.records import RunReader, RunWriter, lock, reading
from labcontrol.records.export import export_epochs

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

Cli = Callable[..., Any]

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and devices are POSIX")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return SyntheticRun().write(tmp_path / "run.h5", replays=10)


def labcontrol(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labcontrol", *map(str, arguments)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


@posix
def test_a_full_output_is_not_a_damaged_record(record: Path) -> None:
    with Path("/dev/full").open("w") as full:
        outcome = labcontrol("verify", record, stdout=full)
    assert outcome.returncode == 2
    assert "No space left on device" in outcome.stderr
    assert "damaged" not in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_a_terminal_without_a_letter_shows_another_one(record: Path) -> None:
    record.with_suffix(".note.txt").write_text("λ = 661 nm ☃", encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    outcome = labcontrol("runs", "show", record, stdout=subprocess.PIPE, env=environment, encoding="cp1252")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "? = 661 nm ?" in outcome.stdout


def test_an_error_that_is_not_of_the_record_is_not_said_to_be_damage(record: Path) -> None:
    with pytest.raises(ZeroDivisionError), reading(record):
        raise ZeroDivisionError
    for error in (ValueError("wrong figure"), OSError(errno.ENOSPC, "full")):
        with pytest.raises(type(error)) as raised, reading(record):
            raise error
        assert raised.value is error


def test_an_unexpected_error_leaves_a_report_and_no_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("a bug [of the program]")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labcontrol.cli.check.load_experiment", broken)
    outcome = cli("check", "any.toml")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert "LookupError: a bug [of the program]" in outcome.err
    (report,) = tmp_path.glob("labcontrol-crash-*.txt")
    assert str(report) in outcome.err
    text = report.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "any.toml" in text


@pytest.mark.parametrize("text", [r"\[/x]", "[/x]", "[red]", "a[bold]b", "[/]", "\\"])
def test_a_name_with_brackets_is_shown_as_it_is(cli: Cli, tmp_path: Path, text: str) -> None:
    outcome = cli("check", f"{text}.toml")
    assert outcome.code == 2
    assert f"There is no experiment file {text}.toml" in outcome.err
    folder = tmp_path / text.replace("/", "-").replace("\\", "-")
    folder.mkdir()
    assert str(folder) in cli("runs", "list", "--folder", folder).out.replace("\n", "")


def test_a_run_in_a_folder_with_brackets_says_where_its_files_are(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "d[bold]"
    size = ("--neurons", 16, "--steps", 20, "--epochs", 5)
    outcome = cli("run", "--headless", *size, "--output", folder)
    assert outcome.code == 0
    saved = re.findall(r"saved (.*)", outcome.err)
    assert saved
    assert all(Path(path).is_file() for path in saved)


def test_a_deeply_nested_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(f"a = {'[' * 5000}{']' * 5000}")
    outcome = cli("check", path)
    assert outcome.code == 2
    assert "nested too deep" in outcome.err


def test_an_export_that_fails_leaves_the_file_that_was_there(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("good")

    def full(*_: object) -> str:
        (tmp_path / "table.csv.partial").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(export_epochs.__globals__["_WRITERS"], ".csv", full)
    with RunReader(record) as run, pytest.raises(UserError, match="No space left"):
        export_epochs(run, path)
    assert path.read_text() == "good"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.h5", "table.csv"]


@posix
def test_a_bench_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    replace_file(path, "new")
    others = stat.S_IMODE((tmp_path / "bench.toml").stat().st_mode)
    plain = tmp_path / "plain"
    plain.touch()
    assert others == stat.S_IMODE(plain.stat().st_mode)
    path.chmod(0o664)
    replace_file(path, "newer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


@posix
def test_a_record_on_a_disk_without_locks_is_read_and_not_written(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_descriptor: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", refused)
    before = record.read_bytes()
    with pytest.raises(lock.NoLocksError, match=r"has no locks.*disk of this computer"):
        RunWriter.reopen(record)
    record.with_name("run.h5.lock").touch()
    with RunReader(record) as run:
        assert run.state.name == "finished"
    assert record.read_bytes() == before


@posix
@pytest.mark.parametrize("module", ["labcontrol.cli.app", "numpy", "scipy", "labcontrol.engine.session"])
def test_ctrl_c_before_there_is_a_record_ends_with_130(tmp_path: Path, module: str) -> None:
    command = [sys.executable, "-v", "-m", "labcontrol", "run", "--headless", "--output", str(tmp_path / "runs")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if f"import '{module}'" in line or f"# code object from '{module}'" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    # A shell says 130 for both: Python itself ends by the signal if that came in code compiled from a string.
    assert process.returncode in (130, -signal.SIGINT), errors[-3000:]
    assert "Traceback" not in errors


@posix
def test_ctrl_c_stops_a_run_whose_output_nobody_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labcontrol", "run", "--headless", "--epochs", 100_000, "--output", tmp_path]
    reader, writer = os.pipe()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    deadline_s = time.monotonic() + 60
    while not list(tmp_path.glob("*.h5")) and time.monotonic() < deadline_s:
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    with RunReader(next(tmp_path.glob("*.h5"))) as run:
        assert run.state.name in ("stopped", "aborted")
        assert run.seal is not None


def test_what_killed_runs_leave_is_tidied_and_nothing_else(cli: Cli, record: Path) -> None:
    before = record.read_bytes()
    names = ["run.h5.partial", "run.h5.salvage", "run.h5.lock", "other.h5.partial", "run.csv", "run.note.txt"]
    for name in names:
        record.with_name(name).write_text("left")
    lock_of_a_run = lock.RunLock(record)
    assert "nothing to tidy" in cli("runs", "tidy", "--folder", record.parent).out
    lock_of_a_run.release()
    record.with_name("run.h5.lock").touch()
    tidied = cli("runs", "tidy", "--yes", "--folder", record.parent)
    assert tidied.code == 0
    assert sorted(Path(line).name for line in tidied.out.split()) == sorted(names[:3])
    left = sorted(path.name for path in record.parent.iterdir())
    assert left == sorted(["run.h5", *names[3:]])
    assert record.read_bytes() == before


@pytest.mark.parametrize("command", [("runs", "export"), ("report",), ("runs", "show")])
def test_what_is_made_from_a_damaged_record_says_so(
    cli: Cli, record: Path, command: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    assert cli(*command, record).code == 0
    assert "damaged" not in caplog.text
    with h5py.File(record, "r+") as file:
        file["epochs/nmse"][3] *= 1.001
    assert cli(*command, record).code == 0
    assert "is damaged, and what follows is made from it: /epochs/nmse is not what it was" in caplog.text


@posix
def test_input_that_no_program_should_be_given_is_refused_by_name() -> None:
    """A short form of the campaign."""
    script = Path(__file__).parents[2] / "benchmarks" / "hostile_input.py"
    done = subprocess.run(
        [sys.executable, script, "--inputs", "24", "--seed", "2"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@posix
def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labcontrol", "run", "--headless", "--bench", b"b\xe4nch.toml"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert b"is no text in UTF-8. Rename the file." in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_with_a_bench_names_its_file(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", tmp_path, "--neurons", 16).code == 0
    bench = tmp_path / "bench.toml"
    bench.write_text(bench.read_text().replace('"simulated-camera"', '"polaroid"'))
    refused = cli("run", tmp_path / "experiment.toml", "--headless", "--output", tmp_path / "runs")
    assert refused.code == 2
    assert f"{bench}: camera: There is no driver named 'polaroid'" in refused.err
