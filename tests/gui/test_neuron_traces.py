"""Traces of single neurons grow from the steps that happen to be seen."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from drivers.interfaces import Frame
from labcontrol.gui.live import neuron_traces
from labcontrol.gui.live.neuron_traces import MOST_PINNED, NeuronTraces
from labcontrol.gui.shared.camera_view import CameraView
from labcontrol.gui.shared.pattern_views import MaskView
from labcontrol.gui.shared.theme import LIGHT

STEPS = 6
CENTRES = np.stack([*np.divmod(np.arange(16), 4)], axis=1) * 5.0 + 2


def picture(step: int) -> Frame:
    data = np.zeros((20, 20), np.uint16)
    for neuron, (row, column) in enumerate(CENTRES.astype(int)):
        data[row, column] = 10 * neuron + step % 10
    return Frame(data, counter=step, time_s=0.0, exposure_s=1e-3, saturated_share=0.0)


@pytest.fixture
def traces(qtbot: QtBot) -> NeuronTraces:
    view = NeuronTraces()
    qtbot.addWidget(view)
    view.set_theme(LIGHT)
    view.show()
    view.begin(CENTRES, STEPS)
    return view


def test_steps_seen_in_any_order_make_one_trace(traces: NeuronTraces) -> None:
    for step in (4, 0, 2, 5, 1, 3, -3, 6):  # also of the washout, and of the test part
        traces.set_frame(step, picture(step))
    traces.pinned = []
    traces.pin(7)
    np.testing.assert_array_equal(traces.trace(7), 70 + np.arange(STEPS))
    steps, counts = traces.curves[1].getData()
    np.testing.assert_array_equal(counts, 70 + steps)


def test_a_click_pins_a_neuron_and_another_lets_it_go(traces: NeuronTraces) -> None:
    traces.pinned = []
    for neuron in range(MOST_PINNED + 1):
        traces.pin(neuron)
    assert traces.pinned == [1, 2, 3, 4]
    traces.pin(2)
    assert traces.pinned == [1, 3, 4]


def test_of_very_many_neurons_only_those_on_show_are_kept(
    traces: NeuronTraces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neuron_traces, "_MOST_CELLS", 10)
    traces.begin(CENTRES, STEPS)
    traces.point_at(9)
    traces.set_frame(3, picture(3))
    assert traces.trace(9)[3] == 93
    assert traces._seen.shape == (MOST_PINNED + 1, STEPS)
    traces.point_at(11)
    assert np.isnan(traces.trace(9)).all()
    traces.point_at(9)
    assert np.isnan(traces.trace(9)).all()


def test_pictures_tell_the_neuron_that_is_pointed_at_and_clicked(traces: NeuronTraces, qtbot: QtBot) -> None:
    camera, mask = CameraView(), MaskView()
    for view in (camera, mask):
        qtbot.addWidget(view)
        view.show()
        view.neuron_pointed.connect(traces.point_at)
        view.neuron_clicked.connect(traces.pin)
    traces.shown_changed.connect(camera.set_chosen)
    camera.set_neurons(CENTRES)
    camera.set_frame(picture(0))
    mask.set_mask(np.ones(16, dtype=bool))
    traces.pinned = []
    camera.hovered.emit(7, 12)
    assert traces.pointed == 6
    camera.clicked.emit(7, 12)
    mask.clicked.emit(3, 1)
    assert traces.pinned == [6, 13]
    x, y = camera.chosen.getData()
    np.testing.assert_array_equal(np.stack([y, x], axis=1), CENTRES[[6, 6, 13]] + 0.5)
    camera.hovered.emit(-1, -1)
    assert traces.pointed is None
