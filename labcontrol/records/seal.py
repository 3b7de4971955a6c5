"""The seal of a record: a hash of every dataset, taken when its writer closes it.

It tells damage and second thoughts from what was measured. It is no signature: who changes a record on purpose can seal
it again, unless the hash of the seal was kept elsewhere, in a laboratory book for instance.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from labcontrol.records.json_text import to_json
from labcontrol.records.layout import FIXED, SEAL

_BYTES_AT_ONCE = 1 << 24


def seal_text(file: Any, rows: Mapping[str, int]) -> str:
    """The seal of an open file. rows: length of each growing dataset that counts."""
    hashes = _hashes(file, rows)
    return to_json({"sha256": hashes, "sha256_of_these": _sha256(to_json(hashes))})


def seal_sha256(text: bytes) -> str:
    """One hash for the whole record, to be kept elsewhere. text: the seal."""
    return hashlib.sha256(text).hexdigest()


def unsealed(file: Any, rows: Mapping[str, int], text: bytes) -> list[str]:
    """Datasets whose content is not what it was when the file was closed. text: the seal."""
    try:
        seal = json.loads(text)
        hashes: dict[str, str] = seal["sha256"]
        if seal["sha256_of_these"] != _sha256(to_json(hashes)):
            return [SEAL]
    except (ValueError, LookupError, TypeError):
        return [SEAL]
    found = _hashes(file, rows)
    return [name for name, digest in hashes.items() if found.get(name) != digest]


def _hashes(file: Any, rows: Mapping[str, int]) -> dict[str, str]:
    lengths = {**dict.fromkeys((*FIXED, "gain")), **rows}
    return {name: _of_dataset(file[name], length) for name, length in lengths.items() if name != SEAL and name in file}


def _of_dataset(dataset: Any, rows: int | None) -> str:
    """Of the first rows, read in parts; of all of it where `rows` is None."""
    if rows is None:
        return hashlib.sha256(_little_endian(dataset[()])).hexdigest()
    digest = hashlib.sha256(f"{rows} rows\n".encode())
    row_bytes = dataset.dtype.itemsize * math.prod(dataset.shape[1:])
    step = max(_BYTES_AT_ONCE // max(row_bytes, 1), 1)
    for start in range(0, rows, step):
        digest.update(_little_endian(dataset[start : min(start + step, rows)]))
    return digest.hexdigest()


def _little_endian(values: Any) -> bytes:
    if isinstance(values, bytes):
        return values
    array = np.asarray(values)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
