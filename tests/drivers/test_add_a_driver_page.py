"""docs/add-a-driver.md, done as it stands there, with nothing but an installed labcontrol."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from drivers.interfaces import Camera, Detector, Device, Laser, Modulator
from drivers.lasers.wired_laser import WiredLaser

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-driver.md").read_text(encoding="utf-8")
FILES = {
    re.match(r"# (\S+)\n", block)[1]: block  # type: ignore[index]
    for block in re.findall(r"```(?:python|toml)\n(.*?)```", PAGE, re.DOTALL)
}
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def computer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder to work in, and the environment of a computer on which the packages labcontrol needs are to be had.

    labcontrol itself is a wheel built from this source. Everything else is seen where it is installed already, so that
    nothing is fetched.
    """
    folder = tmp_path_factory.mktemp("computer")
    wheel = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder / "wheels"), str(ROOT)]
    subprocess.run([sys.executable, *wheel], check=True)
    venv.create(folder / "venv")
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    scripts, packages = (sysconfig.get_path(name, vars=paths) for name in ("scripts", "purelib"))
    (folder / "installed").mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "labcontrol" not in path.name:
            (folder / "installed" / path.name).symlink_to(path)
    (Path(packages) / "installed.pth").write_text(str(folder / "installed"), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PATH": os.pathsep.join((scripts, environment["PATH"]))}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"), "PIP_NO_BUILD_ISOLATION": "0"}
    (folder / "acme-drivers").mkdir()
    for name, content in FILES.items():
        (folder / "acme-drivers" / name).write_text(content, encoding="utf-8")
    return folder, environment


@pytest.mark.skipif(sys.platform == "win32", reason="instruments are emulated on other systems")
def test_a_package_of_drivers_passes_the_tests_of_its_roles(computer: tuple[Path, dict[str, str]]) -> None:
    folder, environment = computer
    said = {}
    for command in COMMANDS:
        done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        said[command] = done.stdout
    assert {"acme-laser", "acme-camera", "acme-slm"} <= set(re.findall(r"[\w-]+", said["labcontrol drivers"]))
    assert "baudrate_hz" in said["labcontrol drivers acme-laser"]
    assert re.search(r" \d{2,} passed in ", said["python -m pytest acme-drivers"])
    where = "import labcontrol.testing; print(labcontrol.testing.__file__)"
    shown = subprocess.run(["python", "-c", where], cwd=folder, env=environment, capture_output=True, text=True)
    assert str(folder) in shown.stdout


def test_the_files_that_the_page_lists_are_those_that_it_prints() -> None:
    listing = re.search(r"```\nacme-drivers/\n(.*?)```", PAGE, re.DOTALL)
    assert listing is not None
    assert set(listing[1].split()) == set(FILES)


def hooks(role: type[Device]) -> set[str]:
    """What a driver of a role has to fill."""
    return set(role.__abstractmethods__)


@pytest.mark.parametrize("role", [Modulator, Camera, Laser, Detector])
def test_the_page_lists_the_hooks_of_each_role(role: type[Device]) -> None:
    assert rows("every device") | rows(f"`{role.__name__}`") >= hooks(role)
    for name, default in {**table("every device"), **table(f"`{role.__name__}`")}.items():
        assert hasattr(role, name), f"{role.__name__} has no {name}"
        assert bool(default) != (name in hooks(role)), f"{name}: its default is {default or 'not named'}"


def test_the_page_lists_the_hooks_of_a_laser_on_a_line() -> None:
    assert rows("`WiredLaser` instead of some of these") >= hooks(WiredLaser) - hooks(Laser)


def table(heading: str) -> dict[str, str]:
    """Hook by hook the default of one table of the page."""
    found = re.search(rf"^\| {re.escape(heading)} \| default \|.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    lines = [line.split("|")[1:3] for line in found[0].splitlines()[2:] if line]
    return {name: default.strip() for names, default in lines for name in re.findall(r"`(\w+)`", names)}


def rows(heading: str) -> set[str]:
    return set(table(heading))
