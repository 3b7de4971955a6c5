"""What the exponents of a scaling study say, in every view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from labcontrol.theory.scaling import Exponent


class ScalingKind(Enum):
    """How learning time grows with the number of neurons."""

    CANNOT_TELL = auto()
    LINEAR = auto()
    NOT_LINEAR = auto()


@dataclass(frozen=True)
class ScalingVerdict:
    """A kind, and the same in a few words."""

    kind: ScalingKind
    text: str


def scaling_verdict(exponents: Sequence[Exponent | None]) -> ScalingVerdict:
    """Say whether the exponents of the learning time hold the predicted 1, within 95 %.

    An interval that holds 0 as well says nothing.
    """
    known = [exponent for exponent in exponents if exponent is not None]
    if not known:
        return ScalingVerdict(ScalingKind.CANNOT_TELL, "an exponent needs two sizes with two runs each")
    telling = [exponent for exponent in known if not exponent.low <= 0 <= 1 <= exponent.high]
    if not telling:
        return ScalingVerdict(ScalingKind.CANNOT_TELL, "cannot tell yet: the intervals hold 0 as well as 1")
    linear = sum(exponent.low <= 1 <= exponent.high for exponent in telling)
    if linear == len(known):
        return ScalingVerdict(ScalingKind.LINEAR, "● linear in N, within 95 %")
    if not linear:
        return ScalingVerdict(ScalingKind.NOT_LINEAR, "▲ not linear in N within 95 %")
    text = f"linear in N within 95 % in {linear} of {len(known)} cases"
    if linear == len(telling):
        return ScalingVerdict(ScalingKind.LINEAR, f"● {text}, the others cannot tell yet")
    return ScalingVerdict(ScalingKind.NOT_LINEAR, f"▲ {text}")
