"""Manual control of the laser: power, interlock, and emission that must be armed before it can start."""

from __future__ import annotations

import time

from PyQt5.QtCore import QSignalBlocker, pyqtSignal
from PyQt5.QtWidgets import QLabel, QPushButton, QWidget

from labcontrol.formatting import power
from labcontrol.gui.devices.card import DeviceCard
from labcontrol.gui.shared.buttons import button
from labcontrol.gui.shared.fields import Quantity, all_right
from labcontrol.gui.shared.layouts import ROOM, chip, row
from labcontrol.gui.shared.theme import set_kind
from labcontrol.gui.shared.ticking import ticking
from labcontrol.host.jobs.manual import Facts, LaserFacts

ARMED_S = 10
_TICK_MS = 250


class LaserCard(DeviceCard):
    """Signals: `light_on` and `set_power` with a power in W; `light_off`."""

    light_on = pyqtSignal(float)
    light_off = pyqtSignal()
    set_power = pyqtSignal(float)
    title, role = "Laser", "laser"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts: LaserFacts | None = None
        self._armed_until_s = 0.0
        self.interlock, self.emission = chip(), chip()
        self.power = Quantity("mW", 1e-3, 3, "Power to emit; while the laser emits, it follows at once")
        self.power.valueChanged.connect(self._on_power)
        self.arm_button = QPushButton("Arm")
        self.arm_button.setCheckable(True)
        self.arm_button.setToolTip(f"Allow emission to be switched on during the next {ARMED_S} s")
        self.arm_button.clicked.connect(self._on_arm)
        self.on_button = button("Emission on", "Arm first. Make sure nobody is in the beam.", self._on_light)
        self.on_button.setObjectName("emission")
        self.off_button = button("Emission off", "Light off at once", self.light_off.emit)
        self.body.addLayout(row(self.interlock, self.emission, ROOM))
        self.body.addLayout(row(QLabel("Power"), (self.power, 1), (self.arm_button, 1)))
        self.body.addLayout(row((self.on_button, 1), (self.off_button, 1)))
        self._timer = ticking(self, _TICK_MS, self._show_armed)
        self._show_chips()
        self._show_armed()

    @property
    def is_armed(self) -> bool:
        return time.monotonic() < self._armed_until_s

    def choose_power(self, power_w: float) -> None:
        """The power the bench file asks for."""
        with QSignalBlocker(self.power):
            self.power.setValue(power_w / 1e-3)

    def show_facts(self, facts: Facts) -> None:
        assert isinstance(facts, LaserFacts)
        self._facts = facts
        with QSignalBlocker(self.power):
            self.power.set_limits_si(*facts.power_limits_w)
            if facts.emission:
                self.power.set_si(facts.setpoint_w)
        low, high = facts.power_limits_w
        self.facts.setText(f"{power(low)} to {power(high)} · stable after {facts.warm_up_time_s:g} s")
        self._show_chips()
        self._show_armed()

    def show_disconnected(self) -> None:
        super().show_disconnected()
        self._facts, self._armed_until_s = None, 0.0
        if hasattr(self, "interlock"):
            self._show_chips()
            self._show_armed()

    def disarm(self) -> None:
        self._armed_until_s = 0.0
        self._show_armed()

    # --- parts --------------------------------------------------------------------------------------------------
    def _on_power(self) -> None:
        if self._facts is not None and self._facts.emission:
            self.set_power.emit(self.power.si)

    def _on_arm(self, armed: bool) -> None:
        self._armed_until_s = time.monotonic() + ARMED_S if armed else 0.0
        self._show_armed()

    def _on_light(self) -> None:
        if self.is_armed and all_right(self.power):
            self.disarm()
            self.light_on.emit(self.power.si)

    def _show_armed(self) -> None:
        facts, armed = self._facts, self.is_armed
        may = facts is not None and facts.interlock_closed and not facts.faults and not facts.emission
        if armed and not may:
            self._armed_until_s, armed = 0.0, False
        left_s = self._armed_until_s - time.monotonic()
        self.arm_button.setChecked(armed)
        self.arm_button.setText(f"Armed · {max(1, round(left_s))} s" if armed else "Arm")
        self.arm_button.setEnabled(may)
        self.on_button.setEnabled(armed)
        if armed:
            self._timer.start()
        else:
            self._timer.stop()

    def _show_chips(self) -> None:
        facts = self._facts
        if facts is None:
            for chip in (self.interlock, self.emission):
                chip.hide()
            return
        self._chip(
            self.interlock,
            ("good", "interlock closed") if facts.interlock_closed else ("danger", "interlock OPEN: no emission"),
        )
        if facts.faults:
            self._chip(self.emission, ("danger", ", ".join(facts.faults)))
        elif facts.emission:
            self._chip(self.emission, ("light", f"☀ emits {power(facts.power_w)}"))
        else:
            self._chip(self.emission, ("idle", "○ emission off"))

    @staticmethod
    def _chip(chip: QLabel, content: tuple[str, str]) -> None:
        set_kind(chip, content[0])
        chip.setText(content[1])
        chip.show()
