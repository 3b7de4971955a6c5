"""JSON as it is kept inside a run file; each object has its checksum in it, so that killed records can be checked."""

from __future__ import annotations

import dataclasses
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np


def to_json(value: Any) -> str:
    """Text of a value made of JSON types, mappings, dataclasses, paths and NumPy values, on one line.

    JSON has no infinity and no NaN: they become null. Raises TypeError for anything else.
    """
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, PurePath):
        return str(value)
    return value


_CHECKSUM = "crc32"
_MARK = f', "{_CHECKSUM}": "'


def summed_json(value: Mapping[str, Any]) -> str:
    """`to_json` of an object with a last member "crc32": CRC-32 of the text without it, in eight hexadecimal digits."""
    text = to_json(value)
    return f'{text[:-1]}{_MARK}{zlib.crc32(text.encode()):08x}"}}' if value else text


def is_sound(text: bytes) -> bool:
    """Whether the text of an object is what `summed_json` made."""
    content, mark, checksum = text.rpartition(_MARK.encode())
    if not mark:
        return text == b"{}"
    return checksum == f'{zlib.crc32(content + b"}"):08x}"}}'.encode()


def read_object(text: bytes) -> dict[str, Any]:
    """An object, without its checksum. Raises ValueError."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, found {text[:40]!r}")
    value.pop(_CHECKSUM, None)
    return value


def split_lines(text: bytes) -> list[bytes]:
    """The lines of a journal; a last one that was not written to its end is left out."""
    whole, _, _ = text.rpartition(b"\n")
    return [line for line in whole.split(b"\n") if line]


def read_lines(text: bytes) -> list[dict[str, Any]]:
    """The objects of a journal. Raises ValueError."""
    return [read_object(line) for line in split_lines(text)]
