"""Law 3: the whole learning curve from the modes of the covariance, without a free parameter.

Boolean coordinate descent on a quadratic error is zero-temperature single-spin dynamics: a visit sets mirror i to what
its field asks. With s = k/N, p_i the probability over runs that mirror i is on, and nu_m the variance over runs of the
amplitude of mode m of C = sum_m lambda_m V_m V_m^T:

- `mse`: the mirror should be on iff F_i = 2 g b_i - C_ii - 2 [(Cw)_i - C_ii w_i] > 0, and
  error = (p C p + sum_m lambda_m nu_m) / g^2 - 2 b.p / g + 1.
- `nmse` falls iff c / sqrt(v) rises, c the covariance of output and target, v the variance of the output's part
  orthogonal to the target, whose covariance is C - b b^T; error = 2 (1 - c / sqrt(c^2 + v)). Exactly, for c > 0 and
  with that C, F_i = (v / c^2) [2 b_i (c - b_i w_i) + b_i^2] - C_ii - 2 [(Cw)_i - C_ii w_i].
- Given its own state, a mirror's field has mean M_i + m_i (w_i - p_i) and variance s_i^2. What other mirrors did to
  balance mirror i is a memory of its state: m_i = 2 (C_ii - S_i / u_i), s_i^2 = 4 (sum_m nu_m lambda_m^2 V_im^2 -
  S_i^2 / u_i), S_i = sum_m nu_m lambda_m V_im^2, u_i = sum_m nu_m V_im^2. So a visit leaves it on with probability
  P1_i = Phi((M_i + m_i (1 - p_i)) / s_i) if it was on, P0_i = Phi((M_i - m_i p_i) / s_i) if it was off.
- dp_i/ds = P0_i + (P1_i - P0_i) q_i - q_i, q_i the state that the mirrors visited now were left in: q = p for uniform
  selection, p at the start of the sweep for cyclic, what a visit did one N ago for greedy selection.
- dnu_m/ds = -2 (1 - h_m + chi_m) nu_m + 2 a n_m. Mirrors answer to the fluctuations they see: chi_m = lambda_m sum_i
  V_im^2 R_i, R_i = 2 [p_i phi(P1) + (1 - p_i) phi(P0)] / s_i, phi at the argument of the probability. The memory
  h_m is P1 - P0 + R_i S_i / u_i averaged over V_im^2. Each flip disturbs the modes it belongs to: n_m = sum_i V_im^2
  [p_i (1 - P1_i) + (1 - p_i) P0_i]. The sum rule sum_m nu_m = sum_i p_i (1 - p_i) sets a.

Detector noise widens s_i by the noise of an error difference. With a stored error the incumbent's noise is selected to
be low: its mean is a further variable, which shifts both thresholds.

Derivation: our own. Time enters as k/N only: where C and b have statistics that do not depend on N, learning time is
proportional to N exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from labcontrol.config import LearningConfig
from labcontrol.errors import UserError
from labcontrol.learning import strategy_facts
from labcontrol.theory.modes import Modes, Start

Floats = NDArray[np.float64]

MEAN_FIELD_SELECTIONS = ("uniform", "cyclic", "greedy")

# Random start masks averaged for nmse, whose early course depends on the sign of the correlation; mse needs none.
_STARTS = 12
_FIRST_STEP = 0.25  # epochs
_STEP_GROWTH = 1.07
_LARGEST_STEP = 0.025  # of N epochs
_STIFF_MODES = 12  # advanced implicitly: they answer within single epochs
_SMALL = 1e-12
_NORMAL = 1 / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class MeanFieldCurve:
    """A predicted learning curve: epochs (K,), error as the incumbent is held to have, and without noise, both (K,)."""

    epochs: Floats
    errors: Floats
    true_errors: Floats

    def at(self, epochs: NDArray[np.integer] | Floats) -> Floats:
        """Error held after `epochs` (M,); the last known one beyond the end."""
        return np.interp(epochs, self.epochs, self.errors)


def mean_field(
    modes: Modes,
    learning: LearningConfig,
    *,
    epochs: int,
    start: Start | None = None,
    noise_std: float = 0.0,
) -> MeanFieldCurve:
    """Predict the mean learning curve.

    modes: for the loss that `learning` names. start: default any mask with the initial share. noise_std: of one output
    sample, in the unit of the output. Raises UserError for a selection rule the law does not know.
    """
    selection = strategy_facts(learning).selection
    if selection not in MEAN_FIELD_SELECTIONS:
        raise UserError(
            f"The mean-field law has no form for the selection rule {selection!r}.",
            f"It knows {', '.join(MEAN_FIELD_SELECTIONS)}; the twin knows all rules.",
        )
    if modes.projected != (learning.loss == "nmse"):
        raise ValueError(f"the modes were made for the other error, not for {learning.loss}")
    if start is not None:
        chosen = [start]
    elif modes.projected:
        rng = np.random.default_rng(0)
        masks = [rng.random(modes.neurons) < learning.initial_share for _ in range(_STARTS)]
        chosen = [modes.mask_start(mask) for mask in masks]
    else:
        chosen = [modes.random_start(learning.initial_share)]
    # In units of the gain: whatever is compared with a small number must not depend on the unit of the output.
    gain = modes.gain
    modes = _scaled(modes, gain)
    curves = [_Descent(modes, learning, one, noise_std / gain).run(epochs / modes.neurons) for one in chosen]
    return MeanFieldCurve(
        curves[0][0], np.mean([c[1] for c in curves], axis=0), np.mean([c[2] for c in curves], axis=0)
    )


def _scaled(modes: Modes, unit: float) -> Modes:
    return replace(
        modes,
        gain=modes.gain / unit,
        strengths=modes.strengths / unit**2,
        variances=modes.variances / unit**2,
        overlaps=modes.overlaps / unit,
    )


class _Descent:
    """The equations of the module, advanced in time."""

    def __init__(self, modes: Modes, learning: LearningConfig, start: Start, noise_std: float) -> None:
        self.modes = modes
        self.noise_variance = noise_std**2
        facts = strategy_facts(learning)
        self.stored = not facts.remeasured
        self.selection = facts.selection
        self.weights = modes.vectors**2
        # What the known modes leave of each mirror, and how many null modes there are.
        self.null_weights = np.maximum(1 - self.weights.sum(axis=1), 0.0)
        self.nulls = modes.neurons - len(modes.strengths)
        self.on = start.mask.copy()
        uncertain = 0.0 if start.known else float(np.mean(self.on * (1 - self.on)))
        self.mode_variance = np.full(len(modes.strengths), uncertain)
        self.null_variance = uncertain
        self.luck = 0.0  # mean noise of the stored error
        self.visited = _Visited(self.selection, self.on)

    def run(self, duration: float) -> tuple[Floats, Floats, Floats]:
        """Epochs, held and true errors up to `duration` in units of N epochs."""
        times, held, true = [], [], []
        step, s = _FIRST_STEP / self.modes.neurons, 0.0
        while True:
            self._observe()
            times.append(s)
            true.append(self.error)
            held.append(self.measured_error + self.luck)
            if s >= duration:
                return np.array(times) * self.modes.neurons, np.array(held), np.array(true)
            step = min(step * _STEP_GROWTH, _LARGEST_STEP)
            taken = min(step, duration - s, self.visited.until_sweep_ends(s))
            self._advance(s, taken)
            s = duration if duration - s - taken < _SMALL else s + taken

    def _observe(self) -> None:
        """Moments of the output, the errors, and the scale that turns fields into error differences."""
        m = self.modes
        amplitudes = m.vectors.T @ self.on
        self.field = m.vectors @ (m.strengths * amplitudes)
        v = max(float(amplitudes @ (m.strengths * amplitudes)) + float(m.strengths @ self.mode_variance), 0.0)
        c = float(m.overlaps @ self.on)
        noise = self.noise_variance
        if m.projected:
            c = c if abs(c) > _SMALL else _SMALL
            noisy = v + noise
            self.ratio, self.covariance = noisy / c**2, c
            self.error = 2 * (1 - c / math.sqrt(c**2 + v))
            self.measured_error = 2 * (1 - c / math.sqrt(c**2 + noisy))
            self.unit = c**2 * (1 + self.ratio) ** 1.5
            self.error_variance = 4 * noise * self.ratio / (1 + self.ratio) / ((c**2 + noisy) * m.steps)
        else:
            self.unit = m.gain**2
            self.error = v / self.unit - 2 * c / m.gain + 1
            self.measured_error = self.error + noise / self.unit
            self.error_variance = (4 * self.error + 2 * noise / self.unit) * noise / (self.unit * m.steps)

    def _mean_field(self) -> Floats:
        """M_i."""
        m, p = self.modes, self.on
        rest = m.variances + 2 * (self.field - m.variances * p)
        if not m.projected:
            return 2 * m.gain * m.overlaps - rest
        c, b = self.covariance, m.overlaps
        if c > 0:
            return self.ratio * (2 * b * (c - b * p) + b**2) - rest
        return rest - 2 * self.ratio * c * b  # an anticorrelated output is improved by more variance, too

    def _advance(self, s: float, ds: float) -> None:
        m, p, w = self.modes, self.on, self.weights
        direction = -1.0 if m.projected and self.covariance <= 0 else 1.0
        own = np.maximum(w @ self.mode_variance + self.null_variance * self.null_weights, _SMALL)
        shared = w @ (self.mode_variance * m.strengths)
        spread = 4 * (w @ (self.mode_variance * m.strengths**2) - shared**2 / own)
        spread = np.maximum(spread, 1e-6 * m.variances**2 + _SMALL**2)  # a mirror is never sharper than its own size
        spread = np.sqrt(spread + self.unit**2 * self.error_variance * (1 if self.stored else 2))
        memory = 2 * direction * (m.variances - shared / own)
        mean, shift = self._mean_field(), self.unit * self.luck
        z_off = (mean - memory * p + shift) / spread
        z_on = (mean + memory * (1 - p) - shift) / spread
        to_on, stays_on = ndtr(z_off), ndtr(z_on)
        density_off, density_on = _NORMAL * np.exp(-(z_off**2) / 2), _NORMAL * np.exp(-(z_on**2) / 2)
        response = np.zeros_like(p) if direction < 0 else 2 * (p * density_on + (1 - p) * density_off) / spread

        left = self.visited.left_in(s, p)
        set_to = to_on + (stays_on - to_on) * left
        change = self._implicit(set_to - left, response, ds)
        self.visited.note(s, set_to)
        flips = p * (1 - stays_on) + (1 - p) * to_on
        kept = np.clip(stays_on - to_on + response * shared / own, 0.0, 1.0)
        if self.stored and self.noise_variance > 0:
            odds = float(np.mean(flips))
            gain = self.unit * self.error_variance * np.mean(((1 - p) * density_off + p * density_on) / spread)
            # Every acceptance replaces the luck: a rate per epoch, fast on the scale of N epochs.
            self.luck = (self.luck - m.neurons * ds * float(gain)) / (1 + m.neurons * ds * odds)
        self.on = np.clip(p + change, 0.0, 1.0)
        self._fluctuate(flips, kept, response, ds)

    def _implicit(self, change: Floats, response: Floats, ds: float) -> Floats:
        """Step of p, the answer of the strongest modes taken at its end: (1 + ds R C)^-1 by Woodbury's identity."""
        vectors = self.modes.vectors[:, :_STIFF_MODES]
        inner = np.diag(1 / self.modes.strengths[:_STIFF_MODES]) + ds * (vectors.T * response) @ vectors
        return ds * (change - ds * response * (vectors @ np.linalg.solve(inner, vectors.T @ change)))

    def _fluctuate(self, flips: Floats, kept: Floats, response: Floats, ds: float) -> None:
        """Advance nu, the disturbance set by the sum rule."""
        m, w = self.modes, self.weights
        null_total = max(float(np.sum(self.null_weights)), _SMALL)
        rate = np.maximum(1 - w.T @ kept + m.strengths * (w.T @ response), 1e-6)
        null_rate = max(1 - float(self.null_weights @ kept) / null_total, 1e-6)
        disturbance = w.T @ flips
        null_disturbance = float(self.null_weights @ flips) / null_total
        before = float(np.sum(self.mode_variance)) + self.nulls * self.null_variance
        after = float(np.sum(self.on * (1 - self.on)))
        loss = float(np.sum(rate * self.mode_variance)) + self.nulls * null_rate * self.null_variance
        scale = max((after - before) / (2 * ds) + loss, 0.0)
        scale /= max(float(np.sum(disturbance)) + self.nulls * null_disturbance, _SMALL)
        settled, null_settled = scale * disturbance / rate, scale * null_disturbance / null_rate
        self.mode_variance = settled + (self.mode_variance - settled) * np.exp(-2 * rate * ds)
        self.null_variance = null_settled + (self.null_variance - null_settled) * math.exp(-2 * null_rate * ds)
        total = float(np.sum(self.mode_variance)) + self.nulls * self.null_variance
        if total > 0:
            self.mode_variance *= after / total
            self.null_variance *= after / total


class _Visited:
    """q_i: the state in which the mirrors that are visited now were left by their last visit."""

    def __init__(self, selection: str, start: Floats) -> None:
        self._selection = selection
        self._start = start.copy()
        self._sweep_end = 1.0 if selection == "cyclic" else math.inf
        self._times: list[float] = []
        self._set_to: list[Floats] = []
        self._oldest = 0

    def until_sweep_ends(self, s: float) -> float:
        return self._sweep_end - s if self._sweep_end - s > _SMALL else math.inf

    def left_in(self, s: float, now: Floats) -> Floats:
        if self._selection == "uniform":
            return now
        if self._selection == "cyclic":
            if s >= self._sweep_end - _SMALL:
                self._sweep_end += 1.0
                self._start = now.copy()
            return self._start
        if s < 1:
            return self._start
        while self._oldest + 1 < len(self._times) and self._times[self._oldest + 1] <= s - 1:
            self._set_to[self._oldest] = np.empty(0)  # no longer needed
            self._oldest += 1
        return self._set_to[self._oldest]

    def note(self, s: float, set_to: Floats) -> None:
        if self._selection == "greedy":
            self._times.append(s)
            self._set_to.append(set_to)
