"""One message as bytes: a JSON header, and behind it the arrays that the header describes. Nothing is unpickled."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

LARGEST_REQUEST = 4 * 2**20
"""Bytes of the largest message that a host takes in: configurations and scripts, never pictures."""

LARGEST_EVENT = 512 * 2**20
"""Bytes of the largest message that a client takes in."""

_LENGTH = struct.Struct("<I")
_ARRAYS = "arrays"
_MOST_DIMENSIONS = 8
_DTYPE = re.compile(r"[<|][biuf][1248]")


class ProtocolError(Exception):
    """The other end sent something that this protocol does not have; the line is of no use any more."""


def pack(header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bytes:
    """A message.

    Parameters
    ----------
    header : mapping
        JSON types only; floats are finite.
    arrays : sequence of ndarray
        Booleans or numbers, of any shape.
    """
    parts = [np.ascontiguousarray(_little_endian(array)) for array in arrays]
    described = [[part.dtype.str, list(array.shape)] for part, array in zip(parts, arrays, strict=True)]
    text = json.dumps({**header, _ARRAYS: described} if described else header, allow_nan=False).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *(part.tobytes() for part in parts)])


def unpack(message: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Header and arrays of a message.

    Raises
    ------
    ProtocolError
        When it is none. No array is made before its shape and type agree with the bytes that are there.
    """
    if len(message) < _LENGTH.size:
        raise ProtocolError("a message of less than four bytes")
    (length,) = _LENGTH.unpack_from(message)
    end = _LENGTH.size + length
    if end > len(message):
        raise ProtocolError(f"a header of {length} bytes in a message of {len(message)}")
    try:
        header = json.loads(message[_LENGTH.size : end], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the header is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise ProtocolError("the header is no JSON object")
    arrays = []
    for described in _list(header.pop(_ARRAYS, [])):
        dtype, shape = _described(described)
        size = math.prod(shape)
        if size * dtype.itemsize > len(message) - end:
            raise ProtocolError(f"an array of {size} x {dtype.itemsize} bytes where {len(message) - end} are left")
        arrays.append(np.frombuffer(message, dtype, size, end).reshape(shape).copy())
        end += size * dtype.itemsize
    if end != len(message):
        raise ProtocolError(f"{len(message) - end} bytes more than the header describes")
    return header, arrays


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    if not _DTYPE.fullmatch(array.dtype.newbyteorder("<").str):
        raise ProtocolError(f"an array of type {array.dtype} cannot be sent")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _described(described: Any) -> tuple[np.dtype[Any], list[int]]:
    dtype, shape = described if isinstance(described, list) and len(described) == 2 else (None, None)
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise ProtocolError(f"an array of the type {str(dtype)[:20]}")
    if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS:
        raise ProtocolError(f"an array of the shape {str(shape)[:40]}")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ProtocolError(f"an array of the shape {str(shape)[:40]}")
    try:
        return np.dtype(dtype), shape
    except TypeError:
        raise ProtocolError(f"an array of the type {dtype}") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ProtocolError("the arrays of a header are no list")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
