"""The report of a run, and what it is made of."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labcontrol.analysis.report.report_writer import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> object:
    """Import the page with its figures only when one is written; watching a run needs neither."""
    if name == "write_report":
        from labcontrol.analysis.report import report_writer

        return report_writer.write_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
