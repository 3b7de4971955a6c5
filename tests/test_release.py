"""What is built for others holds everything that the program needs, under one version."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from labcontrol import __version__

ROOT = Path(__file__).parents[1]
PACKAGES = ("labcontrol", "drivers", "mock_devices")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True
    )
    return folder


def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


def tracked(*places: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", *places], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def test_the_wheel_holds_the_three_packages_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(wheel(built)) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names >= tracked(*PACKAGES)
    assert {name.split("/")[0] for name in names} == set(PACKAGES)


def test_the_source_archive_is_the_repository(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= tracked(*PACKAGES, "tests", "docs", "README.md", "CHANGELOG.md", "CITATION.cff", "constraints.txt")


def test_version_changelog_citation_and_wheel_agree(built: Path) -> None:
    with zipfile.ZipFile(wheel(built)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["Version"] == __version__
    assert metadata["Author"] == "labcontrol contributors"
    newest = re.search(r"^## (\d\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [tag for tag in tags if tag.startswith("v") and tag != f"v{__version__}"] == []


def test_constraints_name_every_dependency_and_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if "==" in line}
    assert {"numpy", "numba", "pyqt5", "typer", "h5py"} <= pinned
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line) for line in lines)


def test_an_installed_wheel_runs_from_anywhere(built: Path, tmp_path: Path) -> None:
    """Without its dependencies, which the tests have: what counts is that no file of ours is missing."""
    place, elsewhere = tmp_path / "place", tmp_path / "Übung mit Leerzeichen"
    elsewhere.mkdir()
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(place)]
    subprocess.run([sys.executable, *install, str(wheel(built))], check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(place), "LANG": "C", "LC_ALL": "C"}

    def called(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "labcontrol", *words],
            cwd=elsewhere, env=environment, capture_output=True, text=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert called("--version") == f"labcontrol {__version__}\n"
    for bench in ("simulated", "cobolt-vialux-oscilloscope"):
        called("init", bench, "--bench", bench)
    assert "SLM response" in called("check", "simulated/experiment.toml")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the place of an environment's programs differs")
def test_a_wheel_in_a_clean_environment_learns(built: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "clean")], check=True)
    programs = tmp_path / "clean" / "bin"
    subprocess.run([str(programs / "pip"), "install", "--quiet", str(wheel(built))], check=True)
    run = ["run", "--headless", "--neurons", "16", "--steps", "40", "--epochs", "20"]
    subprocess.run([str(programs / "labcontrol"), *run], cwd=tmp_path, check=True)
    assert list((tmp_path / "runs").glob("*.png"))
