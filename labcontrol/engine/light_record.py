"""Every change of the light goes on record, also one that the guardian made when this program was gone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from labcontrol.bench import Bench
from labcontrol.guardian import Transition, read_journal
from labcontrol.records import RecordWriteError, RunWriter

log = logging.getLogger(__name__)

LEVEL = "laser"
"""Level of these lines in the record's log."""


@contextmanager
def recorded_light(bench: Bench, writer: RunWriter) -> Iterator[None]:
    """Keep a record of the laser's changes, and end dark."""

    def keep(transition: Transition) -> None:
        log.info("laser %s: %s", transition.state, transition.reason)
        try:
            writer.log(LEVEL, f"{transition.state}: {transition.reason}")
        except RecordWriteError as error:
            log.error("a change of the laser is not on record: %s", error)

    journal = laser_journal(writer.path)
    _take_in(journal, writer)
    bench.light.listener = keep
    bench.light.keep_journal(journal)
    try:
        yield
    finally:
        try:
            bench.light_off("the run is over")
        except Exception as error:
            keep(Transition(0.0, "NOT CONFIRMED OFF", str(error)))


def laser_journal(record: Path) -> Path:
    """Where the guardian writes what happens to the laser when the program that writes this record is gone."""
    return record.with_name(record.name + ".laser")


def _take_in(journal: Path, writer: RunWriter) -> None:
    """What the guardian wrote after the program that wrote this record had been killed."""
    if not journal.exists():
        return
    for transition in read_journal(journal):
        when = datetime.fromtimestamp(transition.unix_s).isoformat(sep=" ", timespec="milliseconds")
        writer.log(LEVEL, f"{transition.state}: {transition.reason} (by the guardian alone, {when})")
    journal.unlink()
