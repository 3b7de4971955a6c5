"""Each view shows what it is given: read back from what it draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gui_helpers import NEURONS, STEPS, epoch, frame
from predictions import exponential, pilot_result
from PyQt5.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from labcontrol.analysis.model_curve import ModelCurve
from labcontrol.analysis.run_models import pilot_prediction, run_models
from labcontrol.config import LearningConfig
from labcontrol.engine import DriftMeasured
from labcontrol.gui.learning.data import LearningData
from labcontrol.gui.learning.marks import drift_mark, fault_mark, pause_mark
from labcontrol.gui.learning.view import LearningView
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.image_panel import rgb
from labcontrol.gui.shared.output_view import OutputView
from labcontrol.gui.shared.panel import Panel
from labcontrol.gui.shared.pattern_views import MaskView, SlmView
from labcontrol.gui.shared.theme import DARK, LIGHT
from labcontrol.records.contents import Fault
from labcontrol.tasks import ErrorMeasure


@pytest.fixture
def learning(qtbot: QtBot) -> LearningView:
    view = LearningView()
    qtbot.addWidget(view)
    view.resize(800, 600)
    view.set_theme(LIGHT)
    view.show()
    return view


LEARNING = LearningConfig(loss="mse", options={"selection": "uniform"})


def predicted(view: LearningView) -> None:
    """Show the prediction, and what it makes of what was measured."""
    data = view._data
    prediction = pilot_prediction(pilot_result())
    models = run_models(LEARNING, prediction, data.index, data.incumbent("mse"), data.changes_kept)
    view.set_models(prediction.curves, models.verdict)


def measured(epochs: int = 40) -> LearningData:
    data = LearningData("mse", NEURONS)
    errors = exponential(np.arange(epochs))
    data.append([epoch(k, float(error), accepted=True) for k, error in enumerate(errors)], list(errors))
    return data


def test_learning_on_the_law_is_called_so_and_leaves_no_residual(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    predicted(learning)
    learning.renew()
    assert "as predicted" in learning.verdict.text()
    _, residual = learning.plot.difference.curve.getData()
    np.testing.assert_allclose(residual, 0, atol=1e-12)


def test_the_drawn_incumbent_is_the_measured_one(learning: LearningView) -> None:
    data = measured()
    learning.begin(data, 100, LEARNING)
    learning.log_y.setChecked(False)
    learning.renew()
    x, y = learning.plot.measured.incumbent.getData()
    held = np.searchsorted(data.index, x, side="right") - 1
    np.testing.assert_allclose(data.incumbent("mse")[held][::2], y[::2])  # each value holds until the next
    np.testing.assert_allclose(data.incumbent("mse")[held - 1][1::2], y[1::2])
    assert x[-1] == 39


def test_logarithmic_axes_show_logarithms_and_leave_epoch_zero_out(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.log_x.setChecked(True)
    learning.log_y.setChecked(True)
    x, y = learning.plot.measured.incumbent.getData()
    assert x[0] == pytest.approx(0.0)  # epoch 1
    assert y[0] == pytest.approx(math.log10(exponential(1.0)))


@pytest.mark.parametrize(("axis", "end"), [("epochs", 39.0), ("epochs / N", 39 / NEURONS), ("time", 3.9)])
def test_the_horizontal_axis_counts_what_it_says(learning: LearningView, axis: str, end: float) -> None:
    learning.begin(measured(), 100, LEARNING)
    learning.horizontal.setCurrentText(axis)
    learning.renew()
    assert learning.plot.measured.incumbent.getData()[0][-1] == pytest.approx(end)


def test_a_law_for_one_error_is_not_drawn_over_the_other(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    predicted(learning)
    assert len(learning.plot.model_lines.lines["prediction"].getData()[0]) > 0
    assert "decides by" not in learning.outlook.text()
    learning.loss.setCurrentText("nmse")
    assert "the run decides by <b>mse</b>" in learning.outlook.text()
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


def test_values_of_the_exponential_stand_in_the_table(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    predicted(learning)
    texts = [cell.text() for cell in learning.table._rows["exponential"].cells]
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


def test_the_residual_is_taken_against_the_chosen_curve(learning: LearningView) -> None:
    learning.begin(measured(), 100, LEARNING)
    half = ModelCurve("mean-field", "half", "", "mse", lambda epochs: np.full(len(epochs), 0.5))
    predicted(learning)
    learning.set_models([half])
    against = learning.table._rows["mean-field"].against
    assert against is not None
    against.click()
    x, residual = learning.plot.difference.curve.getData()
    expected = np.log10(exponential(x) / 0.5)
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


def test_only_drift_that_noise_does_not_explain_is_marked() -> None:
    assert drift_mark(DriftMeasured(10, 1.0, 0.1, 1.5)) is None
    mark = drift_mark(DriftMeasured(10, 1.0, 0.1, 8.0))
    assert mark is not None
    assert (mark.epoch, mark.kind) == (9, "drift")


def test_the_outlook_names_what_is_expected_and_what_is_accepted(learning: LearningView) -> None:
    data = measured()
    data.epoch_s = 2.0
    learning.begin(data, 100, LEARNING)
    predicted(learning)
    words = learning.outlook.text()
    assert "Expected at epoch 100" in words
    assert "2 min 00 s" in words
    assert "100%" in words
    learning.set_over()
    assert "Expected" not in learning.outlook.text()
