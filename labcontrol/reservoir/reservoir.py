"""The reservoir: replays an input sequence through the bench and returns the outputs of Boolean masks.

phase_i(n+1) = pi (beta I_i(n) + gamma W_i u(n+1)) + theta_i, shown on the SLM; I_i from the camera frame of step n.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.interfaces import DeviceFaultError, DeviceReplyError, DeviceTimeoutError, Frame, Pattern, Samples, Shown
from labcontrol.bench import Bench, NeuronMap, PhaseTable
from labcontrol.bench.response import update_phases
from labcontrol.config import ReservoirConfig
from labcontrol.errors import UserError
from labcontrol.reservoir import markers
from labcontrol.reservoir.proofs import (
    LEAST_NOISE,
    MirrorLevels,
    PatternProof,
    different,
    marker_masks,
    proof_gain,
    same,
)
from labcontrol.reservoir.rehearsal import MOST_VALUES, Rehearsal, Spread, spread_between
from labcontrol.reservoir.results import Preparation, Readout, StepView

Observer = Callable[[StepView], None]
# What may go well when it is tried again at once.
_TRANSIENT = (DeviceTimeoutError, DeviceReplyError)
Seen = tuple[NDArray[np.float64], Frame, NDArray[np.float64]]  # values of the masks, frame, signals of the neurons
T = TypeVar("T")
_FORGOTTEN_SAMPLES = 16  # after which a detector of finite bandwidth knows nothing of the mask before
_PATIENCE = 4  # settle times that a pattern is given when it is under suspicion of being late

# The intensity that the mean over random patterns stands for: that of cos^2 on an evenly lit table.
REFERENCE_INTENSITY = 0.5
_DARK_FRAMES = 4
# Bench clocks count in float seconds; a frame is not early for a rounding error.
_CLOCK_ROUNDING_S = 1e-6


class Reservoir:
    """A square of neurons on an open bench.

    rng: draws input weights, phase offsets and reference patterns.
    between_steps: called before every step; may block (pause) or raise (abort).
    observer: called after every step with what was seen, or None.
    on_signals: called after every step with its index and the neurons' signals (N,) in counts, or None.
    on_retake: told the device and its fault, in words, whenever something is taken again.
    """

    def __init__(self, bench: Bench, config: ReservoirConfig, side: int, rng: np.random.Generator) -> None:
        self._bench = bench
        self._config = config
        self.neurons = side * side
        roi = bench.camera.roi
        self.map = NeuronMap(bench.config.geometry, side, bench.slm.shape, bench.dmd.shape, (roi.rows, roi.columns))
        self._table = PhaseTable(bench.config.response, bench.config.geometry.slm.pitch_px**2)
        dark = self._table.index(np.array([np.pi / 2]))[0]  # the polariser lets nothing through
        self._background = int(self._table.levels[0, dark])
        self.input_weights: NDArray[np.float64] = rng.random(self.neurons)
        second = (rng.permutation(self.neurons) < round(config.phase_share * self.neurons)).astype(np.float64)
        self.offset_rad = np.pi * (config.phase_offset + config.phase_step * second)
        self._reference_phases = rng.random((config.reference_patterns, self.neurons)) * 2 * np.pi
        self._drive_rad = np.pi * config.injection * self.input_weights
        self._phases = np.empty(self.neurons, dtype=np.int64)
        self._dark_pattern = self._pattern(np.full(self.neurons, np.pi / 2))
        self.preparation: Preparation | None = None
        self._proof = PatternProof(0.0, 0.0)
        self._mirror_levels = MirrorLevels(0.0, 0.0)
        self.rehearsal: Rehearsal | None = None
        self._compare: Rehearsal | None = None  # of the replay under way
        self._wrong = False  # it had a pattern that was not shown
        self._last_counter = 0
        self.replays = 0
        self.retaken = 0
        self.between_steps: Callable[[], None] = _nothing
        self.observer: Observer | None = None
        self.on_signals: Callable[[int, NDArray[np.float64]], None] | None = None
        self.on_retake: Callable[[str, str], None] = _not_told

    # --- before a run -------------------------------------------------------------------------------------------
    def prepare(self) -> Preparation:
        """Measure dark level, camera scale, step time, and what a change looks like; switches the laser on.

        Raises UserError when the camera is saturated or sees no light, DeviceFaultError when the SLM does not show what
        it is told to show.
        """
        self._bench.light_off("the dark level is measured")
        dark = np.mean([self._signals(self._dark_pattern)[1] for _ in range(_DARK_FRAMES)], axis=0)
        self._bench.light_on()
        half = self._read_mirrors(np.arange(self.neurons) % 2 == 0)
        started = self._bench.clock.now_s()
        taken, half_levels = [], []
        for phases in (*self._reference_phases, *self._reference_phases):
            taken.append(self._signals(self._pattern(phases)))
            half_levels.append(half().mean())
        step_s = (self._bench.clock.now_s() - started) / len(taken)
        frames, both = [frame for frame, _ in taken], np.array([counts for _, counts in taken]) - dark
        signals, again = np.split(both, 2)
        full_scale = 2**self._bench.camera.bit_depth - 1
        peak_share = max(float(frame.data.max()) for frame in frames) / full_scale
        reference = float(both.mean())
        if any(frame.saturated_share > 0 for frame in frames):
            raise UserError(
                f"The camera is saturated at an exposure of {self._bench.camera.exposure_s * 1e3:g} ms.",
                "Lower camera.exposure_s, camera.gain_db or laser.power_w in the bench file.",
            )
        if reference < float(np.std(dark)) + 1.0:
            raise UserError(
                f"The camera sees no light on the neurons: {reference:.1f} counts with the laser on, "
                f"{float(dark.mean()):.1f} without.",
                "Check laser, shutter, exposure and geometry.camera in the bench file.",
            )
        noises = np.sqrt(np.mean((again - signals) ** 2, axis=1)) / reference
        noise = float(np.median(noises))
        off = self._read_mirrors(np.zeros(self.neurons, dtype=np.bool_))().mean()
        self.preparation = Preparation(
            dark,
            reference,
            peak_share,
            step_s,
            slm_gain=self._proof_gain(signals, reference, noises),
            camera_noise=noise,
            mirrors_off=float(off),
            mirrors_half=float(np.mean(half_levels)),
            mirrors_noise=float(np.sqrt(np.mean(np.diff(np.reshape(half_levels, (2, -1)), axis=0) ** 2) / 2)),
        )
        self._trust(self.preparation)
        return self.preparation

    def _proof_gain(self, signals: NDArray[np.float64], reference: float, noises: NDArray[np.float64]) -> float:
        try:
            return proof_gain(self._table.index(self._reference_phases), signals, reference, noises)
        except ValueError as error:
            raise DeviceFaultError(
                self._bench.slm.name, f"does not show its patterns: {error}.", "Check its line, and its settle time."
            ) from None

    def _trust(self, preparation: Preparation) -> None:
        """Judge what is seen from now on by what was seen before the run."""
        self._proof = PatternProof(preparation.slm_gain, preparation.camera_noise)
        self._mirror_levels = MirrorLevels(preparation.mirrors_off, preparation.mirrors_half, preparation.mirrors_noise)

    def state(self) -> dict[str, Any]:
        """Counters, and what was seen last, that a continued run takes up again."""
        counters = {"replays": self.replays, "retaken": self.retaken, "last_counter": self._last_counter}
        rehearsal = None if self.rehearsal is None else self.rehearsal.state()
        return counters | {"seen": self._proof.state(), "rehearsal": rehearsal}

    def restore(self, state: dict[str, Any], preparation: Preparation) -> None:
        """Continue with the counters and the preparation of an interrupted run."""
        self.replays, self.retaken, self._last_counter = state["replays"], state["retaken"], state["last_counter"]
        self.preparation = preparation
        self._trust(preparation)
        self._proof.restore(state.get("seen"))
        if self.rehearsal is not None and state.get("rehearsal") is not None:
            self.rehearsal.restore(state["rehearsal"])

    def forget(self) -> None:
        """After a fault: the camera may count from the beginning again, and nobody knows what is shown."""
        self._bench.clock.sleep(self._bench.camera.exposure_s)  # one may be under way
        self._bench.camera.discard_frames()
        self._last_counter = 0
        self._proof.forget()

    # --- rehearsal ----------------------------------------------------------------------------------------------
    def rehearse(self, inputs: NDArray[np.float64]) -> NDArray[np.float32]:
        """Replay a sequence (S,) without a mask until it was the same twice; replays of it are compared with it.

        Returns the states (S, N) that the camera saw, none where they are too many to keep. See `Rehearsal`.
        """
        self.rehearsal = self._compare = None
        if len(inputs) * self.neurons > MOST_VALUES:
            return np.empty((0, self.neurons), dtype=np.float32)
        nothing = np.zeros((len(inputs), self.neurons), dtype=np.float32)
        self._compare = Rehearsal(inputs, nothing, Spread(math.inf, math.inf), 0.0)  # nothing is suspicious yet
        before = self._states(inputs)
        for _ in range(self._config.retakes + 1):
            states = self._states(inputs)
            spread = spread_between(before, states)
            self.know(inputs, before, spread)
            if self.rehearsal is None or self.rehearsal.agrees(states):
                break
            self._note_retake(self._bench.slm.name, "may not have shown a pattern: two rehearsals differ")
            before = states
        self.know(inputs, states, spread)
        return states

    def know(self, inputs: NDArray[np.float64], states: NDArray[np.float32], spread: Spread) -> None:
        """Compare replays with states (S, N) seen in an earlier rehearsal. spread: between two replays."""
        if len(states):
            self.rehearsal = Rehearsal(inputs, states, spread, self._noise_counts / 2)  # other phases are noisier

    def _states(self, inputs: NDArray[np.float64]) -> NDArray[np.float32]:
        states = np.empty((len(inputs), self.neurons), dtype=np.float32)
        signals = np.zeros(self.neurons)
        for step, u in enumerate(inputs):
            self.between_steps()
            _, signals = self._step(step, float(u), signals, _unread)
            states[step] = signals
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
        """Replay a sequence and measure masks (B, N).

        inputs: (washout + T,) in about [0, 1]; the outputs of the first `washout` steps are not kept. As many masks as
        the devices allow share one replay.
        """
        masks = np.atleast_2d(masks)
        outputs = np.empty((len(masks), len(inputs) - washout), dtype=np.float32)
        replays = np.empty(len(masks), dtype=np.int64)
        retaken_before = self.retaken
        known = self.rehearsal
        self._compare = known if known is not None and known.covers(inputs) else None
        for start in range(0, len(masks), self.masks_per_replay):
            chunk = slice(start, start + self.masks_per_replay)
            outputs[chunk] = self._proven_replay(masks[chunk], inputs, washout)
            replays[chunk] = self.replays
            self.replays += 1
        return Readout(outputs, replays, self.retaken - retaken_before)

    def _proven_replay(
        self, masks: NDArray[np.bool_], inputs: NDArray[np.float64], washout: int
    ) -> NDArray[np.float32]:
        """Outputs (B, T) of one replay; it begins anew, within the bound, when one of its patterns was not shown.

        Of several patterns that came late in a row the first ones can leave too small a trace to be suspicious.
        """
        for _ in range(self._config.retakes + 1):
            self._wrong = False
            outputs = np.empty((len(masks), len(inputs) - washout), dtype=np.float32)
            read = self._readout_of(masks)
            signals = np.zeros(self.neurons)
            for step, u in enumerate(inputs):
                self.between_steps()
                values, signals = self._step(step, float(u), signals, read)
                if self._wrong:
                    break
                if step >= washout:
                    outputs[:, step - washout] = values
            else:
                return outputs
        raise DeviceFaultError(
            self._bench.slm.name,
            f"did not show one of its patterns in {self._config.retakes + 1} replays in a row.",
            "Check its line and its settle time.",
        )

    def _step(
        self, step: int, u: float, signals: NDArray[np.float64], read: Callable[[], NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        preparation = self._require_preparation()
        feedback_rad = np.pi * self._config.feedback * REFERENCE_INTENSITY / preparation.reference_counts
        update_phases(signals, feedback_rad, self._drive_rad, u, self.offset_rad, self._phases)
        pattern = self.map.slm_pattern(self._phases, self._table.levels, self._background)
        values, frame, signals = self._look(pattern, read)
        known = self._compare
        if (
            known.suspicious(step, signals)
            if known is not None
            else self._proof.suspicious(self._phases, signals, preparation.reference_counts)
        ):
            self._bench.check_light()
            suspect = signals
            values, frame, signals = self._look_again(pattern, read, suspect)
            self._wrong = known is not None and not known.suspicious(step, signals)
        self._proof.remember(self._phases, signals)
        if known is not None:
            known.learn(step, signals)
        if self.on_signals is not None:
            self.on_signals(step, signals)
        if self.observer is not None:
            self.observer(StepView(step, frame, pattern, float(values[0])))
        return values, signals

    def _look(self, pattern: Pattern, read: Callable[[], NDArray[np.float64]], patience: int = 1) -> Seen:
        """Show a pattern and see what comes of it: at the detector, and at the camera.

        patience: how many settle times to wait.
        """
        shown = self._insist(lambda: self._bench.slm.show(pattern))
        self._bench.clock.sleep(patience * self._bench.slm.settle_time_s)
        self._insist(self._bench.camera.trigger)
        values = read()
        frame = self._frame(shown)
        return values, frame, self.map.signals(frame.data) - self._require_preparation().dark_counts

    def _look_again(
        self, pattern: Pattern, read: Callable[[], NDArray[np.float64]], suspect: NDArray[np.float64]
    ) -> Seen:
        """Prove that the SLM shows a pattern: after a dark one the light comes again, and shown once more it stays."""
        preparation = self._require_preparation()
        noise_counts = self._noise_counts
        for _ in range(self._config.retakes + 1):
            self._note_retake(
                self._bench.slm.name, "may not have shown a pattern: the picture is not what it should be"
            )
            dark = self._signals(self._dark_pattern)[1] - preparation.dark_counts
            arriving, seen = (self._look(pattern, read, _PATIENCE) for _ in range(2))
            shown = different(dark, suspect, noise_counts) and different(dark, seen[2], noise_counts)
            if shown and same(arriving[2], seen[2], noise_counts):
                return seen
        raise DeviceFaultError(
            self._bench.slm.name,
            f"does not show its patterns: light and dark look the same, {self._config.retakes + 1} times in a row.",
            "Check its line and its settle time, and whether light reaches it.",
        )

    # --- the readout --------------------------------------------------------------------------------------------
    def _readout_of(self, masks: NDArray[np.bool_]) -> Callable[[], NDArray[np.float64]]:
        """Load masks into the DMD; the returned function measures all of them at one step."""
        dmd, detector, config = self._bench.dmd, self._bench.detector, self._bench.config
        samples = config.detector.samples_per_mask
        if len(masks) == 1:
            return self._readout_of_one(masks[0])

        pattern_rate_hz = min(config.dmd.pattern_rate_hz, config.detector.rate_hz / samples)
        marked = markers.with_markers(masks)
        patterns = self.map.dmd_patterns(marked)
        self._insist(lambda: dmd.load_sequence(patterns))

        def play_and_fetch() -> Samples:
            detector.arm(len(marked) * samples, samples * pattern_rate_hz)
            dmd.play(pattern_rate_hz)
            return detector.fetch(1.0 + len(marked) / pattern_rate_hz)

        # The last samples of a mask are taken when the next one is on already, where the trigger is known to be late.
        late = math.ceil(config.detector.trigger_delay_s * samples * pattern_rate_hz)
        own = max(1, samples - late)

        def fault(data: NDArray[np.float64]) -> str | None:
            noise = (
                math.sqrt(samples) * self._mirror_levels.noise if own == 1 else 0.0
            )  # more of them show it themselves
            return markers.misalignment(data.reshape(len(marked), samples)[:, :own], noise)

        def read_all() -> NDArray[np.float64]:
            trains = self._samples(play_and_fetch, fault).reshape(len(marked), samples)[:, :own]
            means: NDArray[np.float64] = markers.without_markers(trains).mean(axis=1)
            return means

        return read_all

    def _readout_of_one(self, mask: NDArray[np.bool_]) -> Callable[[], NDArray[np.float64]]:
        """The mask is shown, and proven to be shown, with the first reading: in the light of the first step."""
        samples: Callable[[], NDArray[np.float64]] | None = None

        def read_one() -> NDArray[np.float64]:
            nonlocal samples
            if samples is None:
                samples = self._proven_mirrors(mask)
            return np.array([samples().mean()])

        return read_one

    def _proven_mirrors(self, mask: NDArray[np.bool_]) -> Callable[[], NDArray[np.float64]]:
        """Show a mask after a marker, until the detector sees a change.

        Without a change the mask was not shown, or happens to look like the marker: what another marker proves tells.
        """
        levels, unproven = self._mirror_levels, list[NDArray[np.float64]]()
        if not levels.known:
            return self._read_mirrors(mask)
        for marker_mask in itertools.islice(itertools.cycle(marker_masks(mask)), self._config.retakes + 2):
            marker = self._read_mirrors(marker_mask)()
            read = self._read_mirrors(mask)
            seen = read()
            if levels.differ(marker, seen):
                for _ in range(sum(levels.differ(earlier, seen) for earlier in unproven)):
                    self._note_retake(self._bench.dmd.name, "did not show the mask")
                return read
            self._bench.check_light()
            unproven.append(seen)
        raise DeviceFaultError(
            self._bench.dmd.name,
            f"did not show the mask, {len(unproven)} times in a row.",
            "Check its line, and whether its light reaches the detector.",
        )

    def _read_mirrors(self, mask: NDArray[np.bool_]) -> Callable[[], NDArray[np.float64]]:
        """Show a mask; returns what reads it, a few samples at a time."""
        config, pattern = self._bench.config.detector, self.map.dmd_pattern(mask)
        self._insist(lambda: self._bench.dmd.show_settled(pattern))
        self._bench.clock.sleep(_FORGOTTEN_SAMPLES / config.rate_hz)
        return lambda: self._samples(lambda: self._bench.detector.read(config.samples_per_mask, config.rate_hz))

    # --- nothing is used that is not proven good ----------------------------------------------------------------
    def _samples(
        self, take: Callable[[], Samples], fault_of: Callable[[NDArray[np.float64]], str | None] = lambda _: None
    ) -> NDArray[np.float64]:
        """Samples within the detector's range and without fault; others are taken again, within the bound."""
        device, fault, remedy = self._bench.detector.name, "", ""
        for attempt in range(self._config.retakes + 1):
            if attempt:
                self._note_retake(device, fault)
            device = self._bench.detector.name
            try:
                samples = take()
            except _TRANSIENT as error:  # of the DMD, when it was to play
                device, fault = error.device, f"did not do its part ({error.message})"
                remedy = "Check the trigger line from DMD to detector."
            else:
                found = "is overloaded" if samples.overload else fault_of(samples.data)
                if found is None:
                    return samples.data
                fault, remedy = found, "Check trigger line, pattern rate, sampling rate and detector bandwidth."
                if samples.overload:
                    remedy = "Lower laser.power_w or put a filter before the detector."
        raise DeviceFaultError(device, f"{fault}, {self._config.retakes + 1} times in a row.", remedy)

    def _frame(self, shown: Shown, *, may_saturate: bool = False) -> Frame:
        """The frame of the exposure just triggered, proven to be of the pattern shown.

        It must be the next one by the camera's counter, exposed after the pattern had settled, and not saturated.
        Otherwise it is taken again, within the bound.
        """
        camera, slm = self._bench.camera, self._bench.slm
        settled_s = shown.time_s + slm.settle_time_s - _CLOCK_ROUNDING_S
        fault = ""
        for attempt in range(self._config.retakes + 1):
            try:
                if attempt:
                    self._note_retake(camera.name, fault)
                    camera.discard_frames()
                    camera.trigger()
                frame = camera.read()
            except (*_TRANSIENT, DeviceFaultError) as error:
                fault = f"gave no frame ({error.message})"
                continue
            skipped = frame.counter - self._last_counter - 1 if self._last_counter else 0
            self._last_counter = frame.counter
            if skipped == 0 and frame.time_s >= settled_s and (may_saturate or frame.saturated_share == 0):
                return frame
            fault = (
                f"skipped {skipped} frames"
                if skipped > 0
                else "gave an old frame once more"
                if skipped < 0
                else "gave a frame of an earlier pattern"
                if frame.time_s < settled_s
                else f"is saturated in {frame.saturated_share:.2%} of its pixels"
            )
        raise DeviceFaultError(
            camera.name,
            f"{fault}, {self._config.retakes + 1} times in a row.",
            "Check trigger line, exposure and frame rate.",
        )

    def _insist(self, command: Callable[[], T]) -> T:
        """Give a command again when its reply did not come, within the bound.

        A command that was obeyed although its reply was lost does no harm when given twice: a pattern is shown again,
        and a second frame is noticed by its counter or its time.
        """
        for _ in range(self._config.retakes):
            try:
                return command()
            except _TRANSIENT as error:
                self._note_retake(error.device, error.message)
        return command()

    def _note_retake(self, device: str, fault: str) -> None:
        self.retaken += 1
        self.on_retake(device, fault)

    # --- helpers ------------------------------------------------------------------------------------------------
    def _pattern(self, phase_rad: NDArray[np.float64]) -> Pattern:
        return self.map.slm_pattern(self._table.index(phase_rad), self._table.levels, self._background)

    def _signals(self, pattern: Pattern) -> tuple[Frame, NDArray[np.float64]]:
        self.between_steps()
        shown = self._insist(lambda: self._bench.slm.show_settled(pattern))
        self._insist(self._bench.camera.trigger)
        frame = self._frame(shown, may_saturate=True)
        return frame, self.map.signals(frame.data)

    def _require_preparation(self) -> Preparation:
        if self.preparation is None:
            raise RuntimeError("Reservoir.prepare must be called before a replay.")
        return self.preparation


def _not_told(device: str, fault: str) -> None:
    """What is taken again, where nobody wants to know."""


def _unread() -> NDArray[np.float64]:
    """In place of a mask's reading, when no mask is measured."""
    return np.zeros(1)


def _nothing() -> None:
    """Between steps, when nobody asked for anything."""
