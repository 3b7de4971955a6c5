"""The photodiode: power reflected by the mirrors, and the samples a digitiser makes of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mock_devices.compiled import compiled
from mock_devices.options import TableOptions
from mock_devices.physics.beam import Grid
from mock_devices.physics.light import Light, NodeFluctuation
from mock_devices.physics.mirrors import MirrorArray, Stretch

Values = NDArray[np.float64]


class Readout:
    """Power at the detector for any pattern, as a share of the laser's power.

    Incoherent: throughput R sum (w + (1 - w)/contrast) E^2 / sum E0^2.
    Coherent: throughput R |sum (w + (1 - w)/sqrt(contrast)) (E0 - E) exp(i psi)|^2 / (M sum E0^2), with psi = 0 and
    M = 4 N (one mode that fills the array; all light at most), or psi random and fixed and M = 4.
    w is the share of a cell's mirrors that are on, R their reflectivity.
    """

    def __init__(self, options: TableOptions, light: Light, mirrors: MirrorArray, generator: np.random.Generator):
        self._light = light
        self._coherent = options.readout == "coherent"
        lit = (mirrors.mirrors > 0).astype(np.float64)
        leak = math.sqrt(1 / options.dmd.contrast) if self._coherent else 1 / options.dmd.contrast
        if options.dmd.scatter > 0:
            lit *= np.maximum(0.0, 1 + options.dmd.scatter * generator.standard_normal(lit.size))
        off = leak * lit
        on = (1 - leak) * lit / np.maximum(mirrors.mirrors, 1)
        self._weights = [(on, off)]
        cells = lit.size
        collected = 1.0
        if self._coherent and options.path_phases:
            psi = generator.uniform(0, 2 * np.pi, cells)
            self._weights = [(on * part, off * part) for part in (np.cos(psi), np.sin(psi))]
            collected = 1 / 4
        elif self._coherent:
            collected = 1 / (4 * cells)
        self._factor = collected * options.optics.throughput * options.dmd.reflectivity / light.beam.energy
        self._values = np.empty(cells)

    def levels(self, time_s: float, stretches: list[Stretch], fluctuation: NodeFluctuation | None) -> Values:
        """Power shares (patterns,) of all patterns of some stretches, with the SLM as it is at a time."""
        field = self._light.field(time_s, fluctuation)
        levels = np.zeros(sum(stretch.counts.shape[1] for stretch in stretches))
        illumination = self._light.beam.amplitude(time_s)
        for on, off in self._weights:
            leaked = _signals(field, illumination, self._coherent, on, off, self._values)
            sums = self._sums(leaked, stretches)
            levels += sums * sums if self._coherent else sums
        levels *= self._factor
        return levels

    def _sums(self, leaked: float, stretches: list[Stretch]) -> Values:
        sums = np.full(sum(stretch.counts.shape[1] for stretch in stretches), leaked)
        first = 0
        for stretch in stretches:
            end = first + stretch.counts.shape[1]
            _add_mirrors(stretch.counts, self._values, sums[first:end])
            first = end
        return sums


@compiled
def _signals(field: Grid, illumination: Grid, coherent: bool, on: Values, off: Values, values: Values) -> float:
    """Fill `values` (cells,) with what one mirror that is on adds, and return what all mirrors that are off add.

    The signal of a cell is E^2, or E0 - E where the readout is coherent. on, off: (cells,) weights.
    """
    rows, columns = illumination.shape
    leaked = 0.0
    for r in range(rows):
        for c in range(columns):
            e = np.float64(field[r, c])
            signal = illumination[r, c] - e if coherent else e * e
            i = r * columns + c
            values[i] = signal * on[i]
            leaked += signal * off[i]
    return leaked


@compiled
def _add_mirrors(counts: NDArray[np.uint8], values: Values, sums: Values) -> None:
    """Sums (patterns,) += counts (cells, patterns)^T values (cells,); the order of the sum is fixed."""
    if sums.size == 1:
        total = 0.0
        single = counts.ravel()
        for i in range(values.size):
            total += single[i] * values[i]
        sums[0] += total
        return
    for i in range(values.size):
        value = values[i]
        line = counts[i]
        for k in range(sums.size):
            sums[k] += line[k] * value


@compiled
def sample(
    start_s: float,
    rate_hz: float,
    stretch_starts_s: Values,
    stretch_periods_s: Values,
    stretch_lengths: NDArray[np.int64],
    knots_s: Values,
    levels: Values,
    bandwidth_hz: float,
    samples: Values,
) -> None:
    """Fill the samples of a first-order low-pass that watches patterns change.

    Sample k is taken in the middle of its interval, at start_s + (k + 1/2) / rate_hz. levels: (knots, patterns) power
    of each pattern, of all stretches one after the other, at the times `knots_s`; straight lines in between.
    """
    omega = 2 * np.pi * bandwidth_hz
    stretch = 0
    index = 0
    first = 0
    stretch_count = stretch_starts_s.size
    # Which pattern is on just before the start.
    elapsed = (start_s - stretch_starts_s[0]) / stretch_periods_s[0]
    if elapsed > 0:
        index = min(int(min(elapsed, 1e15)), stretch_lengths[0] - 1)
    knot = 0
    time = start_s
    value = levels[0, index]
    for k in range(samples.size):
        target = start_s + (k + 0.5) / rate_hz
        while True:
            change = np.inf
            if index + 1 < stretch_lengths[stretch]:
                change = stretch_starts_s[stretch] + (index + 1) * stretch_periods_s[stretch]
            next_stretch = stretch + 1 < stretch_count and stretch_starts_s[stretch + 1] <= change
            if next_stretch:
                change = stretch_starts_s[stretch + 1]
            end = min(change, target)
            while knot + 2 < knots_s.size and knots_s[knot + 1] < end:
                knot += 1
            level = levels[knot, first + index]
            if knots_s.size > 1:
                step = (end - knots_s[knot]) / (knots_s[knot + 1] - knots_s[knot])
                level += (levels[knot + 1, first + index] - level) * min(max(step, 0.0), 1.0)
            wait = omega * (end - time)
            value = level if wait > 50 else level + (value - level) * np.exp(-max(wait, 0.0))
            time = max(time, end)
            if change > target:
                break
            if next_stretch:
                first += stretch_lengths[stretch]
                stretch += 1
                index = 0
            else:
                index += 1
        samples[k] = value


@compiled
def add_noise(
    samples: Values, intensity_noise: float, noise_w: float, memory: float, normal: Values, full_scale_w: float
) -> bool:
    """Add relative intensity noise and detector noise; clip at full scale and say whether that was needed.

    normal: (2 samples,) standard normal numbers. memory: correlation of the noise of neighbouring samples, as the
    detector's bandwidth leaves it.
    """
    fresh = np.sqrt(1 - memory * memory)
    last = 0.0
    overload = False
    for k in range(samples.size):
        new = normal[2 * k + 1]
        last = new if k == 0 else memory * last + fresh * new
        samples[k] = samples[k] * (1 + intensity_noise * normal[2 * k]) + noise_w * last
        if samples[k] > full_scale_w:
            samples[k] = full_scale_w
            overload = True
    return overload
