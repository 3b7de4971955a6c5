"""What people write in files: experiments and benches, as pydantic models with units, ranges and help texts."""

from labcontrol.config.bench import (
    AppliedCalibration,
    BenchConfig,
    CalibrationConfig,
    CameraEntry,
    DetectorEntry,
    DeviceEntry,
    DmdEntry,
    GeometryConfig,
    GridOnCamera,
    GridOnDmd,
    GridOnModulator,
    LaserEntry,
    PhaseResponseConfig,
    TableEntry,
)
from labcontrol.config.experiment import (
    DriftConfig,
    ExperimentConfig,
    FaultsConfig,
    LearningConfig,
    PredictionConfig,
    ReservoirConfig,
    StopConfig,
    TaskConfig,
)
from labcontrol.config.fault_script import FaultEntry, FaultScript
from labcontrol.config.files import load_bench, load_experiment, load_fault_script
from labcontrol.config.section import Section, user_error
from labcontrol.config.settings_text import settings_from_text

__all__ = [
    "AppliedCalibration",
    "BenchConfig",
    "CalibrationConfig",
    "CameraEntry",
    "DetectorEntry",
    "DeviceEntry",
    "DmdEntry",
    "DriftConfig",
    "ExperimentConfig",
    "FaultEntry",
    "FaultScript",
    "FaultsConfig",
    "GeometryConfig",
    "GridOnCamera",
    "GridOnDmd",
    "GridOnModulator",
    "LaserEntry",
    "LearningConfig",
    "PhaseResponseConfig",
    "PredictionConfig",
    "ReservoirConfig",
    "Section",
    "StopConfig",
    "TableEntry",
    "TaskConfig",
    "load_bench",
    "load_experiment",
    "load_fault_script",
    "settings_from_text",
    "user_error",
]
