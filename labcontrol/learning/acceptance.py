"""When a candidate mask becomes the incumbent.

One comparison serves every run; what differs is the error the incumbent is held to have. `stored` keeps the error
measured when the incumbent was accepted: one measurement an epoch, but with a noisy detector a luckily low error stays
and learning freezes. `re-measured` measures the incumbent again beside each candidate: two measurements an epoch, and
luck does not last.
"""

from __future__ import annotations

from labcontrol.compiled import compiled

ACCEPTANCES: dict[str, str] = {
    "stored": "compare with the error measured when the incumbent was accepted",
    "re-measured": "measure the incumbent again beside each candidate and compare with that",
}


@compiled
def accept(candidate_error: float, incumbent_error: float) -> bool:
    """The candidate replaces the incumbent only if its error is strictly lower; an error that is NaN never does."""
    return candidate_error < incumbent_error
