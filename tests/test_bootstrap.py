"""Set-up in one command: what it does once, what it does never again, and what it says when it cannot."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from labcontrol import bootstrap
from labcontrol.gui import availability

SOURCE = Path(bootstrap.__file__)


class Steps:
    """Stands in for the commands of the set-up: keeps them, and makes an environment's Python appear."""

    def __init__(self) -> None:
        self.taken: list[list[str]] = []
        self.failing = ""

    def __call__(self, command: Sequence[str], quiet: bool = False) -> int:
        self.taken.append(list(command))
        if "venv" in command:
            bootstrap.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            bootstrap.PYTHON.touch()
        return 1 if self.failing and self.failing in command else 0

    def since(self) -> list[list[str]]:
        taken, self.taken = self.taken, []
        return taken


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'labcontrol'\n", encoding="utf-8")
    environment = tmp_path / ".venv"
    monkeypatch.setattr(bootstrap, "CLONE", tmp_path)
    monkeypatch.setattr(bootstrap, "ENVIRONMENT", environment)
    monkeypatch.setattr(bootstrap, "STAMP", environment / "stamp.json")
    monkeypatch.setattr(bootstrap, "PYTHON", environment / "bin" / "python")
    monkeypatch.setattr(bootstrap, "LABCONTROL", environment / "bin" / "labcontrol")
    return tmp_path


@pytest.fixture
def steps(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()
    monkeypatch.setattr(bootstrap, "_call", steps)
    return steps


def is_venv(command: list[str]) -> bool:
    return command[:3] == [sys.executable, "-m", "venv"]


def is_pip(command: list[str], target: str) -> bool:
    return command[1:4] == ["-m", "pip", "install"] and command[-2:] == ["--editable", target]


def test_the_first_call_makes_the_environment_and_installs_and_the_second_does_nothing(steps: Steps) -> None:
    bootstrap.install_program(extras=())
    make, install = steps.since()
    assert is_venv(make)
    assert is_pip(install, ".")
    bootstrap.install_program(extras=())
    assert steps.since() == []


def test_an_extra_is_added_once_and_kept(clone: Path, steps: Steps) -> None:
    bootstrap.install_program(extras=())
    steps.since()
    bootstrap.install_program(extras=("test",))
    (install,) = steps.since()
    assert is_pip(install, ".[test]")
    bootstrap.install_program(extras=())
    bootstrap.install_program(extras=("test",))
    assert steps.since() == []
    (clone / "pyproject.toml").write_text("[project]\nname = 'other'\n", encoding="utf-8")
    bootstrap.install_program(extras=())
    (again,) = steps.since()
    assert is_pip(again, ".[test]")


def test_the_extras_that_devices_need_are_named(clone: Path, steps: Steps) -> None:
    (clone / "pyproject.toml").write_text(
        "[project]\nname = 'labcontrol'\n[project.optional-dependencies]\nalp = []\nbasler = []\n", encoding="utf-8"
    )
    assert bootstrap.main(["setup", "--with", "basler,alp"]) == 0
    assert is_pip(steps.since()[-1], ".[alp,basler]")


@pytest.mark.parametrize("options", [["--with"], ["--with", "bsler"], ["--with", "alp,"], ["basler"]])
def test_an_extra_that_there_is_not_is_answered_with_those_there_are(
    clone: Path, steps: Steps, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    (clone / "pyproject.toml").write_text(
        "[project]\nname = 'labcontrol'\n[project.optional-dependencies]\nalp = []\nbasler = []\n", encoding="utf-8"
    )
    assert bootstrap.main(["setup", *options]) == 2
    assert "There are alp, basler" in capsys.readouterr().err
    assert steps.since() == []


def test_another_python_or_place_gets_a_fresh_environment(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.install_program(extras=())
    assert "--clear" in steps.since()[0]  # there was nothing
    monkeypatch.setattr(sys, "version", "3.99.0")
    bootstrap.install_program(extras=())
    make, install = steps.since()
    assert is_venv(make)
    assert "--clear" in make
    assert is_pip(install, ".")


def test_an_environment_that_somebody_made_is_not_emptied(steps: Steps) -> None:
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.touch()
    bootstrap.install_program(extras=())
    assert "--clear" not in steps.since()[0]


def test_a_failed_installation_is_tried_again(steps: Steps, capsys: pytest.CaptureFixture[str]) -> None:
    steps.failing = "pip"
    assert bootstrap.main(["setup"]) == 2
    assert "HTTPS_PROXY" in capsys.readouterr().err
    steps.since()
    steps.failing = ""
    bootstrap.install_program(extras=())
    assert is_pip(steps.since()[-1], ".")


def test_python_without_ensurepip_names_the_package(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert bootstrap.main(["setup"]) == 2
    assert f"sudo apt-get install python3.{sys.version_info[1]}-venv" in capsys.readouterr().err
    assert steps.since() == []


def test_outside_a_clone_it_says_so(clone: Path, steps: Steps, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "pyproject.toml").unlink()
    assert bootstrap.main(["run"]) == 2
    assert "is not a clone" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["rnu"], 2), (["--help"], 0)])
def test_usage(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(arguments) == code
    assert "labcontrol.bootstrap run" in capsys.readouterr().err


# Handing over


@pytest.fixture
def handed_over(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def hand_over(command: Sequence[str]) -> int:
        commands.append(list(command))
        return 7

    monkeypatch.setattr(bootstrap, "_hand_over", hand_over)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    return commands


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qt's libraries are missing, and nobody may install them."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name == "dpkg-query" else None)
    monkeypatch.setattr(bootstrap, "_not_installed", list)


def test_run_without_display_needs_no_system_packages(handed_over: list[list[str]], no_packages: None) -> None:
    assert bootstrap.main(["run", "--neurons", "16"]) == 7
    assert handed_over == [[str(bootstrap.LABCONTROL), "run", "--neurons", "16"]]


def test_run_with_a_display_but_without_qt_goes_on_in_the_terminal(
    handed_over: list[list[str]],
    no_packages: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    bootstrap.main(["run"])
    assert handed_over.pop() == [str(bootstrap.LABCONTROL), "run", "--headless"]
    assert f"sudo apt-get install {availability.DEBIAN_PACKAGES}" in capsys.readouterr().err
    bootstrap.main(["run", "--window"])
    assert handed_over.pop() == [str(bootstrap.LABCONTROL), "run", "--window"]


def test_tests_run_on_all_cores_with_the_options_given(
    handed_over: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name == "Xvfb" else None)
    bootstrap.main(["test", "-k", "laser"])
    command = [str(bootstrap.PYTHON), *bootstrap._PYTEST]
    assert handed_over.pop() == [*command, "-k", "laser"]
    assert "off-screen" not in capsys.readouterr().err


def test_tests_run_without_any_display(
    handed_over: list[list[str]], no_packages: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main(["test"]) == 7
    assert "draw the window off-screen" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="needs a shell script as a stand-in")
def test_debian_packages_are_found_under_their_old_and_new_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text(
        "#!/bin/sh\necho 'libgl1 installed'\necho 'libfoot64 installed'\necho 'gone config-files'\nexit 1\n"
    )
    query.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap._not_installed(["libgl1", "libfoo", "gone", "never"]) == ["gone", "never"]


def test_the_exit_code_is_passed_on() -> None:
    assert bootstrap.run_and_wait([sys.executable, "-c", "raise SystemExit(7)"]) == 7


@pytest.mark.skipif(os.name != "posix", reason="sends signals to a process group")
@pytest.mark.parametrize("function", ["run_and_wait", "_hand_over"])
def test_an_interrupt_is_left_to_the_command_which_ends_cleanly(function: str) -> None:
    command = """
import os, signal
def stop(number, frame):
    os.write(1, b"left clean\\n")
    raise SystemExit(5)
signal.signal(signal.SIGINT, stop)
os.write(1, b"running\\n")
while True:
    signal.pause()
"""
    parent = (
        f"import sys; from labcontrol import bootstrap; sys.exit(bootstrap.{function}([sys.executable, *sys.argv[1:]]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, "-c", command], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "left clean\n"
        assert process.returncode == 5


# An unsuitable Python


def test_an_old_python_can_read_it_and_says_it_is_too_old() -> None:
    ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 6))
    pretend = (
        "import runpy, sys; sys.version_info = (3, 8, 10, 'final', 0); runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", pretend, str(SOURCE)], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert "needs Python 3.11 or newer; this is Python 3.8" in result.stderr


@pytest.mark.parametrize(
    "path",
    [
        SOURCE,
        SOURCE.parent / "__init__.py",
        SOURCE.parent / "companions.py",
        Path(availability.__file__),
        SOURCE.parent / "gui" / "__init__.py",
    ],
)
def test_it_needs_nothing_but_the_standard_library(path: Path) -> None:
    """Imports that run at once, on a Python without any package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    imported -= {"labcontrol.companions"}  # one of these files
    assert {name.split(".")[0] for name in imported} <= set(sys.stdlib_module_names)


@pytest.mark.skipif(os.name != "posix", reason="there is no administrator to become")
@pytest.mark.parametrize(
    ("user", "commands", "asked", "installs"),
    [
        (0, {"apt-get"}, [], True),
        (1000, {"apt-get", "sudo"}, ["sudo", "-n"], True),
        (1000, {"apt-get"}, [], False),
        (0, set(), [], False),
    ],
    ids=["as root", "with sudo", "without sudo", "without apt"],
)
def test_system_packages_are_installed_by_who_may(
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    commands: set[str],
    asked: list[str],
    installs: bool,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name in commands else None)
    assert bootstrap._install_system_packages(["xvfb"]) is installs
    taken = [command for command in steps.since() if "install" in command]
    assert [command[: len(asked)] for command in taken] == [asked] * installs
    assert all(command[-1] == "xvfb" for command in taken)
    monkeypatch.setattr(steps, "failing", "true")  # sudo would ask for a password
    assert bootstrap._install_system_packages(["xvfb"]) is (installs and not asked)
