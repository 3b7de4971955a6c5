"""Devices opened in the dark, one after the other: who each is, how it is, what it can do, how fast it answers."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from drivers.interfaces import Camera, Detector, Device, DeviceError, Identity, Laser, Modulator
from labcontrol.bench.bench import Bench
from labcontrol.bench.geometry import NeuronMap
from labcontrol.errors import UserError
from labcontrol.formatting import counted, power, rounded

log = logging.getLogger(__name__)

TRIES = 20
_LONGEST_S = 2.0  # slow devices are tried less often


@dataclass(frozen=True)
class Latency:
    """How long one thing took, by the clock of the bench: a power reading, a pattern, a frame, a detector reading.

    times_s: each time, in s.
    """

    what: str
    times_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        return statistics.median(self.times_s)


@dataclass
class Finding:
    """What was found out about one device; more of it, the further it came.

    state: its own words. facts: limits and settings. problems: what stands in the way of a run; empty when all is well.
    """

    role: str
    identity: Identity | None = None
    state: str = ""
    facts: list[str] = field(default_factory=list)
    latency: Latency | None = None
    problems: list[str] = field(default_factory=list)


@dataclass
class Examination:
    """All devices of a bench, and what only several of them show together.

    step_s: time of one step of a replay: settling, then exposure and readout or what a frame took when that is longer;
    None where SLM or camera did not open.
    """

    findings: list[Finding] = field(default_factory=list)
    together: list[str] = field(default_factory=list)
    step_s: float | None = None

    @property
    def passed(self) -> bool:
        return not self.together and not any(finding.problems for finding in self.findings)

    def measured_s(self, what: str) -> float:
        """Median time of a pattern, a frame or a reading, in s; 0 where none was measured."""
        taken = [finding.latency for finding in self.findings if finding.latency is not None]
        return max((latency.median_s for latency in taken if latency.what == what), default=0.0)


def examine(bench: Bench, on_progress: Callable[[str], None], tries: int = TRIES) -> Examination:
    """Open and examine every device of a bench that is not opened, with the laser dark; all are closed afterwards.

    on_progress: called with what is being done. A device that fails does not keep the others from being examined.
    """
    examination = Examination()
    try:
        for role, device in bench.devices.items():
            on_progress(f"{role}: opening {getattr(bench.config, role).driver}")
            examination.findings.append(_examine(bench, role, device, on_progress, tries))
        if bench.slm.is_open and bench.camera.is_open:
            stated_s = bench.config.camera.exposure_s + bench.camera.readout_time_s
            examination.step_s = bench.slm.settle_time_s + max(stated_s, examination.measured_s("frame"))
        examination.together += _misfits(bench)
    finally:
        on_progress("closing")
        _close(bench)
    return examination


def _examine(bench: Bench, role: str, device: Device, on_progress: Callable[[str], None], tries: int) -> Finding:
    finding = Finding(role)
    try:
        device.open()
        finding.identity = device.identity
        status = device.status()
        finding.state = status.summary
        if not status.ok:
            finding.problems.append(f"reports: {status.summary}")
        if device.conditions:
            settings = (
                f"{name.replace('_', ' ')} {value:g}"
                if isinstance(value, float)
                else f"{name.replace('_', ' ')} {value}"
                for name, value in device.conditions.items()
            )
            finding.facts.append(f"its settings: {', '.join(settings)}")
        on_progress(f"{role}: measuring how fast it answers")
        _by_kind(bench, device, finding, tries)
    except Exception as error:  # also of drivers that break their word: the others are still to be examined
        log.debug("examining %s", role, exc_info=True)
        finding.problems.append(_words(role, error))
    return finding


def _by_kind(bench: Bench, device: Device, finding: Finding, tries: int) -> None:
    config = bench.config
    if isinstance(device, Laser):
        _laser(device, finding, config.laser.power_w)
        finding.latency = _timed(bench, "power reading", lambda: device.power_w, tries)
    elif isinstance(device, Modulator):
        _modulator(device, finding)
        dark = np.zeros(device.shape, dtype=np.uint8)
        finding.latency = _timed(bench, "pattern", lambda: device.show(dark), tries)
    elif isinstance(device, Camera):
        _camera(device, finding, config.camera.exposure_s, config.camera.gain_db)
        frame = device.snap()
        top = 2**device.bit_depth - 1
        finding.facts.append(
            f"without light: {rounded(float(frame.data.mean()))} of {top} counts, {frame.data.max()} at most"
        )
        finding.latency = _timed(bench, "frame", device.snap, tries)
    elif isinstance(device, Detector):
        entry = config.detector
        _detector(device, finding, entry.rate_hz, entry.samples_per_mask)
        if not finding.problems:
            finding.latency = _timed(
                bench, "reading", lambda: device.read(entry.samples_per_mask, entry.rate_hz), tries
            )


def _laser(laser: Laser, finding: Finding, power_w: float) -> None:
    low, high = laser.power_limits_w
    finding.facts += [
        f"{power(low)} to {power(high)}; {power(power_w)} in a run",
        f"interlock {'closed' if laser.interlock_closed else 'open'}, warm after {laser.warm_up_time_s:g} s",
    ]
    if laser.emission:
        finding.problems.append("emits although it was told not to: switch it off at its key")
    if not laser.interlock_closed and not finding.problems:
        finding.problems.append("its interlock is open")
    if not low <= power_w <= high:
        finding.problems.append(f"laser.power_w is {power(power_w)}, it takes {power(low)} to {power(high)}")


def _modulator(modulator: Modulator, finding: Finding) -> None:
    rows, columns = modulator.shape
    finding.facts.append(f"{columns} x {rows} pixels of {modulator.bit_depth} bit")
    finding.facts.append(f"obeys after {1e3 * modulator.settle_time_s:.3g} ms")
    if modulator.max_sequence_length > 1:
        finding.facts.append(
            f"sequences of {modulator.max_sequence_length} patterns, up to {_hertz(modulator.max_pattern_rate_hz)}"
        )
    wrong = {"slm": modulator.bit_depth < 2, "dmd": modulator.bit_depth != 1}
    if wrong[finding.role]:
        finding.problems.append(f"has {modulator.bit_depth} bit a pixel: are slm and dmd swapped?")


def _camera(camera: Camera, finding: Finding, exposure_s: float, gain_db: float) -> None:
    (shortest, longest), (low, high) = camera.exposure_limits_s, camera.gain_limits_db
    roi, (rows, columns) = camera.roi, camera.sensor_shape
    finding.facts += [
        f"{roi.columns} x {roi.rows} of {columns} x {rows} pixels of {camera.bit_depth} bit",
        f"exposure {shortest:.3g} to {longest:.3g} s, gain {low:g} to {high:g} dB; {exposure_s:g} s and {gain_db:g} dB "
        "in a run",
    ]
    camera.exposure_s, camera.gain_db = exposure_s, gain_db  # refused where they are outside
    readings = camera.status().values
    if "frame_rate_hz" in readings:
        finding.facts.append(
            f"says it reaches {_hertz(float(readings['frame_rate_hz']))} with this region and exposure"
        )
    if "link_bytes_per_s" in readings:
        finding.facts.append(f"its line carries {float(readings['link_bytes_per_s']) / 1e6:.4g} MB/s")


def _detector(detector: Detector, finding: Finding, rate_hz: float, samples: int) -> None:
    trigger = "with" if detector.has_trigger else "without"
    finding.facts += [
        f"up to {_hertz(detector.max_rate_hz)}, {trigger} trigger",
        f"{counted(samples, 'sample')} at {_hertz(rate_hz)} for a mask",
    ]
    if rate_hz > detector.max_rate_hz:
        finding.problems.append(f"detector.rate_hz is {rate_hz:g}, it takes {detector.max_rate_hz:.4g} at most here")
    if samples > detector.max_samples:
        finding.problems.append(f"detector.samples_per_mask is {samples}, it takes {detector.max_samples} at most")


def _misfits(bench: Bench) -> list[str]:
    """What is wrong with the geometry, where all three devices that it is about are open."""
    if not (bench.slm.is_open and bench.dmd.is_open and bench.camera.is_open):
        return []
    geometry, roi = bench.config.geometry, bench.camera.roi
    side = min(geometry.rows, geometry.columns)
    try:
        NeuronMap(geometry, side, bench.slm.shape, bench.dmd.shape, (roi.rows, roi.columns))
    except (UserError, DeviceError) as error:
        return [str(error)]
    return []


def _timed(bench: Bench, what: str, action: Callable[[], object], tries: int) -> Latency:
    """Once without looking at the clock, then as often as asked for or as fits into a short while."""
    action()
    times_s: list[float] = []
    while len(times_s) < tries and sum(times_s) < _LONGEST_S:
        start_s = bench.clock.now_s()
        action()
        times_s.append(bench.clock.now_s() - start_s)
    return Latency(what, tuple(times_s))


def _hertz(rate_hz: float) -> str:
    scale, unit = next(((s, u) for s, u in ((1e6, "MHz"), (1e3, "kHz")) if rate_hz >= s), (1.0, "Hz"))
    return f"{rate_hz / scale:.4g} {unit}"


def _words(role: str, error: Exception) -> str:
    if isinstance(error, DeviceError | UserError):
        return str(error).removeprefix(f"{role}: ")
    return f"unexpected {type(error).__name__}: {error}"


def _close(bench: Bench) -> None:
    """Every device, whatever becomes of the others."""
    for role, device in reversed(bench.devices.items()):
        try:
            device.close()
        except Exception:
            log.exception("%s did not close properly", role)
    bench.close()
