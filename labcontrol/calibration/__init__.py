"""Calibration: what must be measured on a table before its runs can be trusted, and the memory of it."""

from labcontrol.calibration.apply import calibrated, check_devices, standings, store_of
from labcontrol.calibration.procedures import PROCEDURES
from labcontrol.calibration.result import Calibration, Outcome, Quantity
from labcontrol.calibration.session import Session, with_needs
from labcontrol.calibration.store import Standing, Store, read_calibration

__all__ = [
    "PROCEDURES",
    "Calibration",
    "Outcome",
    "Quantity",
    "Session",
    "Standing",
    "Store",
    "calibrated",
    "check_devices",
    "read_calibration",
    "standings",
    "store_of",
    "with_needs",
]
