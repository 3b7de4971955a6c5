"""The page of scaling studies, over studies with a known answer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from gui_helpers import page_context
from pytestqt.qtbot import QtBot

from labcontrol.gui.scaling.page import ScalingPage
from labcontrol.gui.shared.theme import LIGHT
from labcontrol.theory.scaling import Cell, CellResult, Study
from labcontrol.theory.scaling.storage import save_study

GRID = np.linspace(0, 6, 61)
SIZES, SEEDS = (64, 144, 324), 6


def study(
    exponent: float, sizes: tuple[int, ...] = SIZES, selections: tuple[str, ...] = ("uniform", "greedy")
) -> Study:
    """Time constants 0.3 N^exponent, a tenth of scatter between runs."""
    rng = np.random.default_rng(1)
    results = []
    for selection in selections:
        for n in sizes:
            for seed in range(SEEDS):
                tau = 0.3 * n**exponent * math.exp(0.1 * rng.normal())
                curve = 0.01 + 0.99 * np.exp(-GRID * n / tau)
                results.append(
                    CellResult(
                        Cell(n, seed, selection, "mse"), tau, 0.9 * tau, 1.1 * tau, 0.99, 3 * tau, tau, 1.0, 0.01,
                        curve, np.full_like(GRID, np.nan),
                    )
                )  # fmt: skip
    return Study({"states": "planted"}, GRID, tuple(results))


@pytest.fixture
def page(qtbot: QtBot, tmp_path: Path) -> ScalingPage:
    page = ScalingPage(page_context(tmp_path))
    page.open(tmp_path)
    qtbot.addWidget(page, before_close_func=lambda page: page.shut_down())
    page.resize(1200, 700)
    page.set_theme(LIGHT)
    page.show()
    return page


def show(page: ScalingPage, qtbot: QtBot, shown: Study) -> None:
    save_study(shown, page.folder)
    page.open(page.folder)
    qtbot.waitUntil(lambda: not page.is_busy and page._study is not None, timeout=20_000)


def test_without_a_study_the_page_says_how_to_make_one(page: ScalingPage) -> None:
    assert page.nothing.isVisible()
    assert "labcontrol scaling" in page.nothing.text()


def test_exponents_and_their_intervals_stand_in_the_table(page: ScalingPage, qtbot: QtBot) -> None:
    show(page, qtbot, study(1.0))
    value, low, high = (float(part.strip("[],")) for part in page.table._cells[0][0].text().replace(",", " ").split())
    assert low < value < high
    assert value == pytest.approx(1.0, abs=0.1)
    assert "linear in N" in page.verdict.text()
    assert len(page.table._boxes) == 2


def test_the_fitted_line_has_the_exponent_as_slope(page: ScalingPage, qtbot: QtBot) -> None:
    show(page, qtbot, study(1.0, selections=("uniform",)))
    lines = [item for item in page.tau._items if type(item).__name__ == "PlotCurveItem"]
    predicted, fitted = (np.diff(line.getData()[1]) / np.diff(line.getData()[0]) for line in lines)
    assert predicted == pytest.approx(1.0)
    assert fitted == pytest.approx(page._groups[0].exponents["tau"].value)


def test_one_size_has_no_exponent(page: ScalingPage, qtbot: QtBot) -> None:
    show(page, qtbot, study(1.0, sizes=(64,)))
    assert page.table._cells[0][0].text() == ""
    assert "two sizes" in page.verdict.text()


def test_a_study_in_progress_grows_on_screen(page: ScalingPage, qtbot: QtBot) -> None:
    show(page, qtbot, study(1.0, sizes=SIZES[:2]))
    assert page.table._cells[0][5].text() == str(2 * SEEDS)
    save_study(study(1.0), page.folder)
    page._seen_mtime = 0.0  # file systems may keep whole seconds
    page.poll()
    qtbot.waitUntil(lambda: page.table._cells[0][5].text() == str(3 * SEEDS), timeout=20_000)


def test_a_group_that_is_unticked_is_not_drawn(page: ScalingPage, qtbot: QtBot) -> None:
    show(page, qtbot, study(1.0))
    drawn = len(page.tau._items)
    page.table._boxes[1].click()
    assert len(page.tau._items) < drawn
    page.table._radios[1].click()
    assert page.collapse._group is page._study.groups[1]


def test_a_damaged_study_is_a_problem_in_words(page: ScalingPage, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "study.h5").write_bytes(b"nothing")
    with qtbot.waitSignal(page.problem, timeout=20_000) as told:
        page.poll()
    assert "cannot be read" in str(told.args[0])
