"""What a person reads when a file is wrong: where, what was found, what was expected."""

from pathlib import Path

import pytest

from labcontrol.bench import driver_classes, simulated_bench
from labcontrol.config import load_bench, load_experiment
from labcontrol.errors import UserError


def message(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_experiment(path)
    assert caught.value.message.startswith(str(path))
    return str(caught.value).removeprefix(str(path)).removeprefix(": ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("neuron = 144", "unknown key 'neuron'. Did you mean 'neurons'?"),
        ("[taks]\nsteps = 200", "unknown key 'taks'. Did you mean 'task'?"),
        ("[task]\nstep = 200", "unknown key 'task.step'. Did you mean 'steps'?"),
        (
            "[stop]\nzzz = 1",
            "unknown key 'stop.zzz'. Known here: epochs, replays, target_error, plateau_epochs, plateau_change.",
        ),
        ("neurons = 'many'", "'neurons' should be a whole number; found 'many'."),
        ("neurons = 144.5", "'neurons' should be a whole number; found 144.5."),
        ("note = 5", "'note' should be text in quotes; found 5."),
        ("[reservoir]\nfeedback = 'weak'", "'reservoir.feedback' should be a number; found 'weak'."),
        ("[reservoir]\nfeedback = nan", "'reservoir.feedback' should be a finite number; found nan."),
        ("[reservoir]\nfeedback = 4.5", "'reservoir.feedback' should be less than or equal to 4; found 4.5."),
        ("[learning]\nloss = 'rms'", "'learning.loss' should be one of nmse, mse (did you mean 'mse'?); found 'rms'."),
        ("[stop]\nepochs = 0", "'stop.epochs' should be greater than or equal to 1; found 0."),
        (
            "task = 'santa-fe'",
            "'task' should be a section with the keys name, steps, test_steps, washout; found 'santa-fe'.",
        ),
        (
            "neurons = 145",
            "'neurons' should be a square number, because neurons fill a square of the modulators; "
            "nearest: 144 (12 x 12) and 169 (13 x 13); found 145.",
        ),
    ],
)
def test_one_finding_is_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    assert message(tmp_path / "experiment.toml", text) == expected


def test_a_section_without_keys_says_so() -> None:
    bench = simulated_bench(16, 1)
    bench = bench.model_copy(update={"camera": bench.camera.model_copy(update={"options": {"speed": 1}})})
    with pytest.raises(UserError, match=r"unknown key .*speed.*There are no keys here\."):
        driver_classes(bench)


def test_several_findings_are_a_list(tmp_path: Path) -> None:
    text = "[task]\nsteps = 3\nwashout = -1"
    first, *findings = message(tmp_path / "experiment.toml", text).splitlines()
    assert first == ""
    assert [finding.split()[1] for finding in findings] == ["'task.steps'", "'task.washout'"]


def test_a_long_wrong_value_is_shortened(tmp_path: Path) -> None:
    assert len(message(tmp_path / "experiment.toml", f"neurons = {list(range(10_000))}")) < 200


def test_toml_that_cannot_be_read_is_located(tmp_path: Path) -> None:
    assert "is not a TOML file" in message(tmp_path / "experiment.toml", "neurons = 144\nseed = one")
    assert "line 2" in message(tmp_path / "experiment.toml", "neurons = 144\nseed = one")


def test_a_missing_file_names_the_way_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no experiment file .*'labcontrol init' writes commented examples"):
        load_experiment(tmp_path / "none.toml")


def test_experiment_and_bench_swapped_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text("[task]\nsteps = 200", encoding="utf-8")
    with pytest.raises(UserError, match="is an experiment file, but a bench file was expected"):
        load_bench(path)
    path.write_text("[geometry]\nrows = 12", encoding="utf-8")
    with pytest.raises(UserError, match="is a bench file, but an experiment file was expected"):
        load_experiment(path)


def test_names_of_files_are_relative_to_the_experiment_file(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text("bench = 'my-bench.toml'\n[task]\nname = 'series.csv'", encoding="utf-8")
    experiment = load_experiment(path)
    assert experiment.bench == str(tmp_path / "my-bench.toml")
    assert experiment.task.name == str(tmp_path / "series.csv")
