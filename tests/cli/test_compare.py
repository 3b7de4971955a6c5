"""`labcontrol compare`: trials, table, figure, going on, and what wrong options are answered with."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from labcontrol.analysis.compare import (
    KnownTable,
    Study,
    StudyProgress,
    StudySettings,
    Trial,
    ceilings,
    contender,
    measured_table,
    run_trial,
    summary,
)
from labcontrol.analysis.compare.known_table import quiet_outputs
from labcontrol.analysis.compare.noisy_benches import noisy_bench
from labcontrol.analysis.compare.study_summary import curves
from labcontrol.analysis.compare.table_trial import run_on_table
from labcontrol.bench import Bench
from labcontrol.cli.app import app
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.errors import UserError
from labcontrol.reservoir import Reservoir
from labcontrol.reservoir.timing import TimingProfile
from labcontrol.tasks import make_task

EXPERIMENT = ExperimentConfig.model_validate(
    {"neurons": 36, "task": {"steps": 60, "test_steps": 40, "washout": 10}, "learning": {"masks_per_replay": 24}}
)
STRATEGIES = "coordinate-descent,multiplexed-identification:ridge=0.01"
SMALL = (
    "compare", "--neurons", "36", "--steps", "60", "--test-steps", "40", "--seeds", "2", "--noise", "0,0.1",
    "--strategies", STRATEGIES, "--masks-per-replay", "24",
)  # fmt: skip


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("compare")
    return json_of(*SMALL, "--output", str(folder)), folder


@pytest.fixture(scope="module")
def table() -> KnownTable:
    return measured_table(EXPERIMENT, "incoherent")


def json_of(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def study_of(tmp_path: Path, **changes: Any) -> Study:
    small = {"experiment": EXPERIMENT, "contenders": ("coordinate-descent",), "seeds": (1, 2), "noise": (0.0,)}
    return Study(StudySettings(**(small | changes)), tmp_path)


# --- the command ------------------------------------------------------------------------------------------------
def test_the_result_has_a_row_for_every_strategy_and_noise(compared: tuple[dict[str, Any], Path]) -> None:
    result, folder = compared
    assert [(row["strategy"], row["noise"]) for row in result["medians"]] == [
        (name, noise) for noise in (0.0, 0.1) for name in STRATEGIES.split(",")
    ]
    with (folder / "compare.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["strategy"] for row in rows] == STRATEGIES.split(",") * 2
    assert [float(row["train_nmse"]) for row in rows] == [row["train_nmse"] for row in result["medians"]]
    assert (folder / "compare.png").stat().st_size > 20_000


def test_no_strategy_beats_the_best_mask_found_offline(compared: tuple[dict[str, Any], Path]) -> None:
    result, _ = compared
    assert result["ceilings"]["ridge_train"] < result["ceilings"]["mask_train"]
    assert all(row["train_nmse"] >= 0.999 * result["ceilings"]["mask_train"] for row in result["medians"])


def test_only_what_is_missing_is_measured_again(compared: tuple[dict[str, Any], Path]) -> None:
    result, folder = compared
    times = {path: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()}
    (missing := next(iter(times))).unlink()
    again = json_of(*SMALL, "--output", str(folder))
    assert [path for path in times if path.stat().st_mtime_ns != times[path]] == [missing]
    for before, after in zip(result["medians"], again["medians"], strict=True):
        assert before["train_nmse"] == after["train_nmse"]


def test_another_comparison_in_the_same_folder_is_refused(compared: tuple[dict[str, Any], Path]) -> None:
    with pytest.raises(UserError, match="other settings"):
        Study(StudySettings(experiment=EXPERIMENT, masks_per_neuron=3.0), compared[1])


def test_people_are_shown_tables_ceilings_and_files(
    compared: tuple[dict[str, Any], Path], cli: Callable[..., Any]
) -> None:
    seen = cli(*SMALL, "--output", compared[1])
    assert seen.code == 0
    for expected in ("noise 10 %, 2 seeds", "time to 0.02", "best mask found", "compare.png"):
        assert expected in seen.out


@pytest.mark.parametrize(
    ("option", "value", "answer"),
    [
        ("--noise", "", "--noise"),
        ("--noise", "0,-1", "--noise"),
        ("--readout", "blue", "readout"),
        ("--readout", "path-phases", "--on-table"),
        ("--timing", "dmd_rate=3", "Did you mean 'dmd_rate_hz'"),
        ("--strategies", "coordinate-decent", "Did you mean 'coordinate-descent'"),
        ("--strategies", "coordinate-descent:stored", "KEY=VALUE"),
        ("--strategies", ",", "no strategy"),
        ("--test-steps", "0", "test part"),
    ],
)
def test_options_that_cannot_be_are_answered(
    option: str, value: str, answer: str, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    refused = cli("compare", option, value, "--output", tmp_path)
    assert refused.code == 2
    assert answer in refused.err


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    tmp_path: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **settings: Any) -> Trial:
        if settings["noise"] > 0:
            raise KeyboardInterrupt
        return run_trial(*args, **settings)

    with monkeypatch.context() as patch:
        patch.setattr("labcontrol.analysis.compare.strategy_study.run_trial", interrupted)
        ended = cli(*SMALL, "--output", tmp_path)
    assert ended.code == 130
    assert "3 of 10 trials are done" in ended.err  # ceilings and two strategies of the first seed
    assert len(list((tmp_path / "cells").iterdir())) == 3
    assert cli(*SMALL, "--output", tmp_path).code == 0


# --- studies ----------------------------------------------------------------------------------------------------
def test_a_study_grows_by_seeds_without_measuring_old_ones_again(tmp_path: Path) -> None:
    study_of(tmp_path).run(lambda _: None)
    seen: list[StudyProgress] = []
    study_of(tmp_path, seeds=(1, 2, 3), target=0.1).run(seen.append)
    assert [(state.done, state.next.seed if state.next else None) for state in seen] == [(4, 3), (5, 3), (6, None)]


def test_the_time_left_is_known_after_the_first_trial(tmp_path: Path) -> None:
    seen: list[StudyProgress] = []
    study_of(tmp_path).run(seen.append)
    left_s = [state.left_s for state in seen]
    assert left_s[0] is None
    assert left_s[-1] == 0
    assert all(left is not None and left > 0 for left in left_s[1:-1])


def test_time_is_modelled_when_it_is_read_so_that_another_set_up_needs_no_new_trials(tmp_path: Path) -> None:
    study_of(tmp_path).run(lambda _: None)
    slow = TimingProfile(slm_settle_s=0.5)
    rows = [summary(study_of(tmp_path, timing=timing))[0] for timing in (TimingProfile(), slow)]
    steps = 216 * 70  # 6 N replays of washout and training part
    assert rows[1]["seconds"] - rows[0]["seconds"] == pytest.approx(steps * (0.5 - 0.0384))


def test_a_contender_carries_its_own_settings_and_the_experiment_s() -> None:
    learning = LearningConfig(strategy="noise-aware", options={"largest_repeats": 5})
    one = contender("noise-aware:error_probability=0.1:selection=uniform", learning).learning
    assert one.options == {"largest_repeats": 5, "error_probability": 0.1, "selection": "uniform"}
    assert contender("multiplexed-identification", learning).learning.options == {}


# --- trials -----------------------------------------------------------------------------------------------------
def test_masks_and_replays_are_counted_and_time_follows_the_profile(table: KnownTable) -> None:
    timing = TimingProfile()
    trial = run_trial(
        table,
        LearningConfig(),
        seed=1,
        noise=0.0,
        masks=30,
    )
    assert trial.masks == trial.replays == list(range(1, 31))
    bench_s = trial.seconds(timing, 70) - np.asarray(trial.software_s)
    assert bench_s[-1] == pytest.approx(30 * timing.replay_s(1, 70))


def test_devices_for_one_mask_a_replay_need_as_many_replays_as_masks(table: KnownTable) -> None:
    for name in ("multiplexed-identification", "quadratic-identification", "coordinate-descent:acceptance=re-measured"):
        learning = contender(name, LearningConfig(masks_per_replay=1)).learning
        trial = run_trial(table, learning, seed=1, noise=0.0, masks=120)
        assert trial.replays == trial.masks


def test_curves_hold_their_last_value_and_begin_with_the_first_replay() -> None:
    trial = Trial(1, masks=[1, 2, 4], replays=[1, 2, 4], software_s=[0.0] * 3, train=[0.5, 0.4, 0.1])
    drawn = curves([trial], "replays", StudySettings(), np.array([0.5, 1.0, 3.0, 9.0]))[0]
    assert np.isnan(drawn[0])
    assert drawn[1:].tolist() == [0.5, 0.4, 0.1]


def test_real_valued_weights_are_the_lower_ceiling(table: KnownTable) -> None:
    limits = ceilings(table, seed=1)
    assert 0 <= limits.ridge_train < limits.mask_train < 0.5


# --- against the full table -------------------------------------------------------------------------------------
@pytest.mark.parametrize("readout", ["incoherent", "coherent"])
def test_the_known_table_gives_what_the_table_gives(readout: Any) -> None:
    known = measured_table(EXPERIMENT, readout)
    masks = np.random.default_rng(4).random((6, 36)) < 0.5
    both = np.concatenate([known.outputs(masks), known.outputs(masks, test=True)], axis=1)
    assert np.abs(both - quiet_outputs(EXPERIMENT, readout, masks)).max() < 0.02 * known.spread


def test_detector_noise_on_the_table_is_the_stated_share_of_the_outputs_spread(table: KnownTable) -> None:
    task = make_task(EXPERIMENT.task, EXPERIMENT.seed)
    mask = np.random.default_rng(4).random((1, 36)) < 0.5
    with Bench(noisy_bench(36, EXPERIMENT.seed, "incoherent", 0.1 * table.spread)) as bench:
        reservoir = Reservoir(bench, EXPERIMENT.reservoir, 6, np.random.default_rng([EXPERIMENT.seed, 1]))
        reservoir.prepare()
        repeated = reservoir.replay(np.repeat(mask, 50, axis=0), task.training_sequence, 10).outputs
    noise = float(np.sqrt(np.mean(np.var(repeated, axis=0, ddof=1, dtype=np.float64))))
    assert noise == pytest.approx(0.1 * table.spread, rel=0.06)  # 3000 samples tell it to 1.3 %; other noise adds to it


def test_a_trial_on_the_full_table_agrees_with_the_known_one(table: KnownTable, tmp_path: Path) -> None:
    learning = contender("multiplexed-identification", EXPERIMENT.learning).learning
    cell = run_on_table(EXPERIMENT, learning, "incoherent", noise=0.02, masks=216, folder=tmp_path)
    trial = run_trial(table, learning, seed=EXPERIMENT.seed, noise=0.02, masks=216)
    assert cell["replays"] == trial.replays[-1]
    assert cell["masks"] == pytest.approx(trial.masks[-1], rel=0.1)  # noise may make two of the solutions the same one
    assert cell["train_nmse"] < 3 * trial.train[-1]


def test_fields_with_phases_of_their_own_are_found_on_the_full_table(tmp_path: Path) -> None:
    ratios = []
    for seed in (1, 2, 3):  # of single seeds, one in six or so ends above greedy
        experiment = EXPERIMENT.model_copy(update={"seed": seed})
        learning = contender("quadratic-identification", experiment.learning).learning
        found = run_on_table(experiment, learning, "path-phases", noise=0.0, masks=220, folder=tmp_path)
        assert found["strategy_report"]["readout"] == "quadratic"
        assert found["strategy_report"]["unsolved_steps"] == 0
        greedy = run_on_table(experiment, LearningConfig(), "path-phases", noise=0.0, masks=108, folder=tmp_path)
        ratios.append(found["train_nmse"] / greedy["train_nmse"])
    assert np.exp(np.mean(np.log(ratios))) < 0.8
