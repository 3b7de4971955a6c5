"""How long replays take on real devices, and how many masks a step has room for.

A step: the SLM shows a pattern and settles; then the camera exposes and is read out while the DMD plays its sequence
and the detector samples it. Masks cost time only beyond what the camera needs anyway.
"""

from __future__ import annotations

import math

from pydantic import Field

from labcontrol.config import Section
from labcontrol.reservoir.markers import COUNT


class TimingProfile(Section):
    """Rates of a set-up. The defaults: SLM 60 Hz, DMD 10 kHz, detector 1 MS/s."""

    slm_settle_s: float = Field(
        0.0384, gt=0, description="from sending a pattern until the light obeys: a 60 Hz refresh and the crystal"
    )
    exposure_s: float = Field(2e-3, ge=0, description="exposure of the camera, in s")
    readout_s: float = Field(4e-3, ge=0, description="from the end of the exposure to the frame, in s")
    dmd_rate_hz: float = Field(10_000.0, gt=0, description="masks a second within a sequence")
    dmd_load_s: float = Field(1e-4, ge=0, description="time to load one mask into the DMD, once a replay")
    detector_rate_hz: float = Field(1e6, gt=0, description="samples a second")
    samples_per_mask: int = Field(16, ge=1, description="samples averaged for one mask")

    @property
    def mask_rate_hz(self) -> float:
        """Masks a second: what DMD and detector both keep up with."""
        return min(self.dmd_rate_hz, self.detector_rate_hz / self.samples_per_mask)

    @property
    def free_masks(self) -> int:
        """Masks that fit beside the camera's exposure and readout, and beside their markers, at no cost in time."""
        return max(1, math.floor((self.exposure_s + self.readout_s) * self.mask_rate_hz) - COUNT)

    def step_s(self, masks: int) -> float:
        """Time of one step with so many masks and, where there are several, the markers around them."""
        shown = masks + COUNT if masks > 1 else 1
        return self.slm_settle_s + max(self.exposure_s + self.readout_s, shown / self.mask_rate_hz)

    def replay_s(self, masks: int, steps: int) -> float:
        """Time of one replay of so many steps, washout included; loading of the masks included."""
        shown = masks + COUNT if masks > 1 else 1
        return shown * self.dmd_load_s + steps * self.step_s(masks)

    def masks_s(self, masks: int, masks_per_replay: int, steps: int) -> float:
        """Time to measure so many masks in as many replays as they need."""
        full, rest = divmod(masks, masks_per_replay)
        return full * self.replay_s(masks_per_replay, steps) + (self.replay_s(rest, steps) if rest else 0.0)
