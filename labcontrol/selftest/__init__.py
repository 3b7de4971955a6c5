"""Self-test of a table: can it learn, how well, how fast, and at which operating point?"""

from labcontrol.selftest.figures import Figures, figures_of, memory_capacity
from labcontrol.selftest.looks import Look, look_at
from labcontrol.selftest.scan import Scan, Trial, scan
from labcontrol.selftest.selftest import Report, selftest

__all__ = ["Figures", "Look", "Report", "Scan", "Trial", "figures_of", "look_at", "memory_capacity", "scan", "selftest"]
