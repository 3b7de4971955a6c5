"""Precompiling in the dark: what the reservoir computes while there is light is compiled before.

The first use of a compiled loop after an update of the program takes up to some seconds, and may keep all threads
waiting for longer than the guardian of a laser waits for a heartbeat.
"""

from __future__ import annotations

import numpy as np

from labcontrol.bench import NeuronMap
from labcontrol.bench.response import update_phases
from labcontrol.reservoir.pattern_check import pattern_gain
from labcontrol.reservoir.reference_replay import spread_between

_NEURONS = 16


def precompile_pictures(neuron_map: NeuronMap) -> None:
    """Draw a mask and judge pictures, of random numbers."""
    neuron_map.dmd_pattern(np.zeros(neuron_map.side**2, dtype=bool))
    signals = np.random.default_rng(0).random((3, _NEURONS))
    phases = np.zeros((3, _NEURONS), dtype=np.int64)
    for picture, index in zip(signals, phases, strict=True):
        update_phases(picture, 1.0, picture, 0.5, picture, index)
    pattern_gain(phases, signals, 1.0, np.zeros(3))
    replay = signals.astype(np.float32)
    spread_between(replay, replay)
