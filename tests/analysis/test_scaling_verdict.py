"""What exponents say: the interval decides, and one that holds 0 as well as 1 decides nothing."""

from __future__ import annotations

import pytest

from labcontrol.analysis.scaling_verdict import ScalingKind, scaling_verdict
from labcontrol.theory.scaling import Exponent

LINEAR, SLOWER, WIDE = Exponent(1.0, 0.9, 1.1, 1.0), Exponent(0.5, 0.4, 0.6, 1.0), Exponent(0.55, -0.11, 1.21, 1.0)


@pytest.mark.parametrize(
    ("exponents", "kind", "words"),
    [
        ([LINEAR, LINEAR], ScalingKind.LINEAR, "● linear in N, within 95 %"),
        ([SLOWER], ScalingKind.NOT_LINEAR, "not linear"),
        ([LINEAR, SLOWER], ScalingKind.NOT_LINEAR, "in 1 of 2 cases"),
        ([WIDE, WIDE], ScalingKind.CANNOT_TELL, "cannot tell yet"),
        ([WIDE, LINEAR], ScalingKind.LINEAR, "1 of 2 cases, the others cannot tell yet"),
        ([WIDE, SLOWER], ScalingKind.NOT_LINEAR, "not linear"),
        ([None], ScalingKind.CANNOT_TELL, "two sizes with two runs"),
        ([], ScalingKind.CANNOT_TELL, "two sizes"),
    ],
)
def test_the_verdict_is_that_of_the_intervals(exponents: list[Exponent | None], kind: ScalingKind, words: str) -> None:
    judged = scaling_verdict(exponents)
    assert judged.kind is kind
    assert words in judged.text
