"""Reports of runs: one page that holds everything, made from the record alone."""

from labcontrol.report.write import write_report

__all__ = ["write_report"]
