"""Reading a record that may be damaged: damage is said of damage only."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from labcontrol.errors import UserError, is_of_the_system
from labcontrol.records.reader import RunReader

log = logging.getLogger(__name__)

# What reading the content of a damaged or tampered file can raise.
DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError)


@contextlib.contextmanager
def reading(path: Path, *, warn: bool = False) -> Iterator[RunReader]:
    """A run file open for reading; what turns out to be damaged only while it is read raises UserError, too.

    warn: whether all of it is compared with its checksums first, and a warning logged where it differs.
    """
    with RunReader(path) as run:
        try:
            if warn and (change := next(run.changes(), None)) is not None:
                log.warning("%s is damaged, and what follows is made from it: %s", path, change.text)
            yield run
        except DAMAGE as error:
            damage = None if _is_of_the_output(error) else _damage(run, error)
            if damage is None:
                raise
            raise UserError(
                f"The content of {path} is damaged: {damage}", "Copy it again from where it came from."
            ) from error


def _is_of_the_output(error: Exception) -> bool:
    """An output that cannot be written, a terminal that cannot show a letter."""
    return isinstance(error, UnicodeEncodeError) or is_of_the_system(error)


def _damage(run: RunReader, error: Exception) -> str | None:
    """What is damaged in a record that gave an error; None where it is whole, so that the error has another cause."""
    try:
        change = next(run.changes(), None)
        for index in range(len(run.checkpoint_epochs)):  # whose own checksum only a continuation reads
            run.checkpoint(index)
    except DAMAGE as damage:
        return f"{damage}."
    if change is None and run.is_checkable:
        return None
    return f"{error}." if change is None else change.text
