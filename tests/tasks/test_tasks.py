"""Tasks: named series, CSV files, the cut into parts, and the two errors."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from labcontrol.config import TaskConfig
from labcontrol.errors import UserError
from labcontrol.tasks import ErrorMeasure, make_task, mse, nmse, standardised
from labcontrol.tasks.csv_file import read_series
from labcontrol.tasks.series import narma10


@pytest.mark.parametrize("name", ["mackey-glass", "santa-fe", "narma-10"])
def test_named_tasks_have_scaled_inputs_and_standardised_targets(name: str) -> None:
    task = make_task(TaskConfig(name=name, steps=150, test_steps=60, washout=20), seed=3)
    assert [len(part) for part in (task.washout_input, task.train_input, task.test_input)] == [20, 150, 60]
    known = task.training_sequence
    assert known.min() == 0.0
    assert known.max() == 1.0
    assert task.train_target.mean() == pytest.approx(0, abs=1e-12)
    assert task.train_target.std() == pytest.approx(1)
    assert task.test_target.std() == pytest.approx(1)


@pytest.mark.parametrize("name", ["mackey-glass", "santa-fe"])
def test_prediction_tasks_ask_for_the_next_input(name: str) -> None:
    task = make_task(TaskConfig(name=name, steps=100), seed=1)
    assert np.corrcoef(task.train_input[1:], task.train_target[:-1])[0, 1] == pytest.approx(1)


def test_narma_target_answers_the_input_of_the_same_step() -> None:
    series = narma10(200, seed=2)
    u, y = series.input, series.target
    # y(t+1) = 0.3 y(t) + 0.05 y(t) sum_{i=1..10} y(t-i) + 1.5 u(t-10) u(t) + 0.1, with target[n] = y(n+1)
    n = 50
    expected = 0.3 * y[n - 1] + 0.05 * y[n - 1] * y[n - 11 : n - 1].sum() + 1.5 * u[n - 10] * u[n] + 0.1
    assert y[n] == pytest.approx(expected)


def test_the_seed_decides_the_series() -> None:
    first, again, other = (make_task(TaskConfig(), seed).train_input for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_one_column_predicts_itself_and_two_columns_are_input_and_target(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    values = np.sin(np.arange(300) ** 1.2)
    one.write_text("\n".join(map(str, values)))
    two.write_text("input,target\n" + "\n".join(f"{a},{b}" for a, b in itertools.pairwise(values)))
    config = TaskConfig(steps=100, test_steps=100, washout=10)
    tasks = [make_task(config.model_copy(update={"name": str(path)}), seed=1) for path in (one, two)]
    assert np.allclose(tasks[0].train_target, tasks[1].train_target)
    assert np.allclose(tasks[0].test_input, tasks[1].test_input)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n2\nthree\n4\n", "line 3, column 1: expected a finite number, found 'three'"),
        ("1\n2\nnan\n", "line 3, column 1: expected a finite number, found 'nan'"),
        ("1,2\n3\n", "line 2: found 1 columns"),
        ("1,2,3\n", "line 1: found 3 columns"),
        ("input,target\n", "holds no numbers"),
        ("1\n2\n3\n", "has 2 usable steps"),
        ("\n".join(["1"] * 500), "constant"),
    ],
)
def test_a_bad_csv_file_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=expected):
        make_task(TaskConfig(name=str(path)), seed=1)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("0,5\n1,25\n-2,5e1\n".replace("0,5", "value\n0,5", 1), [[0.5, 1.25, -25.0]]),
        ("0,5;1\n1,25;2\n-3;0,5\n", [[0.5, 1.25, -3.0], [1.0, 2.0, 0.5]]),
        ("a;b\r\n0.5;1\r\n1.25;2\r\n3;4\r\n", [[0.5, 1.25, 3.0], [1.0, 2.0, 4.0]]),
        ("0.5\t1\n1.25\t2\n3\t4\n", [[0.5, 1.25, 3.0], [1.0, 2.0, 4.0]]),
        ("in,out\n3,5\n4,6\n9,7\n", [[3.0, 4.0, 9.0], [5.0, 6.0, 7.0]]),
        ("\n1.5\n\n2.5\n3.5\n", [[1.5, 2.5, 3.5]]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_file_is_read_as_it_is_meant_and_said(
    tmp_path: Path, text: str, columns: list[list[float]], encoding: str
) -> None:
    path = tmp_path / "series.csv"
    path.write_bytes(text.encode(encoding))
    series = read_series(path)
    if len(columns) == 1:
        assert [*series.input, series.target[-1]] == columns[0]
        assert "one column, whose next value is the target; 3 rows" in series.understood
    else:
        assert [series.input.tolist(), series.target.tolist()] == columns
        assert "two columns, input and target; 3 rows" in series.understood
    assert ", ".join(f"{value:g}" for value in columns[0]) in series.understood


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,0134\n0,0512\n1,2000\n", "0,0134 is one number with a decimal comma, or two whole numbers"),
        ("index,value\n0,0.5\n1,0.7\n2,0.1\n", "counts the rows"),
        ("0.5\n1e999\n", "found '1e999'"),
        ("0.5\n1_000\n", "found '1_000'"),
        ("\0\0", "holds no numbers"),
    ],
)
def test_a_csv_file_with_two_meanings_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=expected):
        read_series(path)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file but a folder"):
        read_series(tmp_path)
    if Path("/dev/zero").exists():
        with pytest.raises(UserError, match="a device"):
            read_series(Path("/dev/zero"))


def test_unknown_tasks_and_too_long_ones_say_what_is_known() -> None:
    with pytest.raises(UserError, match="Known: mackey-glass"):
        make_task(TaskConfig(name="mackey"), seed=1)
    with pytest.raises(UserError, match="10093 values"):
        make_task(TaskConfig(name="santa-fe", steps=20_000), seed=1)


def test_nmse_is_twice_one_minus_correlation_and_ignores_offset_and_scale() -> None:
    rng = np.random.default_rng(0)
    target = standardised(rng.standard_normal(500))
    output = (target + rng.standard_normal(500)).astype(np.float32)
    correlation = np.corrcoef(output, target)[0, 1]
    assert nmse(output, target) == pytest.approx(2 * (1 - correlation), rel=1e-6)
    assert nmse((3 * output + 7).astype(np.float32), target) == pytest.approx(nmse(output, target), rel=1e-4)
    assert nmse(np.ones(500, np.float32), target) == 2.0


def test_mse_is_quadratic_in_the_output() -> None:
    rng = np.random.default_rng(0)
    target = standardised(rng.standard_normal(400))
    output = rng.standard_normal(400).astype(np.float32)
    a = [mse((scale * output).astype(np.float32), target, gain=2.0) for scale in (0, 1, 2)]
    power = np.var(output / 2.0)
    assert a[0] == pytest.approx(1.0)
    assert a[2] - 2 * a[1] + a[0] == pytest.approx(2 * power, rel=1e-5)


def test_many_outputs_are_measured_at_once() -> None:
    rng = np.random.default_rng(0)
    measure = ErrorMeasure(standardised(rng.standard_normal(100)), gain=1.5)
    outputs = rng.standard_normal((4, 100)).astype(np.float32)
    assert measure.nmse(outputs)[2] == nmse(outputs[2], measure.target)
    assert measure.mse(outputs)[3] == mse(outputs[3], measure.target, 1.5)


@pytest.mark.parametrize("repeats", [1, 8])
def test_the_noise_of_repeated_outputs_is_taken_off_their_error(repeats: int) -> None:
    rng = np.random.default_rng(1)
    target = standardised(rng.standard_normal(400))
    clean = 3 * target + 0.3 * rng.standard_normal(400) + 7
    measure = ErrorMeasure(target, gain=3.0)
    found: dict[str, list[float]] = {"mse": [], "nmse": []}
    for _ in range(200):
        outputs = (clean + 0.5 * rng.standard_normal((repeats, 400))).astype(np.float32)
        for loss, values in found.items():
            values.append(measure.without_noise(loss, outputs, 0.5))
    for loss, values in found.items():
        true = float(measure.errors(loss, clean[None].astype(np.float32))[0])
        biased = float(np.mean(measure.errors(loss, outputs)))
        assert np.mean(values) == pytest.approx(true, abs=4 * np.std(values) / 200**0.5)
        assert biased > 2 * true


def test_an_output_of_nothing_but_noise_keeps_its_error() -> None:
    rng = np.random.default_rng(2)
    measure = ErrorMeasure(standardised(rng.standard_normal(100)), gain=1.0)
    output = rng.standard_normal((1, 100)).astype(np.float32)
    assert measure.without_noise("nmse", output, 5.0) == pytest.approx(float(measure.nmse(output)[0]))
    assert measure.without_noise("nmse", np.ones((1, 100), np.float32), 0.0) == 2.0
