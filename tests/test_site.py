"""The site builds without a warning, and what it says of options and commands comes from the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.registry import driver_names

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_menu_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} >= pages


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("experiment-file", ["masks_per_replay", "plateau_epochs", "[reservoir]"]),
        ("bench-file", ["power_ceiling_w", "[geometry.camera]"]),
        ("command-line", ["labcontrol run", "--target-error", "labcontrol resume"]),
        ("strategies", ["multiplexed-identification", "polish_rounds"]),
        ("drivers", ["cobolt-06", "simulated-table", "node_noise"]),
        ("python", ["RunReader", "subscribe"]),
    ],
)
def test_the_reference_is_written_from_the_program(site: Path, page: str, names: list[str]) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "reference" / f"{page}.html").read_text(encoding="utf-8"))
    assert [name for name in names if name not in text] == []


def test_every_driver_says_whether_it_was_tried_on_hardware(site: Path) -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", (site / "reference" / "drivers.html").read_text(encoding="utf-8"), re.DOTALL)
    cells = [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)] for row in rows]
    tried = {row[0]: row[3] for row in cells if len(row) == 4 and row[0] in driver_names()}
    assert set(tried) == set(driver_names())
    assert tried["simulated-laser"] == "simulated"
    assert tried["cobolt-06"] == "no"


def test_nothing_is_fetched_when_a_page_is_read(site: Path) -> None:
    fetched = re.compile(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(https?:)?//[^"]*"')
    assert [page.name for page in site.rglob("*.html") if fetched.search(page.read_text(encoding="utf-8"))] == []
