"""The light between laser and devices: fields of the cells behind the SLM, their intensity at the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mock_devices.options import NodeNoise, TableOptions
from mock_devices.physics.beam import Beam, Grid, couple, coupling_kernel
from mock_devices.physics.diode import LaserDiode
from mock_devices.physics.liquid_crystal import LiquidCrystal


@dataclass(frozen=True)
class NodeFluctuation:
    """One draw of the node noise: field -> field * factor + addend, each a number or (rows, columns)."""

    factor: float | NDArray[np.float64]
    addend: float | NDArray[np.float64]


class Light:
    """Fields and intensities of the cells, relative to a cell with E0 = 1; both last until the next call."""

    def __init__(
        self, options: TableOptions, laser: LaserDiode, crystal: LiquidCrystal, generator: np.random.Generator
    ) -> None:
        rows, columns = self.cells = options.cells
        self.laser = laser
        self.crystal = crystal
        self.beam = Beam(options.optics, options.cells, generator)
        self.kernel = coupling_kernel(options.optics.kernel_size, options.optics.kernel_decay_cells, generator)
        self._kernel_real = np.ascontiguousarray(self.kernel.real)
        self._kernel_imaginary = np.ascontiguousarray(self.kernel.imag)
        self._halo = options.optics.kernel_size // 2
        self._field: Grid = np.zeros((rows + 2 * self._halo, columns + 2 * self._halo), dtype=np.float32)
        self._inside = self._field[self._halo : self._halo + rows, self._halo : self._halo + columns]
        self._intensity: Grid = np.zeros((rows + 2, columns + 2), dtype=np.float32)
        self._node_noise = options.node_noise
        self._noisy = options.noise > 0 and options.node_noise != NodeNoise()
        self._noise = options.noise

    def fluctuation(self, generator: np.random.Generator) -> NodeFluctuation | None:
        """A new draw of the node noise; none where it is off."""
        if not self._noisy:
            return None
        n = self._node_noise
        normal = generator.standard_normal
        factor = n.multiplicative_correlated * normal() + n.multiplicative_uncorrelated * normal(self.cells)
        addend = n.additive_correlated * normal() + n.additive_uncorrelated * normal(self.cells)
        return NodeFluctuation(1 + self._noise * factor, self._noise * addend)

    def field(self, time_s: float, fluctuation: NodeFluctuation | None) -> Grid:
        """Fields (rows, columns) of the cells behind the polariser."""
        self.crystal.field(time_s, self.beam.amplitude(time_s), self._field, self._halo)
        if fluctuation is not None:
            self._inside *= fluctuation.factor
            self._inside += fluctuation.addend
        return self._inside

    def intensity(self, time_s: float, fluctuation: NodeFluctuation | None) -> Grid:
        """Intensities (rows + 2, columns + 2) at the camera, with a dark cell all around."""
        self.field(time_s, fluctuation)
        couple(self._field, self._kernel_real, self._kernel_imaginary, self._intensity)
        return self._intensity
