"""Results that nobody has accepted yet: in the folder of the calibrations, but none of them."""

from __future__ import annotations

import logging
from pathlib import Path

from labcontrol.calibration.apply import store_of
from labcontrol.calibration.plot import save_calibration_figure
from labcontrol.calibration.result import Calibration
from labcontrol.calibration.store import SUFFIX, Store, write_calibration
from labcontrol.config import BenchConfig

log = logging.getLogger(__name__)

WAITING = "not-accepted"


def keep(config: BenchConfig, calibration: Calibration) -> None:
    """A person has accepted this result: it joins the calibrations of the bench. Raises UserError."""
    store = store_of(config)
    save_with_figure(store, calibration)
    _waiting_file(store, calibration).unlink(missing_ok=True)


def save_with_figure(store: Store, calibration: Calibration) -> None:
    path = store.save(calibration)
    save_calibration_figure(calibration, path.with_suffix(".png"))


def _waiting_file(store: Store, calibration: Calibration) -> Path:
    return store.folder / WAITING / f"{calibration.kind}_{calibration.hash[:12]}{SUFFIX}"


def write_waiting(store: Store, calibration: Calibration) -> None:
    path = _waiting_file(store, calibration)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_calibration(path, calibration)
    except OSError as error:
        log.warning("the result could not be written before it is accepted: %s", error)
