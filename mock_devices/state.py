"""The state of a table as bytes: arrays and JSON values in a NumPy archive, nothing that could run."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

State = dict[str, Any]
_MAGIC = "simulated table, state 1"


def to_bytes(state: State) -> bytes:
    """state: nested dictionaries and lists of JSON values and NumPy arrays."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            key = f"a{len(arrays)}"
            arrays[key] = value
            return {"__array__": key}
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    text = json.dumps({"magic": _MAGIC, "state": plain(state)})
    buffer = io.BytesIO()
    np.savez(buffer, text=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def from_bytes(data: bytes) -> State:
    """Undo `to_bytes`. Raises ValueError for anything else."""
    try:
        archive = np.load(io.BytesIO(data), allow_pickle=False)
        content = json.loads(bytes(archive["text"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError("this is not the state of a simulated table") from error
    if content.get("magic") != _MAGIC:
        raise ValueError(f"expected {_MAGIC!r}, found {content.get('magic')!r}")

    def full(value: Any) -> Any:
        if isinstance(value, dict):
            return archive[value["__array__"]] if "__array__" in value else {k: full(v) for k, v in value.items()}
        return [full(item) for item in value] if isinstance(value, list) else value

    state = full(content["state"])
    assert isinstance(state, dict)
    return state


def generator_state(generator: np.random.Generator) -> State:
    """JSON values that `set_generator_state` understands; for bit generators whose state is made of numbers."""
    return dict(generator.bit_generator.state)


def set_generator_state(generator: np.random.Generator, state: State) -> None:
    generator.bit_generator.state = state
