"""Run files: writing them so that nothing is lost, reading, listing, exporting them."""

from labcontrol.records.contents import RETRIED, Fault, Pilot
from labcontrol.records.damage import reading
from labcontrol.records.epoch import Epoch
from labcontrol.records.provenance import provenance
from labcontrol.records.reader import RunReader
from labcontrol.records.room import DiskRoom, RecordAwayError, RecordFullError, RecordWriteError
from labcontrol.records.run_file import RunWriter
from labcontrol.records.run_header import RunHeader

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
