"""Contenders x seeds x noise levels, trial by trial on disk: a study that was interrupted goes on where it was."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from labcontrol.analysis.compare.ceilings import Ceilings, ceilings
from labcontrol.analysis.compare.contenders import DEFAULT_CONTENDERS, contender
from labcontrol.analysis.compare.known_table import KnownTable, measured_table
from labcontrol.analysis.compare.noisy_benches import ReadoutKind
from labcontrol.analysis.compare.table_trial import run_on_table
from labcontrol.analysis.compare.trial import Trial, run_trial
from labcontrol.config import ExperimentConfig, Section
from labcontrol.errors import UserError
from labcontrol.reservoir.timing import TimingProfile
from labcontrol.whole_files import replacing

_STUDY_FILE = "study.json"
# What may change without any trial becoming another one.
_OF_NO_TRIAL = {"contenders", "seeds", "noise", "target", "timing", "on_table"}


class StudySettings(Section):
    """What is compared with what. experiment: everything that is the same for all; its seed is not used."""

    experiment: ExperimentConfig = ExperimentConfig()
    contenders: tuple[str, ...] = DEFAULT_CONTENDERS
    seeds: tuple[int, ...] = tuple(range(1, 11))
    noise: tuple[float, ...] = (0.0, 0.02, 0.1)
    masks_per_neuron: float = Field(6.0, gt=0, description="masks that each contender may show, over neurons")
    target: float = Field(0.02, gt=0, description="nmse, the time to which is compared")
    readout: ReadoutKind = "incoherent"
    timing: TimingProfile = TimingProfile()
    on_table: tuple[int, ...] = Field((), description="seeds that are also run on the full table")

    @property
    def masks(self) -> int:
        """Masks that each contender may show."""
        return round(self.masks_per_neuron * self.experiment.neurons)

    @property
    def replay_steps(self) -> int:
        """Steps of one replay, washout included."""
        return self.experiment.task.washout + self.experiment.task.steps


@dataclass(frozen=True)
class Cell:
    """One trial: of a contender on the known responses, or on the full table; or the ceilings of a seed."""

    kind: Literal["known", "on-table", "ceilings"]
    name: str
    seed: int
    noise: float = 0.0

    @property
    def file_name(self) -> str:
        if not self.name:
            return f"{self.kind}_seed{self.seed}.json"
        name = re.sub(r"[^\w.+=-]", "_", self.name)
        return f"{self.kind}_{name}_noise{self.noise:g}_seed{self.seed}.json"

    def __str__(self) -> str:
        where = " on the table" if self.kind == "on-table" else ""
        noise = f", noise {100 * self.noise:g} %" if self.kind != "ceilings" else ""
        return f"{self.name or 'best mask'}{where}, seed {self.seed}{noise}"


@dataclass(frozen=True)
class StudyProgress:
    """done of total trials; what comes next, None at the end. left_s: time it will take; None while nobody knows."""

    done: int
    total: int
    next: Cell | None
    left_s: float | None


class Study:
    """A study in a folder. Raises UserError when the folder holds another one, and for settings that cannot work."""

    def __init__(self, settings: StudySettings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self._check()
        self._learning = {name: contender(name, settings.experiment.learning).learning for name in settings.contenders}
        self._claim_folder()

    def _check(self) -> None:
        experiment = self.settings.experiment
        if not self.settings.contenders:
            raise UserError("There is no strategy to compare.", "Name some with --strategies.")
        if experiment.bench != "simulated":
            raise UserError(
                f"Strategies are compared on the simulated table, not on {experiment.bench!r}.",
                "On a real bench run each strategy with 'labcontrol run --strategy NAME'.",
            )
        if experiment.task.test_steps == 0:
            raise UserError("A comparison needs a test part: without one over-fitting goes unseen.", "Set test_steps.")
        if self.settings.readout == "path-phases" and not self.settings.on_table:
            raise UserError(
                "A readout with path phases can only be compared on the full table.", "Say how often with --on-table."
            )

    def _claim_folder(self) -> None:
        wanted = self.settings.model_dump(mode="json", exclude=_OF_NO_TRIAL)
        path = self._folder / _STUDY_FILE
        if path.exists():
            if json.loads(path.read_text(encoding="utf-8")) != wanted:
                raise UserError(
                    f"{self._folder} holds a comparison with other settings.", "Name another folder with --output."
                )
            return
        (self._folder / "cells").mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted, indent=1), encoding="utf-8")

    # --- running ------------------------------------------------------------------------------------------------
    def run(self, progress: Callable[[StudyProgress], None]) -> None:
        """Run every trial that is not on disk yet. progress: called before each of them, and at the end."""
        cells = list(self._cells())
        missing = [cell for cell in cells if not self._path(cell).exists()]
        took_s: dict[tuple[str, str], list[float]] = {}
        table: tuple[int, KnownTable] | None = None
        for k, cell in enumerate(missing):
            progress(StudyProgress(len(cells) - len(missing) + k, len(cells), cell, _left_s(missing[k:], took_s)))
            started_s = time.perf_counter()
            if cell.kind != "on-table" and (table is None or table[0] != cell.seed):
                table = cell.seed, measured_table(self._experiment(cell.seed), self.settings.readout)
            _write_whole(self._path(cell), self._result_of(cell, table[1] if table else None))
            took_s.setdefault((cell.kind, cell.name), []).append(time.perf_counter() - started_s)
        progress(StudyProgress(len(cells), len(cells), None, 0.0))

    def _cells(self) -> Iterator[Cell]:
        settings = self.settings
        for seed in settings.seeds if settings.readout != "path-phases" else ():
            yield Cell("ceilings", "", seed)
            for noise in settings.noise:
                for name in settings.contenders:
                    yield Cell("known", name, seed, noise)
        for seed in settings.on_table:
            for noise in settings.noise:
                for name in settings.contenders:
                    yield Cell("on-table", name, seed, noise)

    def _result_of(self, cell: Cell, table: KnownTable | None) -> dict[str, Any]:
        settings = self.settings
        if cell.kind == "on-table":
            return run_on_table(
                self._experiment(cell.seed), self._learning[cell.name], settings.readout,
                noise=cell.noise, masks=settings.masks, folder=self._folder / "runs",
            )  # fmt: skip
        assert table is not None
        if cell.kind == "ceilings":
            return asdict(ceilings(table, cell.seed))
        learning = self._learning[cell.name]
        return run_trial(table, learning, seed=cell.seed, noise=cell.noise, masks=settings.masks).as_dict()

    def _experiment(self, seed: int) -> ExperimentConfig:
        return self.settings.experiment.model_copy(update={"seed": seed})

    def _path(self, cell: Cell) -> Path:
        return self._folder / "cells" / cell.file_name

    # --- results ------------------------------------------------------------------------------------------------
    def trials(self, name: str, noise: float) -> list[Trial]:
        """One for each seed."""
        return [Trial(**self._read(Cell("known", name, seed, noise))) for seed in self.settings.seeds]

    def ceilings(self) -> list[Ceilings]:
        """One for each seed."""
        return [Ceilings(**self._read(Cell("ceilings", "", seed))) for seed in self.settings.seeds]

    def table_trials(self, name: str, noise: float) -> list[dict[str, Any]]:
        """What `run_on_table` returned, for each seed that was run on the full table."""
        return [self._read(Cell("on-table", name, seed, noise)) for seed in self.settings.on_table]

    def _read(self, cell: Cell) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._path(cell).read_text(encoding="utf-8"))
        return content


def _left_s(cells: list[Cell], took_s: dict[tuple[str, str], list[float]]) -> float | None:
    """From what trials of the same kind took so far; those of a kind not seen yet count as the mean of all."""
    if not took_s:
        return None
    means = {kind: sum(times) / len(times) for kind, times in took_s.items()}
    overall = sum(means.values()) / len(means)
    return sum(means.get((cell.kind, cell.name), overall) for cell in cells)


def _write_whole(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as partial:
        partial.write_text(json.dumps(content), encoding="utf-8")
