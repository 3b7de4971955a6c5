"""A bench: which device plays which role, and where each neuron lies on each of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from labcontrol.config.section import Section

Pair = tuple[float, float]


class TableEntry(Section):
    """The simulated optical table that the devices of a simulated bench stand on."""

    driver: str = Field("simulated-table", description="name of the table's driver")
    options: dict[str, Any] = Field(default_factory=dict, description="the table's own settings")


class DeviceEntry(Section):
    """One device: driver, address, and the driver's own settings."""

    driver: str = Field(description="name of the driver; 'labcontrol drivers' lists them")
    address: str = Field("", description="where the device is: serial port, VISA resource, serial number, screen")
    options: dict[str, Any] = Field(default_factory=dict, description="the driver's own settings")


class LaserEntry(DeviceEntry):
    power_w: float = Field(gt=0, description="power during a run, in W")
    power_ceiling_w: float | None = Field(
        None,
        gt=0,
        examples=[0.025],
        description="power above which a real laser's guardian switches off, in W; where not set, 1.2 times the power "
        "set",
    )
    power_tolerance: float = Field(
        0.1, gt=0, le=1, description="share by which the power may differ from it before the run pauses"
    )


class CameraEntry(DeviceEntry):
    exposure_s: float = Field(gt=0, description="exposure, in s")
    gain_db: float = Field(0.0, description="gain, in dB")


class DmdEntry(DeviceEntry):
    pattern_rate_hz: float = Field(10_000.0, gt=0, description="rate of masks within a sequence, in Hz")


class DetectorEntry(DeviceEntry):
    rate_hz: float = Field(1e6, gt=0, description="sampling rate, in Hz")
    trigger_delay_s: float = Field(0.0, ge=0, description="from the DMD's trigger to the first sample, in s")
    samples_per_mask: int = Field(16, ge=1, description="samples averaged for one mask at one step")


class GridOnModulator(Section):
    """Neuron (row, column) fills a square of pitch_px pixels that starts at origin_px + pitch_px (row, column)."""

    origin_px: tuple[int, int] = Field((0, 0), description="first pixel (row, column) of the first neuron")
    pitch_px: int = Field(ge=1, description="pixels along the edge of one neuron")


class GridOnDmd(GridOnModulator):
    """As on the SLM; or, where the DMD is turned or shifted, by a matrix: each mirror then shows the nearest neuron."""

    matrix: tuple[Pair, Pair] | None = Field(
        None,
        examples=[((2.0, 0.0), (0.0, 2.0))],
        description="2 x 2 matrix from neurons to mirrors; takes the place of origin_px and pitch_px",
    )
    offset_px: Pair = Field((0.0, 0.0), description="mirror (row, column) at the centre of neuron (0, 0), with matrix")


class GridOnCamera(Section):
    """Centre of neuron (row, column) on the sensor: offset_px + matrix @ (row, column), in pixels (row, column)."""

    matrix: tuple[Pair, Pair] = Field(description="2 x 2 matrix from neurons to pixels")
    offset_px: Pair = Field(description="pixel (row, column) of the centre of neuron (0, 0), distortion left out")
    window_px: int = Field(3, ge=1, description="edge of the square of pixels summed for one neuron; odd")
    distortion_per_px2: float = Field(
        0.0, description="k of the radial distortion: with d the distance from centre_px, d becomes d (1 + k d^2)"
    )
    centre_px: Pair = Field((0.0, 0.0), description="pixel (row, column) at the centre of the distortion")

    @model_validator(mode="after")
    def _odd(self) -> GridOnCamera:
        if self.window_px % 2 == 0:
            raise ValueError(f"window_px should be odd, found {self.window_px}")
        return self


class GeometryConfig(Section):
    """The grid of neurons and its place on each device. Smaller experiments use the middle of the grid."""

    rows: int = Field(ge=1, description="rows of the grid")
    columns: int = Field(ge=1, description="columns of the grid")
    slm: GridOnModulator
    dmd: GridOnDmd
    camera: GridOnCamera


class PhaseResponseConfig(Section):
    """Phase of the SLM at some grey levels, at the laser's wavelength; straight lines in between."""

    levels: tuple[int, ...] = Field(description="grey levels, rising, from the first to the last usable one")
    phase_rad: tuple[float, ...] = Field(description="phase at each of these levels, in rad")

    @model_validator(mode="after")
    def _consistent(self) -> PhaseResponseConfig:
        if len(self.levels) != len(self.phase_rad) or len(self.levels) < 2:
            raise ValueError(
                f"levels and phase_rad should have the same length, at least 2; "
                f"found {len(self.levels)} and {len(self.phase_rad)}"
            )
        if list(self.levels) != sorted(set(self.levels)) or self.levels[0] < 0:
            raise ValueError("levels should rise and not be negative")
        return self


class AppliedCalibration(Section):
    """A calibration that a run uses, as its record names it."""

    kind: str = Field(description="what was calibrated")
    sha256: str = Field(description="hash of the calibration")
    measured: str = Field(description="when, as ISO 8601 in UTC")
    state: str = Field(description="fresh, or why it was used although it was not")
    devices: dict[str, str] = Field(default_factory=dict, description="vendor, model and serial number by role")


class CalibrationConfig(Section):
    """Where the bench's calibrations are kept. With this section they take the place of geometry and response above,
    which are then only where calibration starts from; and no run starts without them.
    """

    store: str = Field(description="folder of calibration files, relative to the bench file")
    require: tuple[str, ...] = Field(
        ("camera", "exposure", "phase-response", "window", "registration", "mirrors"),
        description="what must be calibrated before a run",
    )
    lifetime_h: dict[str, float] = Field(
        default_factory=dict, description="hours a calibration holds, by kind, where not as usual"
    )
    allow_stale: bool = Field(False, description="run although calibrations are expired or stale; the record says so")
    applied: tuple[AppliedCalibration, ...] = Field(
        (), description="filled in by the program in records: the calibrations that were used"
    )


class BenchConfig(Section):
    """A bench file."""

    name: str = Field(description="how the bench is called in records and on screen")
    table: TableEntry | None = Field(None, description="only for simulated benches")
    laser: LaserEntry
    slm: DeviceEntry
    camera: CameraEntry
    dmd: DmdEntry
    detector: DetectorEntry
    geometry: GeometryConfig
    response: PhaseResponseConfig
    calibration: CalibrationConfig | None = Field(None, description="where calibrations are kept")
