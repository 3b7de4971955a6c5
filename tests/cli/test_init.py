"""`labcontrol init` writes files that are right, complete, and never on top of others."""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from labcontrol.bench import bench_for, driver_classes, simulated_bench
from labcontrol.cli.init import BENCH_FILE, EXPERIMENT_FILE, init
from labcontrol.config import ExperimentConfig, load_bench, load_experiment
from labcontrol.config.example_benches import example_bench, example_bench_names
from labcontrol.errors import UserError

EXAMPLES = example_bench_names()
on_every_example = pytest.mark.parametrize("name", EXAMPLES)
DEFAULT_BENCH = simulated_bench(ExperimentConfig().neurons, ExperimentConfig().seed)


def written_keys(path: Path) -> set[str]:
    """Every key of a file with its section, those in comments included."""
    keys: set[str] = set()
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header[1] + "."
            keys.add(header[1])
        elif entry := re.match(r"(?:# )?([\w.]+) = ", line):
            keys.add(section + entry[1])
    return keys


def model_keys(model: BaseModel, path: str = "") -> Iterator[str]:
    for key in type(model).model_fields:
        value = getattr(model, key)
        yield path + key
        if isinstance(value, BaseModel):
            yield from model_keys(value, f"{path}{key}.")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    init(tmp_path / "new", bench="simulated", neurons=None, force=False)
    return tmp_path / "new"


def test_the_example_experiment_is_the_default_one(written: Path) -> None:
    assert load_experiment(written / EXPERIMENT_FILE) == ExperimentConfig(bench=str(written / BENCH_FILE))


def test_the_example_bench_is_the_simulated_one(written: Path) -> None:
    assert load_bench(written / BENCH_FILE) == DEFAULT_BENCH


def test_the_example_experiment_mentions_every_key(written: Path) -> None:
    of_the_strategy = {"learning.options.selection", "learning.options.acceptance"}
    assert written_keys(written / EXPERIMENT_FILE) == set(model_keys(ExperimentConfig())) | of_the_strategy


def test_the_example_bench_mentions_every_key_of_the_bench_and_of_its_drivers(written: Path) -> None:
    bench = load_bench(written / BENCH_FILE)
    expected = set(model_keys(bench))
    for role, (_, options) in driver_classes(bench).items():
        leaves = {key for key in model_keys(options) if not isinstance(_at(options, key), BaseModel)}
        expected |= {f"{role}.options.{key}" for key in leaves}
    assert written_keys(written / BENCH_FILE) == expected


def _at(model: BaseModel, key: str) -> object:
    value: object = model
    for part in key.split("."):
        value = getattr(value, part)
    return value


def test_every_default_in_a_comment_is_valid_when_it_is_set(written: Path) -> None:
    """Somebody who removes the '# ' before a key gets a file that is still right."""
    path = written / BENCH_FILE
    text = re.sub(r"^# ([\w.]+ = (?!\.\.\.))", r"\1", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    options = driver_classes(load_bench(path))["table"][1]
    assert options == driver_classes(DEFAULT_BENCH)["table"][1]
    assert len(tomllib.loads(text)["table"]["options"]["slm"]) > 5


def test_the_number_of_neurons_fits_both_files(tmp_path: Path) -> None:
    init(tmp_path, bench="simulated", neurons=400, force=False)
    assert load_experiment(tmp_path / EXPERIMENT_FILE).neurons == 400
    assert load_bench(tmp_path / BENCH_FILE).geometry.rows == 20


@pytest.mark.parametrize("hidden_table", [None, 7])
def test_the_example_experiment_runs_on_the_bench_beside_it(tmp_path: Path, hidden_table: int | None) -> None:
    init(tmp_path, bench="simulated", neurons=16, force=False, hidden_table=hidden_table)
    bench = tmp_path / BENCH_FILE
    bench.write_text(bench.read_text(encoding="utf-8").replace("power_w = 0.02", "power_w = 0.015"), encoding="utf-8")
    assert bench_for(load_experiment(tmp_path / EXPERIMENT_FILE)) == load_bench(bench)
    assert load_bench(bench).laser.power_w == 0.015


def test_the_commands_that_follow_can_be_copied_whatever_the_folder_is_called(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "Läufe im Labor"
    lines = dict(line.split(":", 1) for line in cli("init", folder).out.splitlines() if not line.startswith("wrote"))
    assert shlex.split(lines["run"]) == ["labcontrol", "run", str(folder / EXPERIMENT_FILE)]
    assert cli(*shlex.split(lines["check"])[1:]).code == 0


@pytest.mark.parametrize("present", [EXPERIMENT_FILE, BENCH_FILE])
def test_a_file_that_is_there_is_kept_and_nothing_is_written(tmp_path: Path, present: str) -> None:
    (tmp_path / present).write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="--force"):
        init(tmp_path, bench="simulated", neurons=None, force=False)
    assert [path.name for path in tmp_path.iterdir()] == [present]
    assert (tmp_path / present).read_text(encoding="utf-8") == "mine"


def test_force_replaces(tmp_path: Path) -> None:
    (tmp_path / EXPERIMENT_FILE).write_text("mine", encoding="utf-8")
    init(tmp_path, bench="simulated", neurons=None, force=True)
    assert load_experiment(tmp_path / EXPERIMENT_FILE) == ExperimentConfig(bench=str(tmp_path / BENCH_FILE))


def test_a_bench_without_example_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        init(tmp_path / "new", bench="moon", neurons=None, force=False)
    for name in ["simulated", *EXAMPLES]:
        assert f"- {name}: " in str(refused.value)
    assert not (tmp_path / "new").exists()


@on_every_example
def test_an_example_of_a_real_table_is_right_without_any_hardware(
    name: str, cli: Callable[..., Any], tmp_path: Path
) -> None:
    assert cli("init", "--bench", name, tmp_path).code == 0
    for file in (BENCH_FILE, EXPERIMENT_FILE):
        outcome = cli("check", tmp_path / file)
        assert outcome.code == 0, outcome.err
        assert name in outcome.out


@on_every_example
def test_an_example_of_a_real_table_says_what_its_file_says(name: str, tmp_path: Path) -> None:
    init(tmp_path, bench=name, neurons=None, force=False)
    example = example_bench(name)
    written = load_bench(tmp_path / BENCH_FILE)
    assert written.calibration is not None
    assert written.calibration.store == str(tmp_path / "calibrations")
    assert written.model_copy(update={"calibration": example.bench.calibration}) == example.bench
    text = (tmp_path / BENCH_FILE).read_text(encoding="utf-8")
    for key, note in example.notes.items():
        assert "\n".join(note) in text, f"the note on {key!r} is lost: there is no such key"


@on_every_example
def test_everything_in_an_example_of_a_real_table_is_explained(name: str, tmp_path: Path) -> None:
    init(tmp_path, bench=name, neurons=None, force=False)
    lines = (tmp_path / BENCH_FILE).read_text(encoding="utf-8").splitlines()
    for above, line in pairwise(lines):
        if re.match(r"[a-z]\w* = ", line):
            assert above.startswith("# "), f"{line!r} is not explained"
    assert "LASER SAFETY" in "\n".join(lines[:10])
    assert all(line.isascii() for line in lines)  # whatever the editor of a laboratory's computer


def test_a_real_table_does_not_grow_with_the_experiment(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="900 neurons, not 1024"):
        init(tmp_path / "new", bench=EXAMPLES[0], neurons=1024, force=False)
    init(tmp_path, bench=EXAMPLES[0], neurons=64, force=False)
    experiment = load_experiment(tmp_path / EXPERIMENT_FILE)
    assert (experiment.neurons, experiment.bench) == (64, str(tmp_path / BENCH_FILE))


def test_only_the_simulated_table_can_be_told_to_hide(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hidden-table"):
        init(tmp_path / "new", bench=EXAMPLES[0], neurons=None, force=False, hidden_table=3)


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be written"):
        init(tmp_path / "file" / "below", bench="simulated", neurons=None, force=False)
