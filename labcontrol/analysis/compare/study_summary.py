"""What a study came to: medians over seeds, as rows of a table and as curves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labcontrol.analysis.compare.strategy_study import Study, StudySettings
from labcontrol.analysis.compare.trial import Trial

Floats = NDArray[np.float64]
Axis = Literal["replays", "seconds"]


def summary(study: Study) -> list[dict[str, Any]]:
    """Medians over seeds of every contender at every noise level; JSON types.

    masks, replays, seconds: of the whole trial; seconds are modelled for the bench and measured for the computer.
    after_replays: replays after which `train_nmse_early` was taken, N / 20. train_nmse_low, _high: quartiles.
    seconds_to_target: None where fewer than half of the seeds arrive.
    """
    settings = study.settings
    return [_row(study.trials(name, noise), name, noise, settings) for noise, name in _contests(settings)]


def table_summary(study: Study) -> list[dict[str, Any]]:
    """The same of the trials on the full table, with fewer figures; empty without such trials."""
    rows = []
    for noise, name in _contests(study.settings) if study.settings.on_table else ():
        cells = study.table_trials(name, noise)
        keys = ("masks", "replays", "train_nmse", "test_nmse", "measured_nmse")
        medians = {key: float(np.median([cell[key] for cell in cells])) for key in keys}
        rows.append({"strategy": name, "noise": noise, "seeds": len(cells), **medians})
    return rows


def median_ceilings(study: Study) -> dict[str, float]:
    """Medians over seeds of the ceilings that are known."""
    if study.settings.readout == "path-phases":
        return {}
    found = [asdict(one) for one in study.ceilings()]
    medians = {key: float(np.median([one[key] for one in found])) for key in found[0]}
    return {key: value for key, value in medians.items() if np.isfinite(value)}


def write_csv(rows: list[dict[str, Any]], path: Path) -> Path:
    """Rows of a summary as a table. Returns the path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _contests(settings: StudySettings) -> list[tuple[float, str]]:
    return [(noise, name) for noise in settings.noise for name in settings.contenders]


def _row(trials: list[Trial], name: str, noise: float, settings: StudySettings) -> dict[str, Any]:
    early = max(1, settings.experiment.neurons // 20)
    seconds = [trial.seconds(settings.timing, settings.replay_steps) for trial in trials]
    arrived = [trial.first(settings.target) for trial in trials]
    to_target = float(np.median([np.inf if k is None else s[k] for s, k in zip(seconds, arrived, strict=True)]))

    def median(of: Callable[[Trial], float]) -> float:
        return float(np.median([of(trial) for trial in trials]))

    low, high = np.quantile([trial.train[-1] for trial in trials], [0.25, 0.75]).tolist()
    return {
        "strategy": name,
        "noise": noise,
        "masks": median(lambda trial: trial.masks[-1]),
        "replays": median(lambda trial: trial.replays[-1]),
        "seconds": float(np.median([s[-1] for s in seconds])),
        "software_s": median(lambda trial: trial.software_s[-1]),
        "train_nmse": median(lambda trial: trial.train[-1]),
        "train_nmse_low": low,
        "train_nmse_high": high,
        "test_nmse": median(lambda trial: trial.test),
        "after_replays": early,
        "train_nmse_early": median(lambda trial: _at_replay(trial, early)),
        "seconds_to_target": to_target if np.isfinite(to_target) else None,
        "seeds_at_target": sum(k is not None for k in arrived),
    }


def _at_replay(trial: Trial, replay: int) -> float:
    """Error after so many replays; the last one where learning ended before."""
    return trial.train[max(int(np.searchsorted(trial.replays, replay, side="right")) - 1, 0)]


def positions_of(trial: Trial, axis: Axis, settings: StudySettings) -> Floats:
    """(K,) where on an axis each proposal of a trial was done."""
    if axis == "seconds":
        return trial.seconds(settings.timing, settings.replay_steps)
    return np.asarray(trial.replays, dtype=np.float64)


def curves(trials: list[Trial], axis: Axis, settings: StudySettings, grid: Floats) -> Floats:
    """(trials, K) errors at positions (K,) of an axis; NaN before the first proposal was done."""
    rows = []
    for trial in trials:
        k = np.searchsorted(positions_of(trial, axis, settings), grid, side="right") - 1
        rows.append(np.where(k >= 0, np.asarray(trial.train)[np.maximum(k, 0)], np.nan))
    return np.array(rows)
