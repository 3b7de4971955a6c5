"""JSON as it is kept inside a run file."""

from __future__ import annotations

import dataclasses
import json
import math
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


def read_lines(text: bytes) -> list[dict[str, Any]]:
    """The objects of a journal; a last line that was not written to its end is left out."""
    whole, _, _ = text.rpartition(b"\n")
    return [json.loads(line) for line in whole.split(b"\n") if line]
