"""What every modulator promises, SLM or DMD."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from drivers.interfaces import DeviceNotOpenError, DeviceRefusedError, Modulator, Pattern
from labcontrol.testing.conformance.device import DeviceConformance


def blank(modulator: Modulator) -> Pattern:
    return np.zeros(modulator.shape, dtype=np.uint8)


class ModulatorConformance(DeviceConformance):
    """What every modulator promises, SLM or DMD. A subclass overrides `device`."""

    Role = Modulator

    def test_modulator_describes_itself(self, opened: Modulator) -> None:
        assert min(opened.shape) >= 1
        assert 1 <= opened.bit_depth <= 8
        assert 0 < opened.settle_time_s < 10
        assert opened.max_pattern_rate_hz > 0
        assert opened.max_sequence_length >= 1

    def test_shown_patterns_are_counted_from_one(self, device: Modulator) -> None:
        for _ in range(2):
            with device:
                before_s = device.clock.now_s()
                shown = [device.show(blank(device)) for _ in range(3)]
                assert [s.id for s in shown] == [1, 2, 3]
                times_s = [before_s, *(s.time_s for s in shown), device.clock.now_s()]
                assert times_s == sorted(times_s)

    def test_show_settled_waits_for_the_light(self, opened: Modulator) -> None:
        shown = opened.show_settled(blank(opened))
        assert opened.clock.now_s() - shown.time_s >= opened.settle_time_s * (1 - 1e-9)

    def test_patterns_of_wrong_shape_type_or_level_are_refused_and_not_counted(self, opened: Modulator) -> None:
        rows, columns = opened.shape
        wrong: list[Any] = [
            np.zeros((rows + 1, columns), dtype=np.uint8),
            np.zeros((1, rows, columns), dtype=np.uint8),
            np.zeros((rows, columns), dtype=np.float64),
            np.zeros((rows, columns), dtype=bool),
        ]
        if opened.bit_depth < 8:
            wrong.append(np.full((rows, columns), 2**opened.bit_depth, dtype=np.uint8))
        for pattern in wrong:
            with pytest.raises(DeviceRefusedError):
                opened.show(pattern)
        assert opened.show(blank(opened)).id == 1

    def test_a_closed_modulator_shows_nothing(self, device: Modulator) -> None:
        with device:
            pattern = blank(device)
        for use in (
            lambda: device.show(pattern),
            lambda: device.load_sequence(pattern[None]),
            lambda: device.play(1.0),
        ):
            with pytest.raises(DeviceNotOpenError):
                use()

    def test_sequences_play_or_are_refused(self, opened: Modulator) -> None:
        if opened.max_sequence_length == 1:
            with pytest.raises(DeviceRefusedError):
                opened.load_sequence(blank(opened)[None])
            return
        with pytest.raises(DeviceRefusedError):
            opened.play(opened.max_pattern_rate_hz)
        opened.load_sequence(np.stack([blank(opened)] * 3))
        assert [opened.play(opened.max_pattern_rate_hz).id for _ in range(2)] == [1, 2]
        for rate_hz in (0.0, -1.0, 1.01 * opened.max_pattern_rate_hz, math.nan, math.inf):
            with pytest.raises(DeviceRefusedError):
                opened.play(rate_hz)
        for patterns in (blank(opened), blank(opened)[None][:0], blank(opened)[None, :, :-1]):
            with pytest.raises(DeviceRefusedError):
                opened.load_sequence(patterns)
        longest = opened.max_sequence_length
        with pytest.raises(DeviceRefusedError):
            opened.load_sequence(np.broadcast_to(blank(opened), (longest + 1, *opened.shape)))
