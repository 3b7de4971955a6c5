"""The closed loop SLM, camera, SLM, and its Boolean readout."""

from labcontrol.reservoir.reference_replay import Spread
from labcontrol.reservoir.reservoir import Reservoir
from labcontrol.reservoir.results import Preparation, Readout, StepView

__all__ = ["Preparation", "Readout", "Reservoir", "Spread", "StepView"]
