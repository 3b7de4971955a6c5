"""The reservoir: replays an input sequence through the bench and returns the outputs of Boolean masks.

phase_i(n+1) = pi (beta I_i(n) + gamma W_i u(n+1)) + theta_i, shown on the SLM; I_i from the camera frame of step n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import Frame, Pattern
from labcontrol.bench import Bench, NeuronMap
from labcontrol.config import ReservoirConfig
from labcontrol.reservoir import markers
from labcontrol.reservoir.coupling import Coupling
from labcontrol.reservoir.mask_readout import MaskReadout, Masks, NoMasks
from labcontrol.reservoir.pattern_check import LEAST_NOISE, MirrorLevels, PatternCheck, different, same
from labcontrol.reservoir.pictures import Pictures
from labcontrol.reservoir.precompile import precompile_pictures
from labcontrol.reservoir.preparation import measure_preparation
from labcontrol.reservoir.reference_replay import MOST_VALUES, ReferenceReplay, Spread, spread_between
from labcontrol.reservoir.results import Preparation, Readout, StepView
from labcontrol.reservoir.retries import PATTERN, REPLAY, RejectedError, Retries

Observer = Callable[[StepView], None]
Floats = NDArray[np.float64]

_PATIENCE = 4  # settle times that a pattern is given when it is under suspicion of being late


class Seen(NamedTuple):
    """What one step gave: outputs of the masks (B,), the camera's frame, and the neurons' signals (N,) in counts."""

    values: Floats
    frame: Frame
    signals: Floats


class Reservoir:
    """A square of neurons on an open bench.

    Parameters
    ----------
    bench : Bench
        Open; its laser may be on or off.
    config : ReservoirConfig
        Operating point and retries.
    side : int
        Neurons along an edge.
    rng : Generator
        Draws input weights, phase offsets and reference patterns.

    Notes
    -----
    between_steps: called before every step; may block (pause) or raise (abort).
    observer: called after every step with what was seen, or None.
    on_signals: called after every step with its index and the neurons' signals (N,) in counts, or None.
    retries: counts, and reports, what is tried again.

    What the devices do in a step, in the order of time, is in `_acquire`; which pattern comes next, and how it is
    verified, in `_step`.
    """

    def __init__(self, bench: Bench, config: ReservoirConfig, side: int, rng: np.random.Generator) -> None:
        self._bench = bench
        self.neurons = side * side
        roi = bench.camera.roi
        self.map = NeuronMap(bench.config.geometry, side, bench.slm.shape, bench.dmd.shape, (roi.rows, roi.columns))
        self.retries = Retries(config.retakes)
        self._pictures = Pictures(bench, self.map, self.retries)
        self._readout = MaskReadout(bench, self.map, self.retries)
        self._coupling = Coupling.drawn(config, self.neurons, rng)
        self.input_weights, self.offset_rad = self._coupling.input_weights, self._coupling.offset_rad
        reference_rad = rng.random((config.reference_patterns, self.neurons)) * 2 * np.pi
        self._reference_phases = self._pictures.table.index(reference_rad)
        self._phases = np.empty(self.neurons, dtype=np.int64)
        self._dark = np.zeros(self.neurons)
        self.preparation: Preparation | None = None
        self._pattern_check = PatternCheck(0.0, 0.0)
        self.reference_replay: ReferenceReplay | None = None
        self._compare: ReferenceReplay | None = None  # of the replay under way
        self.replays = 0
        self.between_steps: Callable[[], None] = _nothing
        self.observer: Observer | None = None
        self.on_signals: Callable[[int, NDArray[np.float64]], None] | None = None

    # --- before a run -------------------------------------------------------------------------------------------
    def prepare(self) -> Preparation:
        """Measure dark level, camera scale, step time, and what a change looks like; switches the laser on.

        Returns
        -------
        Preparation
            What was measured.

        Raises
        ------
        UserError
            When the camera is saturated or sees no light.
        DeviceFaultError
            When the SLM does not show what it is told to show.
        DeviceError
            When the laser does not give its light from beginning to end.
        """
        precompile_pictures(self.map)
        self.preparation = measure_preparation(
            self._bench, self._pictures, self._readout, self._reference_phases, self.between_steps
        )
        self._trust(self.preparation)
        return self.preparation

    def _trust(self, preparation: Preparation) -> None:
        """Judge what is seen from now on by what was seen before the run."""
        self._pictures.dark_counts = preparation.dark_counts
        self._pattern_check = PatternCheck(preparation.slm_gain, preparation.camera_noise)
        self._readout.levels = MirrorLevels(
            preparation.mirrors_off, preparation.mirrors_half, preparation.mirrors_noise
        )

    def state(self) -> dict[str, Any]:
        """Counters, and what was seen last, that a continued run takes up again.

        Returns
        -------
        dict
            JSON types and NumPy arrays.
        """
        counters = {
            "replays": self.replays,
            "retaken": self.retries.count,
            "last_counter": self._pictures.last_counter,
        }
        reference = None if self.reference_replay is None else self.reference_replay.state()
        return counters | {"seen": self._pattern_check.state(), "rehearsal": reference}

    def restore(self, state: dict[str, Any], preparation: Preparation) -> None:
        """Continue with the counters and the preparation of an interrupted run.

        Parameters
        ----------
        state : dict
            What `state` gave.
        preparation : Preparation
            Of that run.
        """
        self.replays, self.retries.count = state["replays"], state["retaken"]
        self._pictures.last_counter = state["last_counter"]
        self.preparation = preparation
        self._trust(preparation)
        self._pattern_check.restore(state.get("seen"))
        if self.reference_replay is not None and state.get("rehearsal") is not None:
            self.reference_replay.restore(state["rehearsal"])

    def reset(self) -> None:
        """After a fault: the camera may count from the beginning again, and nobody knows what is shown."""
        self._pictures.reset()
        self._pattern_check.reset()

    # --- reference replay ---------------------------------------------------------------------------------------
    def measure_reference_replay(self, inputs: NDArray[np.float64]) -> NDArray[np.float32]:
        """Replay a sequence without a mask until it was the same twice; replays of it are compared with it.

        Parameters
        ----------
        inputs : ndarray, shape (S,)
            Input sequence, in about [0, 1].

        Returns
        -------
        ndarray of float32, shape (S, N)
            States that the camera saw, none where they are too many to keep. See `ReferenceReplay`.
        """
        self.reference_replay = self._compare = None
        if len(inputs) * self.neurons > MOST_VALUES:
            return np.empty((0, self.neurons), dtype=np.float32)
        nothing = np.zeros((len(inputs), self.neurons), dtype=np.float32)
        self._compare = ReferenceReplay(inputs, nothing, Spread(math.inf, math.inf), 0.0)  # nothing is suspect yet
        before = self._states(inputs)
        for _ in range(self.retries.tries):
            states = self._states(inputs)
            spread = spread_between(before, states)
            self.know(inputs, before, spread)
            if self.reference_replay is None or self.reference_replay.agrees(states):
                break
            self.retries.note(self._bench.slm.name, "may not have shown a pattern: two reference replays differ")
            before = states
        self.know(inputs, states, spread)
        return states

    def know(self, inputs: NDArray[np.float64], states: NDArray[np.float32], spread: Spread) -> None:
        """Compare replays with states seen in an earlier reference replay.

        Parameters
        ----------
        inputs : ndarray, shape (S,)
            Input sequence, in about [0, 1].
        states : ndarray of float32, shape (S, N)
            Counts, dark subtracted.
        spread : Spread
            Between two replays.
        """
        if len(states):
            self.reference_replay = ReferenceReplay(
                inputs, states, spread, self._noise_counts / 2
            )  # other phases are noisier

    def phases_rad(self, inputs: NDArray[np.float64], states: NDArray[np.floating]) -> NDArray[np.float64]:
        """Phases that were shown at every step of a replay.

        Parameters
        ----------
        inputs : ndarray, shape (S,)
            Input sequence, in about [0, 1].
        states : ndarray, shape (S, N)
            Seen in it.

        Returns
        -------
        ndarray, shape (N, S)
            In rad.
        """
        return self._coupling.phases_rad(self._require_preparation().reference_counts, inputs, states)

    def _states(self, inputs: Floats) -> NDArray[np.float32]:
        states = np.empty((len(inputs), self.neurons), dtype=np.float32)
        seen: Seen | None = None
        for step, u in enumerate(inputs):
            self.between_steps()
            seen = self._step(step, float(u), seen, NoMasks())
            states[step] = seen.signals
        return states

    @property
    def _noise_counts(self) -> float:
        """Rms difference of two pictures of one pattern."""
        preparation = self._require_preparation()
        return max(preparation.camera_noise, LEAST_NOISE) * preparation.reference_counts

    # --- replays ------------------------------------------------------------------------------------------------
    @property
    def masks_per_replay(self) -> int:
        """How many masks the DMD can show during each step of one replay; 1 without sequences or a trigger."""
        if not self._bench.detector.has_trigger:
            return 1
        by_detector = self._bench.detector.max_samples // self._bench.config.detector.samples_per_mask
        return max(1, min(self._bench.dmd.max_sequence_length, by_detector) - markers.COUNT)

    def replay(self, masks: NDArray[np.bool_], inputs: NDArray[np.float64], washout: int) -> Readout:
        """Replay a sequence and measure masks. As many as the devices allow share one replay.

        Parameters
        ----------
        masks : ndarray of bool, shape (B, N)
            Mirrors that are on.
        inputs : ndarray, shape (washout + T,)
            In about [0, 1].
        washout : int
            Steps at the beginning whose outputs are not kept.

        Returns
        -------
        Readout
            Outputs (B, T), the replay of each mask, and how often something was tried again.
        """
        masks = np.atleast_2d(masks)
        outputs = np.empty((len(masks), len(inputs) - washout), dtype=np.float32)
        replays = np.empty(len(masks), dtype=np.int64)
        retried_before = self.retries.count
        known = self.reference_replay
        self._compare = known if known is not None and known.covers(inputs) else None
        for start in range(0, len(masks), self.masks_per_replay):
            chunk = slice(start, start + self.masks_per_replay)
            outputs[chunk] = self._one_replay(masks[chunk], inputs, washout)
            replays[chunk] = self.replays
            self.replays += 1
        return Readout(outputs, replays, self.retries.count - retried_before)

    def _one_replay(self, masks: NDArray[np.bool_], inputs: Floats, washout: int) -> NDArray[np.float32]:
        """Outputs (B, T) of one replay; it begins anew, within the bound, when one of its patterns was not shown."""

        def attempt(_again: bool) -> NDArray[np.float32]:
            outputs = np.empty((len(masks), len(inputs) - washout), dtype=np.float32)
            ready = self._readout.prepare(masks)
            seen: Seen | None = None
            for step, u in enumerate(inputs):
                self.between_steps()
                seen = self._step(step, float(u), seen, ready)
                if step >= washout:
                    outputs[:, step - washout] = seen.values
            return outputs

        return self.retries.run(REPLAY, attempt)

    def _step(self, step: int, u: float, before: Seen | None, masks: Masks) -> Seen:
        """One step of the loop: the pattern that follows from the step before, and what is seen of it.

        Raises RejectedError when the step itself turned out well, but the patterns before it cannot have been shown.
        """
        signals = self._dark if before is None else before.signals
        reference_counts = self._require_preparation().reference_counts
        self._coupling.update(signals, reference_counts, u, self._phases)
        pattern = self._pictures.pattern(self._phases)
        seen, known = self._acquire(pattern, masks), self._compare
        wrong = False
        if known is None:
            if self._pattern_check.is_suspect(self._phases, seen.signals, reference_counts):
                seen = self._verify(pattern, masks, suspect=seen.signals)
        else:
            deviations = known.deviations(step, seen.signals)
            if known.is_suspect(step, deviations):
                seen = self._verify(pattern, masks, suspect=seen.signals)
                deviations = known.deviations(step, seen.signals)
                wrong = not known.is_suspect(step, deviations)
            known.learn(step, deviations)
        self._pattern_check.remember(self._phases, seen.signals)
        if self.on_signals is not None:
            self.on_signals(step, seen.signals)
        if self.observer is not None:
            self.observer(StepView(step, seen.frame, pattern, float(seen.values[0])))
        if wrong:
            raise RejectedError(self._bench.slm.name, "")
        return seen

    def _acquire(self, pattern: Pattern, masks: Masks, patience: int = 1) -> Seen:
        """What the devices do in one step, in the order of time. patience: how many settle times to wait.

        Each of them tries again by the rules of `labcontrol.reservoir.retries`.
        """
        shown = self._pictures.show(pattern)
        self._bench.clock.sleep(patience * self._bench.slm.settle_time_s)
        self._pictures.trigger()
        values = masks.read()
        frame = self._pictures.frame(shown)
        return Seen(values, frame, self._pictures.signals(frame))

    def _verify(self, pattern: Pattern, masks: Masks, suspect: Floats) -> Seen:
        """Verify that the SLM shows a pattern: after a dark one the light comes again, and shown once more it stays."""
        self._bench.check_light()
        pictures, noise_counts, slm = self._pictures, self._noise_counts, self._bench.slm.name
        fault = "may not have shown a pattern: the picture is not what it should be"
        self.retries.note(slm, fault)

        def attempt(_again: bool) -> Seen:
            self.between_steps()
            dark = pictures.acquire_settled(pictures.dark_pattern)[1] - pictures.dark_counts
            arriving, seen = (self._acquire(pattern, masks, _PATIENCE) for _ in range(2))
            shown = different(dark, suspect, noise_counts) and different(dark, seen.signals, noise_counts)
            if not (shown and same(arriving.signals, seen.signals, noise_counts)):
                raise RejectedError(slm, fault)
            return seen

        return self.retries.run(PATTERN, attempt)

    def _require_preparation(self) -> Preparation:
        if self.preparation is None:
            raise RuntimeError("Reservoir.prepare must be called before a replay.")
        return self.preparation


def _nothing() -> None:
    """Between steps, when nobody asked for anything."""
