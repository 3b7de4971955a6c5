"""What a run came to, in sentences that claim no more than was measured."""

from __future__ import annotations

from labcontrol.analysis.model_curve import interval_text
from labcontrol.analysis.run_outcome import Outcome
from labcontrol.formatting import count, counted, rounded
from labcontrol.records import RunReader


def sentences(run: RunReader, found: Outcome) -> list[str]:
    """A few sentences: how far learning came, what shape it had, and how that compares with what was predicted."""
    if not found.epochs:
        return ["No epoch was measured."]
    parts = (_course(run, found), _ending(run, found), _shape(found), _rate(found), _whole_curve(run, found))
    return [text for text in parts if text]


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
    fits = found.models.fits
    if fits is None:
        return ""
    fit, best, weight = fits["exponential"], fits.best, fits.weights[fits.best.form]
    if best is fit:
        return (
            f"Of exponential, ramp and power law the exponential describes the curve best (weight of evidence "
            f"{weight:.0%}), with a time constant of {interval_text(fit.tau)} epochs and R² = {fit.r_squared:.3f}."
        )
    article = "a" if best.form != "exponential" else "an"
    return (
        f"Of exponential, ramp and power law {article} {best.form} describes the curve best (weight of evidence "
        f"{weight:.0%}, R² = {best.r_squared:.3f}); an exponential reaches R² = {fit.r_squared:.3f}."
    )


def _rate(found: Outcome) -> str:
    """What was predicted, and the verdict; or why nothing was."""
    models = found.models
    told = None if models.pilot is None else models.pilot.prediction
    if told is None or models.pilot is None:
        return models.remark
    facts, exponential, fit = models.pilot.facts, models.curves.get("exponential"), models.curves.get("fit")
    text = (
        f"{count(facts.masks)} masks in {count(facts.replays)} replays, measured before learning, predicted the curve"
    )
    if exponential is not None:
        text += f"; its time constant is {exponential.tau_text} epochs for single runs"
        if fit is not None:
            text += f", the fitted one {fit.tau_text}"
    return f"{text}. Verdict: {models.verdict.text}."


def _whole_curve(run: RunReader, found: Outcome) -> str:
    """What was predicted of the last epoch, and half-way there."""
    predicted, measured = found.models.curves.get("prediction"), found.models.incumbent
    if predicted is None or len(measured) < 2:
        return ""
    last = len(measured) - 1
    half = last // 2
    expected, reached = [rounded(predicted.at(k)) for k in (half, last)], [rounded(measured[k]) for k in (half, last)]
    return (
        f"An {run.loss} of {expected[0]} was predicted for epoch {count(half)} and of {expected[1]} for the last; the "
        f"incumbent had {reached[0]} and {reached[1]}."
    )
