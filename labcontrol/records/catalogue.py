"""The runs in a folder: what they were, how far they came, what was noted about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labcontrol.errors import UserError
from labcontrol.records.damage import reading
from labcontrol.records.layout import SUFFIX
from labcontrol.records.notes import read_note, write_note
from labcontrol.records.reader import RunReader
from labcontrol.records.trash import files_of_run, trash_run

__all__ = [
    "LATEST",
    "RunSummary",
    "files_of_run",
    "find_run",
    "list_runs",
    "read_note",
    "run_files",
    "summary",
    "trash_run",
    "write_note",
]

LATEST = "latest"
_MOST_NAMED = 4


@dataclass(frozen=True)
class RunSummary:
    """One line of the catalogue.

    started_unix_s: when the record was begun; of a file that cannot be read, when it was last changed.
    start_error, error: loss of the initial mask and of the present incumbent; None before a first epoch.
    test_error: loss over the test part; None before the end. note: the experiment's, then what was noted later.
    problem: why a file cannot be read, otherwise empty; the other fields of such a file are empty, too.
    """

    path: Path
    started_unix_s: float
    state: str
    reason: str = ""
    task: str = ""
    neurons: int = 0
    steps: int = 0
    strategy: str = ""
    selection: str = ""
    acceptance: str = ""
    loss: str = ""
    seed: int | None = None
    epochs: int = 0
    start_error: float | None = None
    error: float | None = None
    test_error: float | None = None
    note: str = ""
    problem: str = ""


def summary(path: Path) -> RunSummary:
    """One run; a file that cannot be read becomes a summary with the state ``unreadable``."""
    try:
        with reading(path) as run:
            return _summary(run)
    except UserError as error:
        problem = error.message
    return RunSummary(path, _changed_unix_s(path), "unreadable", problem=problem)


def list_runs(folder: Path) -> list[RunSummary]:
    """All runs in a folder, newest first. Raises UserError when there is no such folder."""
    return sorted((summary(path) for path in run_files(folder)), key=lambda run: run.started_unix_s, reverse=True)


def find_run(name: str, folder: Path) -> Path:
    """The file that a person means: a path, the name of a run in the folder, or ``latest``. Raises UserError."""
    if name == LATEST:
        newest = _newest(folder)
        if newest is None:
            raise UserError(f"There is no run in {folder.absolute()} yet.", "`labcontrol run` makes one.")
        return newest.path
    for path in (Path(name), folder / name, folder / f"{name}{SUFFIX}"):
        if path.is_file():
            return path
    matching = [path for path in run_files(folder) if name in path.name] if folder.is_dir() else []
    if len(matching) == 1:
        return matching[0]
    if matching:
        named = ", ".join(path.stem for path in sorted(matching)[-_MOST_NAMED:])
        raise UserError(
            f"{name!r} is part of the names of {len(matching)} runs in {folder.absolute()}.",
            f"Give more of the name. {'The last of them' if len(matching) > _MOST_NAMED else 'They are'}: {named}.",
        )
    raise UserError(f"There is no run {name!r} in {folder.absolute()}.", "`labcontrol runs` lists them.")


def _newest(folder: Path) -> RunSummary | None:
    """The readable run that was begun last. A run is begun before its file is changed, so few files need be read."""
    newest: RunSummary | None = None
    for path in sorted(run_files(folder), key=_changed_unix_s, reverse=True):
        if newest is not None and _changed_unix_s(path) < newest.started_unix_s:
            break
        run = summary(path)
        if not run.problem and (newest is None or run.started_unix_s > newest.started_unix_s):
            newest = run
    return newest


def _changed_unix_s(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def run_files(folder: Path) -> list[Path]:
    """Files of a folder that should be runs. Raises UserError when there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder.absolute()}.", "Give the folder that holds the run files.")
    return sorted(folder.glob(f"*{SUFFIX}"))


def _summary(run: RunReader) -> RunSummary:
    experiment = run.experiment
    learning: dict[str, Any] = experiment.get("learning", {})
    options: dict[str, Any] = learning.get("options", {})
    states, state, table = run.states, run.state, run.epochs
    errors = table.error(run.loss)
    start, incumbent = np.flatnonzero(table.accepted)[:1], table.last_incumbent_epoch()
    test = (run.result or {}).get("test") or {}
    return RunSummary(
        path=run.path,
        started_unix_s=states[0].unix_s,
        state=state.name,
        reason=state.reason,
        task=str(experiment.get("task", {}).get("name", "")),
        neurons=run.neurons,
        steps=run.steps,
        strategy=str(learning.get("strategy", "")),
        selection=str(learning.get("selection", options.get("selection", ""))),
        acceptance=str(learning.get("acceptance", options.get("acceptance", ""))),
        loss=run.loss,
        seed=experiment.get("seed"),
        epochs=len(errors),
        start_error=float(errors[start[0]]) if len(start) else None,
        error=float(errors[incumbent]) if incumbent >= 0 else None,
        test_error=test.get(run.loss),
        note="\n".join(filter(None, [str(experiment.get("note", "")), read_note(run.path)])),
    )
