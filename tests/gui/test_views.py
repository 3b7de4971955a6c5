"""Each view shows what it is given: read back from what it draws."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from gui_helpers import NEURONS, STEPS, amplitude_law, epoch, frame
from PyQt5.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from labcontrol.bench import simulated_bench
from labcontrol.config import ExperimentConfig, LearningConfig
from labcontrol.engine import DriftMeasured, Run
from labcontrol.gui.learning.data import LearningData
from labcontrol.gui.learning.marks import drift_mark, fault_mark, pause_mark
from labcontrol.gui.learning.model_curves import MeasuredCurve, ModelCurve, prediction_curve, sampled_curve, verdict
from labcontrol.gui.learning.model_jobs import mean_field_model, twin_model
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.image_panel import rgb
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.panel import Panel
from labcontrol.gui.shared.pattern_views import MaskView, SlmView
from labcontrol.gui.shared.theme import DARK, LIGHT
from labcontrol.records import RunReader
from labcontrol.records.reader import Fault
from labcontrol.tasks import ErrorMeasure
from labcontrol.theory import AmplitudeLaw


@pytest.fixture
def learning(qtbot: QtBot) -> LearningView:
    view = LearningView()
    qtbot.addWidget(view)
    view.resize(800, 600)
    view.set_theme(LIGHT)
    view.show()
    return view


LEARNING = LearningConfig(loss="mse", selection="uniform")


def law2(law: AmplitudeLaw | None = None) -> ModelCurve:
    curve = prediction_curve(law or amplitude_law(), LEARNING)
    assert curve is not None
    return curve


def measured(epochs: int = 40) -> LearningData:
    data = LearningData("mse", NEURONS)
    errors = amplitude_law().curve(np.arange(epochs))
    data.append([epoch(k, float(error), accepted=True) for k, error in enumerate(errors)], list(errors))
    return data


def test_learning_on_the_law_is_called_so_and_leaves_no_residual(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.set_models([law2()])
    learning.renew()
    assert "as predicted" in learning.verdict.text()
    _, residual = learning.plot.difference.curve.getData()
    np.testing.assert_allclose(residual, 0, atol=1e-12)


def test_the_verdict_names_the_side_of_the_interval() -> None:
    curve = law2()
    models = {"prediction": curve}
    assert "slower" in verdict(0.9, 10, models)[1]
    assert "faster" in verdict(0.011, 10, models)[1]
    assert verdict(0.5, 10, {}) == ("idle", "")


@pytest.mark.parametrize(("factor", "words"), [(1.0, "as predicted"), (3.0, "slow"), (0.3, "fast")])
def test_a_good_fit_is_compared_by_its_time_constant(factor: float, words: str) -> None:
    law = amplitude_law()
    k = np.arange(120.0)
    measured = MeasuredCurve(
        k, 0.2 + 0.8 * np.exp(-k / (factor * law.tau)), law, LearningConfig(loss="mse", selection="uniform")
    )
    models = {model.key: model for model in [law2(law), *measured.models()]}
    assert models["fit"].tau is not None
    assert models["fit"].tau[0] == pytest.approx(factor * law.tau, rel=1e-3)
    assert words in verdict(measured.incumbent[-1], k[-1], models)[1]


@pytest.mark.parametrize("selection", ["uniform", "cyclic", "greedy"])
def test_coverage_starts_at_the_start_and_ends_at_the_floor(selection: str) -> None:
    law = amplitude_law()
    measured = MeasuredCurve(np.arange(3.0), np.ones(3), law, LearningConfig(loss="mse", selection=selection))
    curve = next(model for model in measured.models() if model.key == "coverage")
    ends = curve.values(np.array([0.0, 40.0 * NEURONS]))
    assert ends[0] == pytest.approx(law.start)
    assert ends[1] == pytest.approx(law.floor, abs=1e-6)


def test_the_drawn_incumbent_is_the_measured_one(learning: LearningView) -> None:
    data = measured()
    learning.begin(data, 100, LEARNING)
    learning.log_y.setChecked(False)
    learning.renew()
    x, y = learning.plot.measured.incumbent.getData()
    np.testing.assert_allclose(np.interp(x, data.index, data.incumbent("mse")), y)
    assert x[-1] == 39


def test_logarithmic_axes_show_logarithms_and_leave_epoch_zero_out(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.log_x.setChecked(True)
    learning.log_y.setChecked(True)
    x, y = learning.plot.measured.incumbent.getData()
    assert x[0] == pytest.approx(0.0)  # epoch 1
    assert y[0] == pytest.approx(math.log10(float(amplitude_law().curve(np.array([1]))[0])))


@pytest.mark.parametrize(("axis", "end"), [("epochs", 39.0), ("epochs / N", 39 / NEURONS), ("time", 3.9)])
def test_the_horizontal_axis_counts_what_it_says(learning: LearningView, axis: str, end: float) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.horizontal.setCurrentText(axis)
    learning.renew()
    assert learning.plot.measured.incumbent.getData()[0][-1] == pytest.approx(end)


def test_a_law_for_one_error_is_not_drawn_over_the_other(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.set_models([law2()])
    assert len(learning.plot.model_lines.lines["prediction"].getData()[0]) > 0
    learning.loss.setCurrentText("nmse")
    assert learning.plot.model_lines.lines["prediction"].getData()[0] is None or not len(
        learning.plot.model_lines.lines["prediction"].getData()[0]
    )


def test_zooming_ends_following_and_a_click_resumes_it(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.plot.plot.vb.sigRangeChangedManually.emit([True, True])
    assert not learning.follow.isChecked()
    learning.plot.plot.setXRange(3, 4, padding=0)
    learning.renew()
    assert learning.plot.plot.vb.viewRange()[0] == [3, 4]
    learning.follow.click()
    learning.renew()
    assert learning.plot.plot.vb.viewRange()[0][1] > 20


def test_values_of_the_law_stand_in_the_table(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.set_models([law2()])
    texts = [cell.text() for cell in learning.table._rows["prediction"].cells]
    assert texts[0].startswith("8.00")
    assert texts[1] == "0.500"
    assert texts[4] == "0.0100"


def test_saturated_pixels_are_red_and_others_grey(qtbot: QtBot) -> None:
    view = CameraView()
    qtbot.addWidget(view)
    view.set_theme(DARK)
    view.show()
    view.set_frame(frame(saturated=True))
    np.testing.assert_array_equal(view.image.image[5, 7], rgb(DARK.danger))
    assert len(set(view.image.image[0, 0])) == 1
    assert "saturated" in view.facts.text()


def test_the_neuron_under_the_cursor_is_named(qtbot: QtBot) -> None:
    view = CameraView()
    qtbot.addWidget(view)
    view.show()
    rows, columns = np.divmod(np.arange(4), 2)
    view.set_neurons(np.stack([2 + 4.0 * rows, 3 + 4.0 * columns], axis=1))
    view.set_frame(frame())
    view.hovered.emit(5, 7)
    assert "neuron 3 (row 1, column 1)" in view.facts.text()
    assert "700 counts" in view.facts.text()
    view.hovered.emit(-1, -1)
    assert "neuron" not in view.facts.text()


def test_the_mask_is_shown_mirror_by_mirror(qtbot: QtBot) -> None:
    view = MaskView()
    qtbot.addWidget(view)
    view.set_theme(LIGHT)
    view.show()
    mask = np.arange(NEURONS) % 3 == 0
    view.set_mask(mask, mirror=6)
    np.testing.assert_array_equal((view.image.image == rgb(LIGHT.accent)).all(axis=2), mask.reshape(4, 4))
    assert "6 / 16 on" in view.facts.text()
    x, y = view._tried.getData()
    assert (x[0], y[0]) == (2.5, 1.5)


def test_the_slm_pattern_is_shown_as_sent(qtbot: QtBot) -> None:
    view = SlmView()
    qtbot.addWidget(view)
    view.show()
    pattern = np.arange(64, dtype=np.uint8).reshape(8, 8)
    view.set_pattern(pattern)
    np.testing.assert_array_equal(view.image.image[..., 1], pattern)


@pytest.mark.parametrize("loss", ["mse", "nmse"])
def test_the_shown_difference_has_the_error_that_is_named(qtbot: QtBot, loss: str) -> None:
    view = OutputView()
    qtbot.addWidget(view)
    view.show()
    rng = np.random.default_rng(3)
    target = rng.normal(size=STEPS)
    target = (target - target.mean()) / target.std()
    output = (5 + 2 * target + 0.3 * rng.normal(size=STEPS)).astype(np.float32)
    measure = ErrorMeasure(target, gain=1.7)
    view.set_target(target)
    view.set_output(output, measure, loss)
    _, difference = view._error_curve.getData()
    assert np.mean(difference**2) == pytest.approx(getattr(measure, loss)(output[None])[0], rel=1e-6)


def test_a_view_out_of_sight_draws_nothing_and_catches_up_when_it_is_seen(qtbot: QtBot) -> None:
    class Counted(Panel):
        drawn = 0

        def draw(self) -> None:
            self.drawn += 1

    window = QWidget()
    qtbot.addWidget(window)
    panel = Counted(window)
    for _ in range(3):
        panel.renew()
    assert panel.drawn == 0
    window.show()
    assert panel.drawn == 1
    panel.renew()
    panel.hide()
    panel.renew()
    assert panel.drawn == 2
    panel.show()
    panel.hide()
    panel.show()
    assert panel.drawn == 3


def test_law_three_is_known_before_learning_and_the_twin_on_demand(tmp_path: Path) -> None:
    experiment = ExperimentConfig.model_validate(
        {"neurons": 16, "task": {"steps": 60, "washout": 10, "test_steps": 20}, "stop": {"epochs": 60},
         "learning": {"loss": "mse", "selection": "cyclic"}}
    )  # fmt: skip
    run = Run(experiment, simulated_bench(16, 1), tmp_path)
    run.execute()
    law, twin = mean_field_model(run.record), twin_model(run.record)
    assert law is not None
    start, end = law.curve().at(0.0), law.curve().at(59.0)
    with RunReader(run.record) as record:
        errors = record.incumbent_errors()
    assert start == pytest.approx(errors[0], rel=0.05)
    assert end < start
    assert "measured states" in twin.name
    assert twin.band is not None
    low, high = twin.curve().interval_at(59.0) or (0.0, 0.0)
    assert low <= twin.curve().at(59.0) <= high
    assert twin.errors[-1] < twin.errors[0]


def test_a_twin_is_computed_elsewhere_and_refused_with_words(
    learning: LearningView, qtbot: QtBot, tmp_path: Path
) -> None:
    learning.begin(measured(), 100, LEARNING, tmp_path / "no-such-file.h5")
    learning.table._boxes["twin"].click()
    assert "computing" in learning.table._boxes["twin"].text()
    qtbot.waitUntil(lambda: not learning._twin.is_busy, timeout=60_000)
    assert not learning.table._boxes["twin"].isChecked()
    assert "no-such-file" in learning.table._boxes["twin"].toolTip()


def test_the_residual_is_taken_against_the_chosen_curve(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    half = sampled_curve("mean-field", "Law 3", "", "mse", np.array([0.0, 100.0]), np.array([0.5, 0.5]))
    learning.set_models([law2(), half])
    against = learning.table._rows["mean-field"].against
    assert against is not None
    against.click()
    x, residual = learning.plot.difference.curve.getData()
    expected = np.log10(amplitude_law().curve(x) / 0.5)
    np.testing.assert_allclose(residual, expected, atol=1e-12)


def test_marks_say_what_happened_and_where(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    fault = Fault(1001.0, "camera", "drop", "a frame was lost", "taken again", epoch=11)
    learning.set_marks([fault_mark(fault), pause_mark(20.0, 1002.0, "paused by the user", 75.0)])
    learning.renew()
    points = learning.plot.marks.symbols.points()
    assert [point.pos().x() for point in points] == [10.0, 20.0]
    assert "camera: a frame was lost" in points[0].data()
    assert "1 min 15 s" in points[1].data()


def test_a_flip_that_is_judged_by_two_measurements_takes_two_epochs() -> None:
    once = prediction_curve(amplitude_law(), LearningConfig(loss="mse", selection="uniform"))
    twice = prediction_curve(amplitude_law(), LearningConfig(loss="mse", selection="uniform", acceptance="re-measured"))
    assert once is not None
    assert twice is not None
    assert twice.at(20.0) == once.at(10.0)
    assert prediction_curve(amplitude_law(), LearningConfig(strategy="multiplexed-identification")) is None


def test_only_drift_that_noise_does_not_explain_is_marked() -> None:
    assert drift_mark(DriftMeasured(10, 1.0, 0.1, 1.5)) is None
    mark = drift_mark(DriftMeasured(10, 1.0, 0.1, 8.0))
    assert mark is not None
    assert (mark.epoch, mark.kind) == (9, "drift")


def test_the_outlook_names_what_is_expected_and_what_is_accepted(learning: LearningView) -> None:
    data = measured()
    data.epoch_s = 2.0
    learning.begin(data, 100, LEARNING)
    law = amplitude_law()
    learning.set_models(
        MeasuredCurve(*data.sampled("mse"), law, LearningConfig(loss="mse", selection="uniform")).models()
    )
    words = learning.outlook.text()
    assert "Expected at epoch 100" in words
    assert "2 min 00 s" in words
    assert "100%" in words
    learning.set_over()
    assert "Expected" not in learning.outlook.text()


def test_a_fit_is_silent_where_it_is_far_below_what_was_measured() -> None:
    epochs = np.arange(200.0)
    creeping = np.maximum(3 * np.exp(-epochs / 5), 0.01 * (1 - epochs / 1000))
    models = MeasuredCurve(epochs, creeping, amplitude_law(), LearningConfig()).models()
    fit = next(model for model in models if model.key == "fit")
    shown = epochs[epochs <= fit.until]
    assert np.all(fit.values(shown) >= 0.29 * creeping[epochs <= fit.until])
