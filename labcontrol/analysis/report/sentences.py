"""What a run came to, in sentences that claim no more than was measured."""

from __future__ import annotations

from labcontrol.analysis.report.outcome import Outcome
from labcontrol.formatting import count, counted, rounded
from labcontrol.records import RunReader

_GOOD_FIT = 0.9
_WIDEST = 1e4  # ratio of the ends of an interval that says something

Interval = tuple[float, float, float]


def with_interval(value: Interval) -> str:
    """A value and the ends of its 95 % interval; one that spans orders of magnitude is not worth its ends."""
    middle, low, high = map(rounded, value)
    if low == high:  # known exactly
        return middle
    if value[1] > 0 and value[2] / value[1] > _WIDEST:
        return f"{middle} (not determined)"
    return f"{middle} ({low} to {high})"


def sentences(run: RunReader, found: Outcome) -> list[str]:
    """A few sentences: how far learning came, what shape it had, and how that compares with what was predicted."""
    if not found.epochs:
        return ["No epoch was measured."]
    told = (_course(run, found), _ending(run, found), _shape(found), _rate(run, found), _whole_curve(run, found))
    return [text for text in told if text]


def _course(run: RunReader, found: Outcome) -> str:
    so_far = " so far" if run.state.name == "running" else ""
    start, end, loss = found.start_error, found.error, run.loss
    epochs = counted(found.epochs, "epoch")
    if start is None or end is None:
        return f"{epochs} measured{so_far}; no mask became the incumbent."
    if not end < start:
        return (
            f"Over {epochs}{so_far} the {loss} of the training part did not fall below its start of {rounded(start)}."
        )
    fall = f"; 95\u00a0% of the fall came in the first {count(found.fall_epoch)}" if found.fall_epoch else ""
    return (
        f"Over {epochs} in {counted(found.replays, 'replay')}{so_far} the {loss} of the training part fell from "
        f"{rounded(start)} to {rounded(end)}{fall}."
    )


def _ending(run: RunReader, found: Outcome) -> str:
    if found.test is not None:
        return f"Measured once more after learning, the final mask has a test nmse of {rounded(found.test['nmse'])}."
    if found.train is not None:
        return f"Measured once more after learning, the final mask has an nmse of {rounded(found.train['nmse'])}."
    return "" if run.state.name == "running" else "The run ended before its final mask could be measured once more."


def _shape(found: Outcome) -> str:
    fits, fit = found.curves.fits, found.curves.fit
    if fits is None or fit is None:
        return ""
    best, weight = fits.best, fits.weights[fits.best.form]
    if best is fit:
        return (
            f"Of exponential, ramp and power law the exponential describes the curve best (weight of evidence "
            f"{weight:.0%}), with a time constant of {with_interval(fit.tau)} epochs and R² = {fit.r_squared:.3f}."
        )
    article = "a" if best.form != "exponential" else "an"
    return (
        f"Of exponential, ramp and power law {article} {best.form} describes the curve best (weight of evidence "
        f"{weight:.0%}, R² = {best.r_squared:.3f}); an exponential reaches R² = {fit.r_squared:.3f}."
    )


def _rate(run: RunReader, found: Outcome) -> str:
    """Fitted against predicted time constant, where Law 2 speaks of this run and the fit is good enough to compare."""
    curves = found.curves
    law, fit, predicted = curves.law, curves.fit, curves.predicted_tau
    if law is None or fit is None or predicted is None:
        return ""
    learning = run.experiment.get("learning", {})
    said = f"Law 2 predicted a time constant of {with_interval(predicted)} epochs from {len(law.mirrors)} pilot flips"
    if fit.r_squared < _GOOD_FIT:
        return f"{said}; the curve is no exponential to compare it with."
    selection = learning.get("selection")
    holds = "" if selection == "uniform" else f" (it speaks of uniform selection, this run selects {selection})"
    ratio = fit.tau[0] / predicted[0]
    agrees = fit.tau[1] <= predicted[2] and predicted[1] <= fit.tau[2]
    verdict = "the intervals overlap" if agrees else "the intervals do not overlap"
    return f"{said}{holds}; the fitted one is {rounded(ratio)} times that, and {verdict}."


def _whole_curve(run: RunReader, found: Outcome) -> str:
    """What Law 3 expected of the last epoch, and half-way there."""
    law3, measured = found.curves.law3, found.curves.measured
    if law3 is None or len(law3) < 2:
        return ""
    half = len(law3) // 2
    return (
        f"Law 3 expected from the same flips an {run.loss} of {rounded(law3[half])} at epoch {count(half)} and "
        f"{rounded(law3[-1])} at the last; the incumbent had {rounded(measured[half])} and {rounded(measured[-1])}."
    )
