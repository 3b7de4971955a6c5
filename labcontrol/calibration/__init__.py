"""Calibration: what must be measured on a table before its runs can be trusted, and the memory of it."""

from labcontrol.calibration.apply import (
    DEFAULT_STORE,
    NotCalibratedError,
    calibrated,
    check_devices,
    statuses,
    store_of,
    with_store,
)
from labcontrol.calibration.procedures import PROCEDURES
from labcontrol.calibration.result import Calibration, Outcome, Quantity
from labcontrol.calibration.session import Session, with_needs
from labcontrol.calibration.store import CalibrationStatus, Store, read_calibration

__all__ = [
    "DEFAULT_STORE",
    "PROCEDURES",
    "Calibration",
    "CalibrationStatus",
    "NotCalibratedError",
    "Outcome",
    "Quantity",
    "Session",
    "Store",
    "calibrated",
    "check_devices",
    "read_calibration",
    "statuses",
    "store_of",
    "with_needs",
    "with_store",
]
