"""What people write about a run after it began. Kept beside the record, which nobody changes once it is written."""

from __future__ import annotations

from pathlib import Path

from labcontrol.errors import UserError
from labcontrol.whole_files import replacing

_SUFFIX = ".note.txt"


def note_path(record: Path) -> Path:
    """Where the note of a record is, or would be."""
    return record.with_suffix(_SUFFIX)


def read_note(record: Path) -> str:
    """The note of a record; empty when there is none. Raises UserError."""
    try:
        return note_path(record).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UserError(f"The note of {record} cannot be read: {error.strerror or error}.") from error


def write_note(record: Path, text: str) -> None:
    """Replace the note of a record, also while the run goes on; an empty text removes it. Raises UserError."""
    path = note_path(record)
    try:
        if not text.strip():
            path.unlink(missing_ok=True)
            return
        with replacing(path) as partial:
            partial.write_text(text.strip() + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(
            f"The note of {record} cannot be written: {error.strerror or error}.", "Make the folder writable."
        ) from error
