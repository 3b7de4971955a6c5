"""Run files: writing them so that nothing is lost, reading, listing, exporting them."""

from labcontrol.records.epoch import Epoch
from labcontrol.records.provenance import provenance
from labcontrol.records.reader import RETRIED, Fault, Pilot, RunReader, reading
from labcontrol.records.run_file import (
    DiskRoom,
    RecordAwayError,
    RecordFullError,
    RecordWriteError,
    RunHeader,
    RunWriter,
)

__all__ = [
    "RETRIED",
    "DiskRoom",
    "Epoch",
    "Fault",
    "Pilot",
    "RecordAwayError",
    "RecordFullError",
    "RecordWriteError",
    "RunHeader",
    "RunReader",
    "RunWriter",
    "provenance",
    "reading",
]
