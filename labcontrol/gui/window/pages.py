"""The pages of the window. A new one is a module with a subclass of `Page`, and its line here."""

from __future__ import annotations

from labcontrol.gui.calibration.page import CalibrationPage
from labcontrol.gui.devices.page import DevicesPage
from labcontrol.gui.experiment.page import ExperimentPage
from labcontrol.gui.live.page import LivePage
from labcontrol.gui.log.page import LogPage
from labcontrol.gui.runs.page import RunsPage
from labcontrol.gui.scaling.page import ScalingPage
from labcontrol.gui.session.page import Page

PAGES: tuple[type[Page], ...] = (
    LivePage,
    ExperimentPage,
    DevicesPage,
    CalibrationPage,
    RunsPage,
    ScalingPage,
    LogPage,
)
"""In the order of their tabs; the first is in front when the window opens."""
