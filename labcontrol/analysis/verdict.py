"""Whether learning does what was predicted of it, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labcontrol.theory.run_prediction import Judgement
from labcontrol.theory.run_prediction import Verdict as VerdictKind

__all__ = ["ASTRAY", "GOOD_FIT", "NO_VERDICT", "Verdict", "VerdictKind", "verdict_of"]

GOOD_FIT = 0.9
"""R² from which on a fitted exponential says something of the curve."""

_TEXTS = {
    VerdictKind.CANNOT_TELL: "cannot tell yet",
    VerdictKind.AS_PREDICTED: "● as predicted",
    VerdictKind.SLOWER: "▲ slower than predicted",
    VerdictKind.FASTER: "▼ faster than predicted",
}

ASTRAY = frozenset({VerdictKind.SLOWER, VerdictKind.FASTER})
"""Verdicts on a run that did not do what was predicted."""


@dataclass(frozen=True)
class Verdict:
    """kind: None where nothing was predicted. text: in a few words; empty then."""

    kind: VerdictKind | None
    text: str


NO_VERDICT = Verdict(None, "")


def verdict_of(judged: Judgement, cause: str = "") -> Verdict:
    """A judgement in words, with its evidence. cause: what may be the reason where it went otherwise."""
    text = _TEXTS[judged.verdict]
    if judged.verdict is VerdictKind.CANNOT_TELL or math.isnan(judged.inside):
        return Verdict(judged.verdict, text)
    text = f"{text}: {judged.inside:.0%} of the epochs in the band"
    return Verdict(judged.verdict, f"{text}; {cause}" if cause and judged.verdict in ASTRAY else text)
