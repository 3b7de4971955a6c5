"""Numbers that a person types: the comma too, in every language, and never another number than the one typed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PyQt5.QtCore import QLocale, Qt
from pytestqt.qtbot import QtBot

from labcontrol.config import ReservoirConfig
from labcontrol.gui.devices.laser import LaserCard
from labcontrol.gui.experiment.editor import Editor
from labcontrol.gui.shared.fields import NumberField, Quantity, Whole
from labcontrol.host.jobs.manual import LaserFacts


@pytest.fixture(params=["C", "de_DE", "fr_FR", "en_US", "de_CH"])
def language(request: pytest.FixtureRequest) -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield
    QLocale.setDefault(before)


def power_field(qtbot: QtBot) -> tuple[Quantity, list[float]]:
    field = Quantity("mW", 1e-3, 3, "Power")
    qtbot.addWidget(field)
    field.set_limits_si(0.0, 0.05)
    field.set_si(0.02)
    sent: list[float] = []
    field.valueChanged.connect(lambda _: sent.append(field.si))
    return field, sent


def type_in(field: NumberField, text: str, qtbot: QtBot) -> None:
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


@pytest.mark.usefixtures("language")
@pytest.mark.parametrize(
    ("typed", "watts"),
    [
        ("2.5", 0.0025),
        ("2,5", 0.0025),
        ("0,5", 0.0005),
        (".5", 0.0005),
        ("2,5 mW", 0.0025),
        ("50", 0.05),
        ("1e1", 0.01),
    ],
)
def test_point_and_comma_are_the_decimal_mark(typed: str, watts: float, qtbot: QtBot) -> None:
    field, sent = power_field(qtbot)
    assert field.text() == "20 mW"
    type_in(field, typed, qtbot)
    assert sent == pytest.approx([watts])
    assert not field.problem
    assert "," not in field.text()


@pytest.mark.usefixtures("language")
@pytest.mark.parametrize(
    "typed",
    ["60", "500", "120", "50.001", "-1", "1.000,5", "1 000", "1'000", "1,5,1", "1e400", "nan", "inf", "", "2.5 W", "²"],
)
def test_what_cannot_be_taken_stays_as_it_was_typed_and_nothing_is_sent(typed: str, qtbot: QtBot) -> None:
    field, sent = power_field(qtbot)
    field.selectAll()
    field.del_()
    type_in(field, typed, qtbot)
    assert (field.text(), sent, field.si) == (typed, [], 0.02)
    assert field.property("kind") == "wrong"
    assert "0 to 50 mW" in field.toolTip()
    field.set_si(0.03)  # the device says something meanwhile
    assert field.text() == typed
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert (field.text(), field.property("kind")) == ("20 mW", "")


def test_what_is_shown_of_a_limit_can_be_typed(qtbot: QtBot) -> None:
    field = Quantity("ms", 1e-3, 3, "Exposure")
    qtbot.addWidget(field)
    field.set_limits_si(21.4449e-6, 10.0)
    field.set_si(21.4449e-6)
    assert (field.text(), field.problem) == ("0.021 ms", "")
    type_in(field, "0.021", qtbot)
    assert field.si == pytest.approx(21.4449e-6)


def test_arrows_count_within_the_limits(qtbot: QtBot) -> None:
    field = Whole("px", 2, 4, "Period")
    qtbot.addWidget(field)
    for key, value in (("Up", 3), ("Up", 4), ("Up", 4), ("Down", 3)):
        qtbot.keyClick(field, getattr(Qt.Key, f"Key_{key}"))
        assert field.value() == value
    type_in(field, "2.5", qtbot)
    assert "whole number from 2 to 4 px" in field.problem


def test_a_wrong_power_switches_nothing_on(qtbot: QtBot) -> None:
    card = LaserCard()
    qtbot.addWidget(card)
    card.controls.setEnabled(True)
    card.show_facts(
        LaserFacts(
            power_limits_w=(0.0, 0.05),
            warm_up_time_s=0.0,
            power_w=0.0,
            setpoint_w=0.02,
            emission=False,
            interlock_closed=True,
            faults=(),
        )
    )
    asked: list[float] = []
    card.light_on.connect(asked.append)
    type_in(card.power, "60", qtbot)
    card.arm_button.click()
    card.on_button.click()
    assert asked == []
    type_in(card.power, "6,5", qtbot)
    card.on_button.click()
    assert asked == pytest.approx([0.0065])


def test_the_form_takes_a_comma(qtbot: QtBot) -> None:
    editor = Editor(ReservoirConfig.model_fields["feedback"], ())
    qtbot.addWidget(editor)
    editor.type_in("0,25")
    assert editor.value() == "0.25"
    editor.type_in("1.000,5")
    assert editor.value() == "1.000,5"
