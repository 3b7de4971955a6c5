"""The two tables that need no file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labcontrol.bench import BUILT_IN_BENCHES, Bench, bench_for
from labcontrol.config import ExperimentConfig
from labcontrol.reservoir import Reservoir
from labcontrol.tasks import make_task


def output_noise(bench_name: str) -> float:
    """Noise of an output sample from replay to replay, as a fraction of its spread."""
    experiment = ExperimentConfig.model_validate(
        {"bench": bench_name, "neurons": 64, "seed": 2, "task": {"steps": 40, "washout": 5, "test_steps": 0}}
    )
    task = make_task(experiment.task, experiment.seed)
    mask = np.random.default_rng(1).random((1, 64)) < 0.5
    with Bench(bench_for(experiment)) as bench:
        reservoir = Reservoir(bench, experiment.reservoir, experiment.side, np.random.default_rng([2, 1]))
        reservoir.prepare()
        outputs = np.array([reservoir.replay(mask, task.training_sequence, 5).outputs[0] for _ in range(6)])
    outputs -= outputs.mean(axis=1, keepdims=True)
    return float(np.sqrt(outputs.var(axis=0, ddof=1).mean()) / outputs[0].std())


def test_the_laboratory_table_is_noisier_than_the_clean_one() -> None:
    # 200 degrees of freedom each: the ratio of the two is known to 10 %.
    assert output_noise("laboratory") > 3 * output_noise("simulated")


@pytest.mark.parametrize("name", BUILT_IN_BENCHES)
def test_built_in_benches_open_at_any_size_and_say_their_name(name: str) -> None:
    for neurons in (4, 64):
        config = BUILT_IN_BENCHES[name](neurons, 1)
        assert config.name == name
        with Bench(config) as bench:
            assert bench.identities


def test_mirrors_of_the_laboratory_table_scatter() -> None:
    table = BUILT_IN_BENCHES["laboratory"](4, 1).table
    assert table is not None
    assert table.options["dmd"]["scatter"] == 0.05


def test_any_other_name_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nowhere"):
        bench_for(ExperimentConfig(bench=str(tmp_path / "nowhere.toml")))
