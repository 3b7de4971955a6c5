"""The browser of past runs, over real records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gui_helpers import page_context
from PyQt5.QtCore import QItemSelectionModel, Qt
from pytestqt.qtbot import QtBot

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine import Run
from labcontrol.errors import UserError
from labcontrol.gui.runs import page as runs_page
from labcontrol.gui.runs.page import RunsPage
from labcontrol.gui.runs.reading import read_row
from labcontrol.gui.runs.table import COLUMNS, NOTE_COLUMN
from labcontrol.gui.runs.thumbnail import CURVE_ROLE
from labcontrol.gui.shared.theme import LIGHT
from labcontrol.records.catalogue import read_note

HEADINGS = [column.heading for column in COLUMNS]


def record(folder: Path, selection: str, seed: int) -> Path:
    experiment = ExperimentConfig.model_validate(
        {
            "neurons": 16,
            "seed": seed,
            "note": "first light",
            "task": {"steps": 40, "washout": 5, "test_steps": 10},
            "stop": {"epochs": 40},
            "learning": {"loss": "mse", "selection": selection},
        }
    )
    run = Run(experiment, simulated_bench(16, seed), folder)
    run.execute()
    return run.record


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("records")
    return [record(folder, "uniform", 1), record(folder, "cyclic", 2)]


@pytest.fixture
def page(qtbot: QtBot, records: list[Path], tmp_path: Path) -> RunsPage:
    for path in records:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    page = RunsPage(page_context(tmp_path))
    qtbot.addWidget(page, before_close_func=lambda page: page.shut_down())
    page.resize(1200, 800)
    page.set_theme(LIGHT)
    page.show()
    page.refresh()
    qtbot.waitUntil(lambda: not page.model.is_reading, timeout=60_000)
    return page


def cell(page: RunsPage, row: int, heading: str) -> str:
    return str(page.table.model().index(row, HEADINGS.index(heading)).data())


def select(page: RunsPage, qtbot: QtBot, *rows: int) -> None:
    selection, model = page.table.selectionModel(), page.table.model()
    for row in rows:
        selection.select(model.index(row, 0), QItemSelectionModel.Select | QItemSelectionModel.Rows)
    qtbot.waitUntil(lambda: not page._selection.is_busy and bool(page._selection.contents), timeout=60_000)


def test_each_run_is_a_line_with_its_figures(page: RunsPage, records: list[Path]) -> None:
    assert page.table.model().rowCount() == 2
    row = next(row for row in range(2) if cell(page, row, "Selection") == "uniform")
    expected = read_row(records[0])
    assert cell(page, row, "N") == "16"
    assert cell(page, row, "Epochs") == "40"
    assert float(cell(page, row, "Final error")) == pytest.approx(expected.summary.error, rel=0.01)
    assert float(cell(page, row, "τ / N")) == pytest.approx(expected.tau_per_neuron, rel=0.01)
    assert cell(page, row, "Note") == "first light"
    curve = page.table.model().index(row, HEADINGS.index("Curve")).data(CURVE_ROLE)
    assert 10 ** curve[-1] == pytest.approx(expected.summary.error)
    assert np.all(np.diff(curve) <= 0)


@pytest.mark.parametrize(
    ("text", "rows"), [("cyclic", 1), ("neurons>=16 error<10", 2), ("error<0", 0), ("mackey uniform", 1)]
)
def test_words_and_comparisons_filter(page: RunsPage, text: str, rows: int) -> None:
    page.search.setText(text)
    assert page.table.model().rowCount() == rows


def test_a_comparison_that_means_nothing_is_explained_and_filters_nothing(page: RunsPage) -> None:
    page.search.setText("eror<0.1")
    assert page.wrong.isVisible()
    assert "error" in page.wrong.text()
    assert page.table.model().rowCount() == 2


def test_a_selected_run_is_shown_and_a_second_one_laid_over(page: RunsPage, qtbot: QtBot) -> None:
    select(page, qtbot, 0, 1)
    first, second = page._selection.contents
    assert page.learning.title.text() == first.name
    np.testing.assert_array_equal(page.learning._data.incumbent("mse"), first.data.incumbent("mse"))
    assert [overlay.name for overlay in page.learning.plot.overlays.overlays] == [second.name]
    assert {"prediction", "mean-field", "coverage"} <= set(page.learning.models)


def test_a_note_is_written_beside_the_record(page: RunsPage) -> None:
    index = page.table.model().index(0, NOTE_COLUMN)
    assert index.data(Qt.ItemDataRole.EditRole) == ""
    assert page.table.model().setData(index, "aligned again before")
    path = page._run_at(0).path
    assert read_note(path) == "aligned again before"
    assert "aligned again before" in index.data()
    assert "first light" in index.data()


def test_a_deleted_run_leaves_the_table(page: RunsPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    trashed: list[Path] = []
    monkeypatch.setattr(runs_page, "trash_run", lambda path: trashed.append(path))
    select(page, qtbot, 1)
    path = page._run_at(1).path
    page.delete()
    assert trashed == [path]
    assert page.table.model().rowCount() == 1


def test_a_run_that_cannot_be_deleted_stays(page: RunsPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise UserError("It is being written.", "Stop that run first.")

    monkeypatch.setattr(runs_page, "trash_run", refuse)
    select(page, qtbot, 0)
    with qtbot.waitSignal(page.problem):
        page.delete()
    assert page.table.model().rowCount() == 2


def test_a_damaged_file_is_listed_and_harms_nothing(page: RunsPage, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "damaged.h5").write_bytes(b"not a record")
    page.refresh()
    qtbot.waitUntil(lambda: not page.model.is_reading, timeout=60_000)
    assert sorted(cell(page, row, "State") for row in range(3)) == ["finished", "finished", "unreadable"]


def test_an_empty_folder_says_what_to_do(qtbot: QtBot, tmp_path: Path) -> None:
    page = RunsPage(page_context(tmp_path / "nowhere"))
    qtbot.addWidget(page, before_close_func=lambda page: page.shut_down())
    page.show()
    page.refresh()
    assert page.nothing.isVisible()
    assert "F5" in page.nothing.text()
