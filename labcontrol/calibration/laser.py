"""Laser: how it warms up, how it drifts, and how much it fluctuates, seen by the detector.

The power after emission starts is ``P (1 - w exp(-t / tau)) (1 + d t)``: a share w is missing at first, d is the slow
drift that is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from labcontrol.calibration.context import CalibrationContext
from labcontrol.calibration.procedure import Figure, Procedure
from labcontrol.calibration.readout import levels_for_detector, steady_power
from labcontrol.calibration.result import Calibration, Outcome, Quantity

Values = NDArray[np.float64]

_POINTS = 240
_SHORTEST_S, _LONGEST_S = 20.0, 1800.0
_STABLE = 1e-3
_LARGEST_DRIFT_A_MINUTE = 2e-3


def measure(context: CalibrationContext) -> Outcome:
    """Emission off and on again, then the power over twice the stated warm-up time."""
    bench = context.bench
    context.light_on()
    _, bright = levels_for_detector(context)
    context.show(context.uniform(bright))
    context.light_off()
    offset = steady_power(context)
    watched_s = float(np.clip(2 * bench.laser.warm_up_time_s, _SHORTEST_S, _LONGEST_S))
    bench.clock.sleep(min(5.0, bench.laser.warm_up_time_s))
    context.light_on(warm=False)
    started_s = bench.clock.now_s()
    times_s, power = [], []
    for k in range(_POINTS):
        power.append(steady_power(context) - offset)
        times_s.append(bench.clock.now_s() - started_s)
        bench.clock.sleep((k + 1) * watched_s / _POINTS - (bench.clock.now_s() - started_s))
        context.progress(k + 1, _POINTS)
    return evaluate(context, np.array(times_s), np.array(power))


def evaluate(context: CalibrationContext, times_s: Values, power: Values) -> Outcome:
    """Fit of the model of this module."""
    final = float(np.median(power[-len(power) // 4 :]))
    if final <= 0:
        q = Quantity(final, final, final, "W", "power at the detector")
        return Outcome({"power_w": q}, {}, {}, ("the detector sees no light from the laser",))
    relative = power / final

    def model(p: Values) -> Values:
        values: Values = p[0] * (1 - p[1] * np.exp(-times_s / np.exp(p[2]))) * (1 + p[3] * times_s)
        return values

    def residual(p: Values) -> Values:
        return model(p) - relative

    start = np.array([1.0, max(1e-4, 1 - float(relative[0])), np.log(max(1.0, times_s[-1] / 10)), 0.0])
    found = least_squares(residual, start, x_scale=[1, 0.01, 1, 1e-5])
    jacobian = np.asarray(found.jac)
    variance = float(np.sum(found.fun**2)) / max(1, len(power) - 4)
    errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(jacobian.T @ jacobian)), 0) * variance)
    _, share, log_tau, drift = found.x
    noise = float(np.std(np.diff(relative)) / np.sqrt(2))
    tau = float(np.exp(log_tau))
    warm = max(0.0, tau * float(np.log(max(abs(share) / _STABLE, 1.0))))
    seen = abs(share) > 3 * errors[1]
    stated = context.bench.laser.warm_up_time_s
    quantities = {
        "warm_up_share": Quantity.normal(share, errors[1], "", "power missing when emission starts"),
        "stable_after_s": Quantity.normal(
            warm, warm * float(errors[2]) if seen else 0.0, "s", "until 0.1 % of the power is missing"
        ),
        "drift_per_min": Quantity.normal(60 * drift, 60 * errors[3], "1/min", "slow change of the power that is left"),
        "fluctuation": Quantity.normal(noise, noise / np.sqrt(2 * len(power)), "", "rms from one reading to the next"),
    }
    if seen:
        quantities["warm_up_tau_s"] = Quantity.normal(tau, tau * errors[2], "s", "time constant of the warm-up")
    failures, notices = [], []
    if abs(60 * drift) - 2 * 60 * errors[3] > _LARGEST_DRIFT_A_MINUTE:
        failures.append(f"the power drifts by {60 * drift:.2%} a minute; let the laser warm up, then measure again")
    if warm > stated * 1.1 + 1:
        notices.append(f"the laser needs {warm:.0f} s to be stable, its driver waits {stated:.0f} s")
    arrays = {"times_s": times_s, "power_w": power, "fitted_w": model(found.x) * final}
    return Outcome(quantities, arrays, {}, tuple(failures), tuple(notices))


def draw(calibration: Calibration, figure: Figure) -> None:
    """Power against time with its fit."""
    arrays = calibration.outcome.arrays
    axes = figure.subplots()
    axes.plot(arrays["times_s"], 1e3 * arrays["power_w"], ".", ms=3, label="measured")
    axes.plot(arrays["times_s"], 1e3 * arrays["fitted_w"], "-", label="fit")
    axes.legend()
    axes.set(xlabel="time since emission started (s)", ylabel="power at the detector (mW)", title="warm-up and drift")


PROCEDURE = Procedure(
    "laser",
    "Laser: warm-up, drift, fluctuation",
    "The image goes dark and comes back, then stands still while the laser warms up.",
    ("laser", "detector"),
    ("detector",),
    7 * 24,
    measure,
    draw,
)
