"""One hidden table, calibrated once for all tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest
from hidden_tables import calibrate, hidden_table

from labcontrol.calibration import Calibration
from labcontrol.config import BenchConfig


@pytest.fixture(scope="session")
def calibrated_table(tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchConfig, dict[str, Calibration]]:
    """Its bench file and everything measured on it."""
    config = hidden_table(tmp_path_factory.mktemp("calibrations"), 11)
    return config, calibrate(config)


@pytest.fixture
def config(tmp_path: Path) -> BenchConfig:
    """A hidden table of its own, nothing measured yet."""
    return hidden_table(tmp_path / "calibrations", 3)
