"""A simulated table with its five devices opened, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Device, DriverContext, Frame
from mock_devices.camera import SimulatedCamera
from mock_devices.detector import SimulatedDetector
from mock_devices.laser import SimulatedLaser
from mock_devices.modulators import SimulatedDmd, SimulatedSlm
from mock_devices.physics.liquid_crystal import slm_response
from mock_devices.table import SimulatedTable


@dataclass
class Benchtop:
    table: SimulatedTable
    laser: SimulatedLaser
    slm: SimulatedSlm
    camera: SimulatedCamera
    dmd: SimulatedDmd
    detector: SimulatedDetector

    @property
    def response(self) -> NDArray[np.float64]:
        return slm_response(self.table.ground_truth.slm, self.table.ground_truth.laser.wavelength_nm)

    def level(self, phase_rad: float) -> int:
        """The grey level whose phase is nearest."""
        return int(np.argmin(np.abs(np.exp(1j * self.response) - np.exp(1j * phase_rad))))

    def slm_pattern(self, levels: NDArray[Any]) -> NDArray[np.uint8]:
        """A grey level for every cell (rows, columns)."""
        return _enlarged(levels, self.table.ground_truth.slm.pixels_per_cell)

    def dmd_pattern(self, mask: NDArray[Any]) -> NDArray[np.uint8]:
        """A mask (rows, columns) on the mirrors."""
        return _enlarged(mask, self.table.ground_truth.dmd.mirrors_per_cell)

    def settle(self, levels: NDArray[Any] | int) -> None:
        """Show grey levels (rows, columns), or one everywhere, and wait until nothing moves any more."""
        self.slm.show(self.slm_pattern(np.broadcast_to(levels, self.table.ground_truth.cells)))
        self.table.clock.sleep(self.slm.settle_time_s + 60 * self.table.ground_truth.slm.response_time_s)

    def mask(self, mask: NDArray[Any]) -> None:
        self.dmd.show_settled(self.dmd_pattern(mask))

    def power(self, samples: int = 1) -> float:
        """Mean power at the detector."""
        return float(self.detector.read(samples, 1e4).data.mean())

    def snap(self) -> Frame:
        return self.camera.snap()


def _enlarged(cells: NDArray[Any], edge: int) -> NDArray[np.uint8]:
    return np.repeat(np.repeat(np.asarray(cells, dtype=np.uint8), edge, axis=0), edge, axis=1)


def benchtop(emission: bool = True, **options: Any) -> Benchtop:
    """A table with these options; the laser is on and warm unless told otherwise."""
    table = SimulatedTable.from_bench(SimulatedTable.Options(**options))

    def stand(driver: type[Device]) -> Any:
        around = DriverContext(device=driver.role, clock=table.clock, table=table)
        return driver.from_bench("", driver.Options(), around).open()

    devices = (SimulatedLaser, SimulatedSlm, SimulatedCamera, SimulatedDmd, SimulatedDetector)
    bench = Benchtop(table, *(stand(device) for device in devices))
    if emission:
        bench.laser.emission_on()
        table.clock.sleep(4 * bench.laser.warm_up_time_s)
    return bench
