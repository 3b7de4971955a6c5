"""A new figure of a run is one module and one entry, as CONTRIBUTING says; every figure draws every run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from labcontrol.analysis.plots.run_figures import RUN_FIGURES, draw_run
from labcontrol.cli.app import main
from labcontrol.errors import UserError
from labcontrol.records import RunReader

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))
from synthetic_run import SyntheticRun

MODULE = """
from labcontrol.analysis.plots.figure_files import new_figure


def acceptance_figure(run):
    figure = new_figure(5, 3)
    figure.subplots().plot(run.epochs.accepted.cumsum())
    return figure
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return SyntheticRun().write(tmp_path / "run.h5")


def test_a_module_and_an_entry_are_all_it_takes(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "acceptance_plot.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(RUN_FIGURES, "acceptance", "acceptance_plot:acceptance_figure")
    command = ["labcontrol", "runs", "export", str(record), "--to", "png,svg", "--figure", "acceptance"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as leaving:
        main()
    assert not leaving.value.code
    drawn = [record.with_name(f"run.acceptance.{suffix}") for suffix in ("png", "svg")]
    assert capsys.readouterr().out.split() == [str(path) for path in drawn]
    assert drawn[0].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", RUN_FIGURES)
def test_every_figure_is_drawn_or_says_what_is_missing(record: Path, name: str) -> None:
    with RunReader(record) as run:
        if name == "drift":
            with pytest.raises(UserError, match="was not watched"):
                draw_run(run, name)
        else:
            assert draw_run(run, name).axes


def test_an_unknown_figure_is_answered_with_those_there_are(record: Path) -> None:
    with RunReader(record) as run, pytest.raises(UserError, match="Known: run, timeline, drift"):
        draw_run(run, "nothing")
