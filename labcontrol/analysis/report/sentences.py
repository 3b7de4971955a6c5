"""What a run came to, in sentences that claim no more than was measured."""

from __future__ import annotations

from labcontrol.analysis.model_curve import interval_text
from labcontrol.analysis.run_outcome import Outcome
from labcontrol.analysis.verdict import VerdictKind
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
    prediction, fit, judged = models.curves.get("prediction"), models.curves.get("fit"), models.verdict
    if prediction is None or models.law is None:
        return models.remark
    text = (
        f"{prediction.name} from {len(models.law.mirrors)} single flips: a time constant of "
        f"{prediction.tau_text or '∞'} epochs"
    )
    if fit is not None and judged.kind in (VerdictKind.AS_PREDICTED, VerdictKind.FASTER, VerdictKind.SLOWER):
        text += f"; the fitted one is {fit.tau_text}"
    return f"{text}. Verdict: {judged.text}."


def _whole_curve(run: RunReader, found: Outcome) -> str:
    """What Law 3 expected of the last epoch, and half-way there."""
    law3, measured = found.models.curves.get("mean-field"), found.models.incumbent
    if law3 is None or len(measured) < 2:
        return ""
    last = len(measured) - 1
    half = last // 2
    expected, reached = [rounded(law3.at(k)) for k in (half, last)], [rounded(measured[k]) for k in (half, last)]
    return (
        f"{law3.name}, expected from the same flips an {run.loss} of {expected[0]} at epoch {count(half)} and "
        f"{expected[1]} at the last; the incumbent had {reached[0]} and {reached[1]}."
    )
