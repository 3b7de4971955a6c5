"""Selection and acceptance were keys of `learning` once; files and records of that time are still read."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from labcontrol.config import ExperimentConfig, LearningConfig, load_experiment
from labcontrol.learning import check_learning, strategy_facts


def test_an_early_file_is_read_and_says_where_its_keys_belong_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "early.toml"
    path.write_text('[learning]\nselection = "uniform"\nacceptance = "re-measured"\nloss = "mse"\n')
    with caplog.at_level(logging.WARNING):
        learning = load_experiment(path).learning
    assert learning == LearningConfig(loss="mse", options={"selection": "uniform", "acceptance": "re-measured"})
    notes = [record.getMessage() for record in caplog.records]
    assert len(notes) == 2
    assert all(str(path) in note and "[learning.options]" in note for note in notes)


def test_a_file_of_now_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "now.toml"
    path.write_text('[learning.options]\nselection = "uniform"\n')
    assert strategy_facts(load_experiment(path).learning).selection == "uniform"
    assert not caplog.records


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("coordinate-descent", {"selection": "cyclic", "acceptance": "re-measured"}),
        ("noise-aware", {"selection": "cyclic"}),
        ("speculative", {"selection": "cyclic"}),
        ("multiplexed-identification", {}),
        ("spsa", {}),
    ],
)
def test_each_strategy_keeps_what_it_used(strategy: str, options: dict[str, str]) -> None:
    early = {"strategy": strategy, "selection": "cyclic", "acceptance": "re-measured"}
    learning = ExperimentConfig.model_validate({"learning": early}).learning
    assert learning.options == options
    check_learning(learning)


def test_what_is_said_as_an_option_counts() -> None:
    assert LearningConfig.model_validate({"selection": "cyclic", "options": {"selection": "uniform"}}).options == {
        "selection": "uniform"
    }
