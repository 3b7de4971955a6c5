"""Other packages of the names of ours: a folder beside a script, another distribution, files that are gone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).parent.parent


def imported(cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Import the program as a user's script in `cwd` would, with `path` on Python's path."""
    (cwd / "script.py").write_text("import labcontrol\nprint('imported')\n")
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=cwd,
        env={"PATH": "", "PYTHONPATH": str(path), "SYSTEMROOT": "C:\\Windows"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Our packages as an installation holds them, as far as an import needs them."""
    place = tmp_path / "installed"
    for name in ("labcontrol", "drivers", "mock_devices"):
        (place / name).mkdir(parents=True)
        shutil.copy(CLONE / name / "__init__.py", place / name)
    shutil.copy(CLONE / "labcontrol" / "companions.py", place / "labcontrol")
    return place


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "somebody"
    folder.mkdir()
    return folder


def test_an_installation_imports(installed: Path, elsewhere: Path) -> None:
    done = imported(elsewhere, installed)
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


@pytest.mark.parametrize("name", ["drivers", "mock_devices"])
@pytest.mark.parametrize("as_module", [False, True])
def test_something_of_the_same_name_beside_a_script_is_named(
    installed: Path, elsewhere: Path, name: str, as_module: bool
) -> None:
    other = elsewhere / f"{name}.py" if as_module else elsewhere / name
    if as_module:
        other.write_text("")
    else:
        other.mkdir()
        (other / "__init__.py").write_text("")
    done = imported(elsewhere, installed)
    assert done.returncode == 1
    assert f"needs its own package '{name}'" in done.stderr
    assert str(other.resolve()) in done.stderr
    assert "rename it" in done.stderr


def test_another_distribution_of_the_name_is_named(installed: Path, elsewhere: Path, tmp_path: Path) -> None:
    """Its files replaced ours: the folder is ours by name, but its contents are not looked into before use."""
    other = tmp_path / "first"
    (other / "drivers").mkdir(parents=True)
    (other / "drivers" / "__init__.py").write_text("")
    done = imported(elsewhere, Path(f"{other}:{installed}") if sys.platform != "win32" else other)
    assert done.returncode == 1
    assert str((other / "drivers").resolve()) in done.stderr
    assert "environment of its own" in done.stderr


def test_an_uninstallation_that_took_our_files_with_it_is_named(installed: Path, elsewhere: Path) -> None:
    shutil.rmtree(installed / "drivers")
    done = imported(elsewhere, installed)
    assert done.returncode == 1
    assert "cannot find its own package 'drivers'" in done.stderr
    assert "Install labcontrol again" in done.stderr
