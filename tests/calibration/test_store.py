"""Calibrations are remembered, and known to be out of date when they are."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from labcontrol.calibration import PROCEDURES, Calibration, Outcome, Quantity, Store, calibrated, read_calibration
from labcontrol.calibration.store import conditions
from labcontrol.config import BenchConfig
from labcontrol.errors import UserError

HOUR = 3600.0


def some(kind: str, config: BenchConfig, age_h: float = 0.0, **parents: str) -> Calibration:
    """A calibration that passed."""
    return Calibration(
        kind,
        time.time() - age_h * HOUR,
        Outcome({"x": Quantity.normal(1.0, 0.1, "px", "a number")}, {"a": np.arange(3.0)}),
        {},
        conditions(PROCEDURES[kind].roles, config),
        parents,
    )


def store_at(config: BenchConfig) -> Store:
    assert config.calibration is not None
    return Store(Path(config.calibration.store), PROCEDURES)


def test_what_is_read_is_what_was_saved(config: BenchConfig) -> None:
    kept = some("camera", config)
    read = read_calibration(store_at(config).save(kept))
    assert read.hash == kept.hash
    assert read.outcome.quantities == kept.outcome.quantities


def test_a_changed_file_is_refused(config: BenchConfig) -> None:
    path = store_at(config).save(some("camera", config))
    with h5py.File(path, "r+") as file:
        file["arrays/a"][0] = 7.0
    with pytest.raises(UserError, match="changed after it was written"):
        read_calibration(path)


def test_garbage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "camera_2026.h5"
    path.write_bytes(b"no HDF5 at all")
    with pytest.raises(UserError, match="cannot be read"):
        read_calibration(path)


def test_it_expires(config: BenchConfig) -> None:
    store = store_at(config)
    store.save(some("camera", config, age_h=31 * 24))
    assert store.status("camera", config).state == "expired"


def test_a_child_is_stale_when_its_parent_is_measured_again(config: BenchConfig) -> None:
    store = store_at(config)
    parent = some("camera", config, age_h=2)
    store.save(parent)
    store.save(some("phase-response", config, age_h=1, camera=parent.hash))
    assert store.status("phase-response", config).is_fresh
    store.save(some("camera", config))
    status = store.status("phase-response", config)
    assert (status.state, "measured again" in status.reason) == ("stale", True)


def test_a_child_is_stale_when_its_parent_expires(config: BenchConfig) -> None:
    store = store_at(config)
    parent = some("camera", config, age_h=31 * 24)
    store.save(parent)
    store.save(some("phase-response", config, camera=parent.hash))
    assert "expired" in store.status("phase-response", config).reason


def test_it_is_stale_when_the_bench_file_changes_a_device(config: BenchConfig) -> None:
    store = store_at(config)
    store.save(some("camera", config))
    other = config.model_copy(update={"camera": config.camera.model_copy(update={"address": "another one"})})
    assert store.status("camera", other).state == "stale"


def test_the_newest_counts_even_if_it_failed(config: BenchConfig) -> None:
    store = store_at(config)
    good = some("camera", config, age_h=1)
    store.save(good)
    store.save(replace(some("camera", config), outcome=replace(good.outcome, failures=("no light",))))
    status = store.status("camera", config)
    assert (status.state, status.reason) == ("failed", "no light")


def test_a_lifetime_in_the_bench_file_counts(config: BenchConfig) -> None:
    assert config.calibration is not None
    store = store_at(config)
    store.save(some("camera", config, age_h=2))
    short = config.model_copy(
        update={"calibration": config.calibration.model_copy(update={"lifetime_h": {"camera": 1.0}})}
    )
    assert (store.status("camera", config).state, store.status("camera", short).state) == ("fresh", "expired")


def test_stale_ones_are_used_only_where_that_is_allowed_and_it_is_said(config: BenchConfig) -> None:
    assert config.calibration is not None
    store_at(config).save(some("camera", config, age_h=31 * 24))
    only = config.calibration.model_copy(update={"require": ("camera",)})
    strict = config.model_copy(update={"calibration": only})
    with pytest.raises(UserError, match="camera is expired"):
        calibrated(strict)
    lenient = config.model_copy(update={"calibration": only.model_copy(update={"allow_stale": True})})
    applied = calibrated(lenient).calibration
    assert applied is not None
    assert applied.applied[0].state.startswith("expired")
