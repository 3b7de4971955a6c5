"""Settings of the simulated table: what stands on it and how well it behaves."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from drivers.interfaces import DriverOptions

Pair = tuple[float, float]
Matrix = tuple[Pair, Pair]
Shape = tuple[int, int]


class LaserOptions(DriverOptions):
    """A laser diode. Light out is proportional to the set power, up to warm-up, drift and noise."""

    wavelength_nm: float = Field(661.0, ge=400, le=1100, description="wavelength, in nm")
    max_power_w: float = Field(0.05, gt=0, le=1, description="largest power that can be set, in W")
    power_w: float = Field(0.02, ge=0, le=1, description="power set when the laser is delivered, in W")
    warm_up_share: float = Field(0.01, ge=0, le=0.5, description="share of the power missing at switch-on")
    warm_up_time_s: float = Field(30.0, ge=0, le=7200, description="time until 0.25 % of that share is missing, in s")
    drift_share: float = Field(0.0, ge=0, le=0.5, description="amplitude of the slow power drift, share of the power")
    drift_period_s: float = Field(1800.0, gt=0, le=1e6, description="period of the slow power drift, in s")
    intensity_noise: float = Field(
        5e-5, ge=0, le=0.5, description="relative intensity noise, rms of one exposure or sample"
    )


class SlmOptions(DriverOptions):
    """A liquid-crystal phase modulator between polarisers.

    Phase at grey level g, with s = g/255 and P = 2 pi stroke_nm / wavelength_nm::

        phase = P (s + bow s (1 - s)) + ripple_rad sin(2 pi ripple_periods s)

    A pattern arrives `latency_s` after it is sent, is taken over at the next refresh, and every pixel then follows
    exponentially with `response_time_s`.
    """

    pixels_per_cell: int = Field(4, ge=1, le=64, description="edge of one cell, in pixels")
    origin_px: Shape = Field((0, 0), description="first pixel (row, column) of cell (0, 0)")
    shape: Shape | None = Field(None, description="rows and columns of pixels; by default just the cells")
    stroke_nm: float = Field(727.1, gt=0, le=3000, description="optical path difference at level 255, in nm")
    bow: float = Field(0.08, ge=-0.5, le=0.5, description="bow of the response, see above")
    ripple_rad: float = Field(0.05, ge=0, le=0.3, description="ripple of the response, in rad")
    ripple_periods: float = Field(3.0, ge=0, le=10, description="periods of the ripple over all levels")
    refresh_hz: float = Field(60.0, ge=1, le=2000, description="refresh rate, in Hz")
    latency_s: float = Field(1e-3, ge=0, le=1, description="from sending a pattern until it can be refreshed, in s")
    response_time_s: float = Field(3e-3, ge=0, le=1, description="time constant of the crystal, in s; 0 for none")
    settled_residual: float = Field(
        1e-3, gt=0, le=0.1, description="share of a phase step still missing after the stated settle time"
    )
    flicker: float = Field(1e-4, ge=0, le=0.05, description="amplitude of the phase flicker, share of the phase")
    flicker_hz: float = Field(117.3, gt=0, le=1e4, description="frequency of the flicker, in Hz")


class OpticsOptions(DriverOptions):
    """Beam and diffractive coupling."""

    beam_waist: float = Field(
        1.5, gt=0, le=100, description="radius where the field is 1/e, in half diagonals of the cell grid"
    )
    beam_centre: Pair = Field((0.0, 0.0), description="centre of the beam from the grid's centre, in cells")
    pointing_drift_cells: float = Field(0.0, ge=0, le=100, description="amplitude of the slow beam pointing, in cells")
    pointing_period_s: float = Field(3600.0, gt=0, le=1e6, description="period of the slow beam pointing, in s")
    kernel_size: int = Field(7, ge=1, le=15, description="edge of the coupling kernel, in cells; odd")
    kernel_decay_cells: float = Field(
        2.0, gt=0, le=100, description="distance at which the coupled amplitude falls to 1/e, in cells"
    )
    throughput: float = Field(0.1, gt=0, le=1, description="share of the laser's power that reaches the DMD at most")

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size should be odd, found {self.kernel_size}")
        return self


class CameraOptions(DriverOptions):
    """An area camera that sees the diffracted light of the cells."""

    pitch_px: float = Field(4.0, ge=1, le=64, description="distance of two cells on the sensor, in pixels")
    rotation_deg: float = Field(0.5, ge=0, le=45, description="rotation of the grid on the sensor, in degrees")
    margin_px: int = Field(6, ge=2, le=1000, description="dark pixels around the grid")
    matrix: Matrix | None = Field(None, description="cell -> pixel matrix; by default from pitch and rotation")
    offset_px: Pair | None = Field(None, description="pixel (row, column) of cell (0, 0); by default from the margin")
    sensor_shape: Shape | None = Field(None, description="rows and columns; by default just grid and margin")
    distortion: float = Field(0.0, ge=-0.1, le=0.1, description="radial distortion at half a sensor diagonal, share")
    blur_px: float = Field(0.7, ge=0, le=32, description="rms radius of the blur, in pixels")
    bit_depth: Literal[8, 10, 12] = Field(12, description="bits per pixel")
    full_well_e: float = Field(100_000.0, ge=100, le=1e6, description="electrons of a full pixel")
    read_noise_e: float = Field(8.0, ge=0, le=1000, description="rms read noise, in electrons")
    shot_noise: bool = Field(True, description="whether light comes in photons")
    dark_level: int = Field(16, ge=0, le=200, description="counts of a dark pixel")
    electrons_per_joule: float = Field(
        4.6e8, gt=0, le=1e12, description="electrons a pixel collects per joule of laser light at unit cell intensity"
    )
    exposure_s: float = Field(2e-3, ge=2e-5, le=1, description="exposure when the camera is delivered, in s")
    readout_time_s: float = Field(4e-3, ge=0, le=1, description="from the end of the exposure to the frame, in s")
    buffer_frames: int = Field(16, ge=1, le=1000, description="frames kept until read; further ones are lost")
    drop_share: float = Field(0.0, ge=0, le=1, description="share of frames that get lost")


class DmdOptions(DriverOptions):
    """A micromirror array that picks the cells the detector sees."""

    mirrors_per_cell: int = Field(2, ge=1, le=15, description="edge of one cell, in mirrors")
    matrix: Matrix | None = Field(None, description="cell -> mirror matrix; by default mirrors_per_cell times one")
    offset_px: Pair | None = Field(None, description="mirror (row, column) at the centre of cell (0, 0)")
    shape: Shape | None = Field(None, description="rows and columns of mirrors; by default just the cells")
    contrast: float = Field(1000.0, ge=2, le=1e9, description="power of a mirror that is on over one that is off")
    reflectivity: float = Field(0.85, gt=0, le=1, description="share of the light reflected by a mirror that is on")
    scatter: float = Field(0.0, ge=0, le=1, description="rms of what cells' mirrors reflect, share of the reflectivity")
    latency_s: float = Field(2e-4, ge=0, le=1, description="from a command until the mirrors have moved, in s")
    max_pattern_rate_hz: float = Field(10_000.0, ge=1, le=1e5, description="fastest rate of a sequence, in Hz")
    max_sequence_length: int = Field(4096, ge=1, le=100_000, description="patterns that one sequence may hold")
    load_time_s: float = Field(1e-4, ge=0, le=1, description="time to load one pattern of a sequence, in s")


class DetectorOptions(DriverOptions):
    """A photodiode with amplifier and digitiser that sees all light from the DMD."""

    full_scale_w: float = Field(2e-3, gt=0, le=10, description="largest power that can be measured, in W")
    noise: float = Field(1e-5, ge=0, le=0.5, description="rms noise of one sample, share of full scale")
    offset_w: float = Field(0.0, ge=-10, le=10, description="reading without light, in W")
    offset_drift_w_per_h: float = Field(0.0, ge=-10, le=10, description="change of that in an hour, in W")
    bandwidth_hz: float = Field(4e5, ge=1, le=1e9, description="-3 dB bandwidth, in Hz")
    max_rate_hz: float = Field(1e6, ge=1, le=1e9, description="fastest sampling rate, in Hz")
    max_samples: int = Field(1_000_000, ge=1, le=100_000_000, description="most samples of one acquisition")
    trigger_delay_s: float = Field(0.0, ge=0, le=1, description="from the DMD's trigger to the first sample, in s")


class NodeNoise(DriverOptions):
    """Noise of the cells' field amplitudes, in units of the brightest cell's; new for each exposure and acquisition.

    The four kinds of Semenova et al., Fundamental aspects of noise in analog-hardware neural networks
    (arXiv 1907.09002): additive or multiplicative, one value for all cells (correlated) or one for each.
    """

    additive_uncorrelated: float = Field(0.0, ge=0, le=1, description="rms, one value per cell")
    additive_correlated: float = Field(0.0, ge=0, le=1, description="rms, one value for all cells")
    multiplicative_uncorrelated: float = Field(0.0, ge=0, le=1, description="rms, one factor per cell")
    multiplicative_correlated: float = Field(0.0, ge=0, le=1, description="rms, one factor for all cells")


class TableOptions(DriverOptions):
    """The simulated optical table.

    The table is a grid of `rows` x `columns` cells; a neuron is a cell. Where cell (row, column) lies, counted from
    (0, 0), with pixel centres at whole numbers:

    - SLM: it fills the square of ``slm.pixels_per_cell`` pixels that starts at
      ``slm.origin_px + slm.pixels_per_cell * (row, column)``.
    - DMD: its centre is at mirror ``dmd.matrix @ (row, column) + dmd.offset_px``. By default it fills the square of
      ``dmd.mirrors_per_cell`` mirrors that starts at ``dmd.mirrors_per_cell * (row, column)``.
    - Camera: its centre is at pixel ``camera.matrix @ (row, column) + camera.offset_px``. With p = ``pitch_px``,
      a = ``rotation_deg`` and m = ``margin_px`` the default matrix is p ((cos a, -sin a), (sin a, cos a)), the
      default offset (m + p sin(a) (columns - 1), m).

    `slm_response` of `mock_devices.physics.liquid_crystal` computes phase against grey level (see SlmOptions).
    """

    rows: int = Field(12, ge=1, le=2000, description="rows of cells")
    columns: int = Field(12, ge=1, le=2000, description="columns of cells")
    seed: int = Field(1, ge=0, description="seed of everything random: coupling phases and all noise")
    clock: Literal["virtual", "real"] = Field("virtual", description="time passes by waiting only, or really")
    readout: Literal["incoherent", "coherent"] = Field(
        "incoherent", description="detector adds powers sum w x, or fields |sum w (E0 - E)|^2"
    )
    path_phases: bool = Field(False, description="coherent readout only: every cell has a random phase of its own")
    noise: float = Field(1.0, ge=0, le=1000, description="factor on the size of every noise and of the flicker")
    misalignment_seed: int | None = Field(
        None, ge=0, description="where given, the table differs from these settings in ways that must be measured"
    )
    laser: LaserOptions = LaserOptions()
    slm: SlmOptions = SlmOptions()
    optics: OpticsOptions = OpticsOptions()
    camera: CameraOptions = CameraOptions()
    dmd: DmdOptions = DmdOptions()
    detector: DetectorOptions = DetectorOptions()
    node_noise: NodeNoise = NodeNoise()

    @property
    def cells(self) -> Shape:
        return self.rows, self.columns

    @property
    def slm_shape(self) -> Shape:
        """Rows and columns of SLM pixels."""
        edge, (row, column) = self.slm.pixels_per_cell, self.slm.origin_px
        return self.slm.shape or (row + edge * self.rows, column + edge * self.columns)

    @property
    def dmd_shape(self) -> Shape:
        """Rows and columns of mirrors."""
        edge = self.dmd.mirrors_per_cell
        return self.dmd.shape or (edge * self.rows, edge * self.columns)

    @property
    def dmd_matrix(self) -> Matrix:
        edge = float(self.dmd.mirrors_per_cell)
        return self.dmd.matrix or ((edge, 0.0), (0.0, edge))

    @property
    def dmd_offset_px(self) -> Pair:
        centre = (self.dmd.mirrors_per_cell - 1) / 2
        return self.dmd.offset_px or (centre, centre)

    @property
    def camera_matrix(self) -> Matrix:
        if self.camera.matrix is not None:
            return self.camera.matrix
        along, across = self._camera_steps
        return (along, -across), (across, along)

    @property
    def camera_offset_px(self) -> Pair:
        if self.camera.offset_px is not None:
            return self.camera.offset_px
        margin = self.camera.margin_px
        return margin + self._camera_steps[1] * (self.columns - 1), float(margin)

    @property
    def sensor_shape(self) -> Shape:
        """Rows and columns of camera pixels."""
        if self.camera.sensor_shape is not None:
            return self.camera.sensor_shape
        along, across = self._camera_steps
        rows, columns = self.rows - 1, self.columns - 1
        border = 2 * self.camera.margin_px + 1
        return math.ceil(along * rows + across * columns) + border, math.ceil(along * columns + across * rows) + border

    @property
    def _camera_steps(self) -> Pair:
        angle = math.radians(self.camera.rotation_deg)
        return self.camera.pitch_px * math.cos(angle), self.camera.pitch_px * math.sin(angle)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        edge, (row, column) = self.slm.pixels_per_cell, self.slm.origin_px
        need = (row + edge * self.rows, column + edge * self.columns)
        if min(row, column) < 0 or need[0] > self.slm_shape[0] or need[1] > self.slm_shape[1]:
            raise ValueError(f"slm.shape should be at least {need} to hold the cells, found {self.slm_shape}")
        if self.laser.power_w > self.laser.max_power_w:
            raise ValueError(f"laser.power_w should be at most {self.laser.max_power_w}, found {self.laser.power_w}")
        (a, b), (c, d) = self.camera_matrix
        pitch = math.sqrt(abs(a * d - b * c))
        if self.camera.blur_px > pitch / 2:
            raise ValueError(
                f"camera.blur_px should be at most half a cell ({pitch / 2:g}), found {self.camera.blur_px}"
            )
        return self
