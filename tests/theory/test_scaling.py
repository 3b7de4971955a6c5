"""Scaling studies: known exponents, nothing lost, the same numbers wherever the cells are computed."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labcontrol.analysis.plots.scaling_figure import save_scaling_figure
from labcontrol.bench import BUILT_IN_BENCHES, Bench
from labcontrol.config import ExperimentConfig
from labcontrol.engine.table_study import run_table_job
from labcontrol.errors import UserError
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task
from labcontrol.theory.measured import table_states
from labcontrol.theory.scaling import Cell, Job, Study, StudyPlan, execute, judged, load_study, run_study, run_twin_job
from labcontrol.theory.scaling.cells import grid
from labcontrol.theory.scaling.storage import save_study

SMALL = StudyPlan("planted", (16, 36), seeds=2, selections=("uniform", "greedy"), losses=("mse",), sweeps=4)

computed: list[Cell] = []


def counted(job: Job) -> list:
    computed.extend(job.cells)
    return run_twin_job(job)


def figures(study: Study) -> list:
    return [[*result.cell, result.tau, result.k5, *result.curve] for result in study.results]


@pytest.fixture(autouse=True)
def _nothing_computed_yet() -> None:
    computed.clear()


def test_planted_states_learn_in_a_time_proportional_to_their_number(tmp_path: Path) -> None:
    plan = StudyPlan("planted", (49, 100, 225), seeds=6, selections=("uniform",), losses=("mse",))
    (group,) = run_study(plan, tmp_path, workers=1).groups
    exponent = group.exponent("tau")
    assert exponent is not None
    assert exponent.low < 1.0 < exponent.high
    assert np.all(group.values("r2")[225] > 0.99)
    assert np.mean(group.values("tau")[225]) / 225 == pytest.approx(1.0, abs=0.15)


def test_exponents_of_made_up_power_laws_are_found_within_their_intervals() -> None:
    inside = 0
    some = judged(Cell(16, 1, "uniform", "mse"), np.exp(-np.arange(97) / 16), 6.0)
    for trial in range(40):
        rng = np.random.default_rng(trial)
        results = []
        for neurons in (64, 144, 324, 784):
            for seed in range(8):
                tau = 2.0 * neurons**0.7 * np.exp(0.2 * rng.standard_normal())
                results.append(replace(some, cell=Cell(neurons, seed, "uniform", "mse"), tau=tau))
        (group,) = Study({"states": "made up"}, grid(6.0), tuple(results)).groups
        exponent = group.exponent("tau")
        assert exponent is not None
        assert exponent.value == pytest.approx(0.7, abs=0.15)
        inside += exponent.low < 0.7 < exponent.high
    # 95 % intervals from eight runs a size are a little short; 40 trials scatter by 0.035.
    assert inside / 40 > 0.8


def test_a_curve_is_judged_by_its_excess_over_its_floor() -> None:
    k = np.arange(601)
    result = judged(Cell(100, 1, "uniform", "mse"), 0.2 + 0.8 * np.exp(-k / 50), 6.0)
    assert result.tau == pytest.approx(50, rel=1e-3)
    assert result.k5 == 150
    assert result.k1e in (50, 51)
    assert (result.start, result.floor) == pytest.approx((1.0, 0.2), abs=1e-4)


def test_finished_cells_are_not_computed_again_and_new_ones_are_added(tmp_path: Path) -> None:
    first = run_study(SMALL, tmp_path, run_job=counted, workers=1)
    assert len(computed) == len(SMALL.cells) == 8
    computed.clear()
    assert figures(run_study(SMALL, tmp_path, run_job=counted, workers=1)) == figures(first)
    assert computed == []
    larger = run_study(replace(SMALL, sizes=(16, 36, 49)), tmp_path, run_job=counted, workers=1)
    assert {cell.neurons for cell in computed} == {49}
    assert len(larger.results) == 12
    assert figures(load_study(tmp_path)) == figures(larger)


def test_an_interrupted_study_keeps_what_was_finished(tmp_path: Path) -> None:
    def interrupt(job: Job) -> list:
        if job.cells[0].neurons == 36:
            raise KeyboardInterrupt
        return counted(job)

    with pytest.raises(KeyboardInterrupt):
        run_study(SMALL, tmp_path, run_job=interrupt, workers=1)
    assert {result.cell.neurons for result in load_study(tmp_path).results} == {16}
    computed.clear()
    run_study(SMALL, tmp_path, run_job=counted, workers=1)
    assert {cell.neurons for cell in computed} == {36}


def test_two_programs_in_one_folder_keep_each_others_cells(tmp_path: Path) -> None:
    mine = run_study(SMALL, tmp_path / "mine", workers=1)
    part = Study(mine.settings, mine.grid, mine.results[:3])
    rest = Study(mine.settings, mine.grid, mine.results[3:])
    save_study(part, tmp_path / "both")
    assert figures(save_study(rest, tmp_path / "both")) == figures(mine)


def test_other_processes_compute_the_same(tmp_path: Path) -> None:
    here = run_study(SMALL, tmp_path / "here", workers=1)
    assert figures(run_study(SMALL, tmp_path / "there", workers=2)) == figures(here)


def test_processes_of_a_killed_study_end(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(
        "import multiprocessing, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from labcontrol.theory.scaling.execute import follow_the_parent\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    with ProcessPoolExecutor(2, context, initializer=follow_the_parent) as pool:\n"
        "        print(pool.submit(abs, -1).result(), flush=True)\n"
        "        time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as study:
        assert study.stdout is not None
        assert study.stdout.readline().strip() == b"1"
        study.kill()
        begun_s = time.monotonic()
        study.stdout.read()  # to the end of the last process that holds it
    assert time.monotonic() - begun_s < 20


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_dask_cluster_computes_the_same(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    here = run_study(SMALL, tmp_path / "here", workers=1)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, host="127.0.0.1", protocol="tcp", dashboard_address=None
    ) as cluster:
        there = run_study(SMALL, tmp_path / "there", scheduler=cluster.scheduler_address)
    assert figures(there) == figures(here)


@pytest.mark.parametrize("address", ["nonsense", "tcp://nowhere", "pigeon://10.0.0.1:8786"])
def test_what_is_no_address_of_a_scheduler_is_refused_at_once(tmp_path: Path, address: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UserError, match="is no address of a Dask scheduler"):
        run_study(SMALL, tmp_path, scheduler=address)


def test_a_scheduler_that_does_not_answer_is_named_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(execute, "_CONNECT_S", 1)
    run_study(SMALL, tmp_path, workers=1)
    with pytest.raises(UserError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9 "):
        run_study(replace(SMALL, seeds=3), tmp_path, scheduler="tcp://127.0.0.1:9")
    assert len(load_study(tmp_path).results) == 8


def test_a_folder_with_another_study_is_not_touched(tmp_path: Path) -> None:
    run_study(SMALL, tmp_path, workers=1)
    before = (tmp_path / "study.h5").read_bytes()
    with pytest.raises(UserError, match="sweeps was 4, asked for 5"):
        run_study(replace(SMALL, sweeps=5), tmp_path, workers=1)
    assert (tmp_path / "study.h5").read_bytes() == before


def test_a_damaged_study_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "study.h5").write_bytes(b"no HDF5 at all")
    with pytest.raises(UserError, match=r"study\.h5 cannot be read"):
        run_study(SMALL, tmp_path, workers=1)
    assert (tmp_path / "study.h5").read_bytes() == b"no HDF5 at all"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": (64,)}, "at least two"),
        ({"sizes": (64, 64)}, "at least two"),
        ({"steps": 36}, "more than 36 steps"),
        ({"states": "optical", "sizes": (64, 65)}, "65 neurons do not fill a square"),
        ({"states": "recorded"}, "need a run file"),
        ({"states": "imagined"}, "no states 'imagined'"),
        ({"selections": ("sloppy",)}, "no selection rule 'sloppy'"),
        ({"losses": ()}, "no loss"),
        ({"seeds": 0}, "1 seed"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_computed(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(SMALL, **changes)


def test_an_unreadable_run_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "run.h5"
    broken.write_bytes(b"garbage")
    with pytest.raises(UserError, match=r"run\.h5"):
        replace(SMALL, states="recorded", run_file=broken)


def tiny_experiment() -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "task": {"steps": 30, "test_steps": 0, "washout": 5},
            "reservoir": {"reference_patterns": 2},
        }
    )


def test_whole_runs_leave_records_and_are_continued_from_them(tmp_path: Path) -> None:
    plan = StudyPlan("table", (4, 9), 1, ("greedy",), ("nmse",), sweeps=3, experiment=tiny_experiment())
    study = run_study(plan, tmp_path, run_job=run_table_job, workers=1)
    assert [result.cell.neurons for result in study.results] == [4, 9]
    records = sorted((tmp_path / "runs").rglob("*.h5"))
    assert len(records) == 2
    (tmp_path / "study.h5").unlink()
    assert figures(run_study(plan, tmp_path, run_job=run_table_job, workers=1)) == figures(study)
    assert sorted((tmp_path / "runs").rglob("*.h5")) == records, "finished records serve again"


def test_subsets_of_a_record_are_states_as_well(tmp_path: Path) -> None:
    experiment = tiny_experiment()
    plan = StudyPlan("table", (4, 16), 1, ("greedy",), ("nmse",), sweeps=4, experiment=experiment)
    run_study(plan, tmp_path / "runs", run_job=run_table_job, workers=1)
    record = next((tmp_path / "runs").rglob("N16*/*.h5"))
    subsets = StudyPlan("recorded", (6, 12), 2, ("uniform",), ("mse",), run_file=record)
    study = run_study(subsets, tmp_path / "subsets", workers=1)
    assert len(study.results) == 4
    assert all(result.floor < result.start for result in study.results)
    with pytest.raises(UserError, match="16 neurons, so a subset of 25"):
        replace(subsets, sizes=(6, 25))


@pytest.mark.parametrize("name", BUILT_IN_BENCHES)
def test_states_measured_mirror_by_mirror_add_up_to_the_output_of_any_mask(name: str) -> None:
    experiment = tiny_experiment().model_copy(update={"neurons": 36, "seed": 3, "bench": name})
    measured = table_states(experiment)
    bench = BUILT_IN_BENCHES[name](36, 3)
    assert bench.table is not None
    quiet = bench.table.model_copy(update={"options": bench.table.options | {"noise": 0.0}})
    mask = np.random.default_rng(8).random((1, 36)) < 0.5
    with Bench(bench.model_copy(update={"table": quiet})) as opened:
        reservoir = Reservoir(opened, experiment.reservoir, 6, np.random.default_rng([3, 1]))
        reservoir.prepare()
        task = make_task(experiment.task, 3)
        output = reservoir.replay(mask, task.training_sequence, len(task.washout_input)).outputs[0].astype(float)
    assert measured.states.background is not None
    predicted = measured.states.background + measured.states.responses.T @ mask[0]
    assert np.std(predicted - (output - output.mean())) < 0.01 * np.std(output)
    assert 0 < measured.noise_std < 0.1 * np.std(output)


def test_the_figure_can_be_drawn_of_an_unfinished_study(tmp_path: Path) -> None:
    study = run_study(SMALL, tmp_path, workers=1)
    part = Study(study.settings, study.grid, study.results[:1])
    assert save_scaling_figure(part, tmp_path / "part.png").stat().st_size > 10_000
    with pytest.raises(UserError, match="no finished cell"):
        save_scaling_figure(Study(study.settings, study.grid, ()), tmp_path / "none.png")
