"""Self-test of a table: can it learn, how well, how fast, and at which operating point?"""

from labcontrol.selftest.figures_of_merit import FiguresOfMerit, figures_of_merit, memory_capacity
from labcontrol.selftest.responses import Responses, measure_responses
from labcontrol.selftest.scan import Scan, Trial, scan
from labcontrol.selftest.selftest import Report, selftest

__all__ = [
    "FiguresOfMerit",
    "Report",
    "Responses",
    "Scan",
    "Trial",
    "figures_of_merit",
    "measure_responses",
    "memory_capacity",
    "scan",
    "selftest",
]
