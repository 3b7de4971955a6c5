"""States of a run as bytes: nested dictionaries of JSON types, arrays and bytes, without pickle, with a checksum."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import numpy as np

_CHECKED = b"sha256:"  # before checksum and archive; records of early versions hold the archive alone


def encode(state: dict[str, Any]) -> bytes:
    """Bytes of a state; `decode` gives it back."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, bytes):
            return {"__bytes__": plain(np.frombuffer(value, np.uint8))}
        if isinstance(value, np.ndarray):
            name = f"a{len(arrays)}"
            arrays[name] = value
            return {"__array__": name}
        return value

    text = json.dumps(plain(state))
    buffer = io.BytesIO()
    np.savez(buffer, __text__=np.array(text), **arrays)  # type: ignore[arg-type]  # the stubs want a bool among them
    archive = buffer.getvalue()
    return _CHECKED + hashlib.sha256(archive).digest() + archive


def decode(data: bytes) -> dict[str, Any]:
    """The state that `encode` was given. Raises ValueError when a byte of it was changed."""
    if data.startswith(_CHECKED):
        checksum, data = data[len(_CHECKED) : len(_CHECKED) + 32], data[len(_CHECKED) + 32 :]
        if hashlib.sha256(data).digest() != checksum:
            raise ValueError("the state of a checkpoint is damaged")
    try:
        return _read(data)
    except Exception as error:  # whatever a changed byte makes of an archive
        raise ValueError(f"the state of a checkpoint cannot be read: {error}") from error


def _read(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:

        def full(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            if "__array__" in value:
                return arrays[value["__array__"]]
            if "__bytes__" in value:
                return full(value["__bytes__"]).tobytes()
            return {key: full(item) for key, item in value.items()}

        state: dict[str, Any] = full(json.loads(str(arrays["__text__"])))
        return state
