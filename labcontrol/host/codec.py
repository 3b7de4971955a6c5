"""Values of the program as JSON types and arrays, and back: dataclasses, enums and models of a fixed set of classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from labcontrol.host.framing import ProtocolError

# Marks an object that stands for something JSON does not have: {"!": name, ...}.
_TAG = "!"
_ARRAY, _FLOAT, _TUPLE, _PATH = "array", "float", "tuple", "path"


class Codec:
    """Encodes and decodes values of some classes, and of those that their fields name.

    What is decoded equals what was encoded, infinite and missing numbers and the types of arrays included. Only these
    classes are ever made, whatever a message says.

    Parameters
    ----------
    classes : iterable of type
        Dataclasses, enums and pydantic models. A name must not stand for two of them.
    """

    def __init__(self, classes: Iterable[type]) -> None:
        self._classes: dict[str, type] = {}
        for root in classes:
            self._add(root)
        self._fields = {
            kind: [field.name for field in fields(kind)] for kind in self._classes.values() if is_dataclass(kind)
        }

    # --- to JSON types ------------------------------------------------------------------------------------------
    def encode(self, value: Any, arrays: list[NDArray[Any]]) -> Any:
        """The value as JSON types; its arrays are appended to `arrays`. Raises ProtocolError for an unknown class."""
        match value:
            case Enum():  # before the strings that some enums are
                return {_TAG: self._name(value), "is": value.value}
            case None | bool() | str() | int():
                return value
            case np.generic():
                return self.encode(value.item(), arrays)
            case float():
                return value if math.isfinite(value) else {_TAG: _FLOAT, "is": str(value)}
            case np.ndarray():
                arrays.append(value)
                return {_TAG: _ARRAY, "n": len(arrays) - 1}
            case Path():
                return {_TAG: _PATH, "is": str(value)}
            case BaseModel():
                return {_TAG: self._name(value), "is": value.model_dump(mode="json")}
        return self._encode_parts(value, arrays)

    def _encode_parts(self, value: Any, arrays: list[NDArray[Any]]) -> Any:
        match value:
            case tuple():
                return {_TAG: _TUPLE, "is": [self.encode(item, arrays) for item in value]}
            case list():
                return [self.encode(item, arrays) for item in value]
            case Mapping():
                return {self._key(key): self.encode(item, arrays) for key, item in value.items()}
        tagged = {_TAG: self._name(value)}
        for field in self._fields[type(value)]:
            tagged[field] = self.encode(getattr(value, field), arrays)
        return tagged

    def _name(self, value: Any) -> str:
        kind = type(value)
        if self._classes.get(kind.__name__) is not kind:
            raise ProtocolError(f"values of {kind.__module__}.{kind.__qualname__} cannot be sent")
        return kind.__name__

    @staticmethod
    def _key(key: Any) -> str:
        if not isinstance(key, str) or key == _TAG:
            raise ProtocolError(f"the key {key!r} cannot be sent")
        return key

    # --- and back -----------------------------------------------------------------------------------------------
    def decode(self, value: Any, arrays: list[NDArray[Any]]) -> Any:
        """The value that was encoded. Raises ProtocolError."""
        if isinstance(value, list):
            return [self.decode(item, arrays) for item in value]
        if not isinstance(value, dict):
            return value
        if _TAG not in value:
            return {key: self.decode(item, arrays) for key, item in value.items()}
        try:
            return self._untagged(dict(value), arrays)
        except (LookupError, TypeError, ValueError, ValidationError) as error:
            raise ProtocolError(f"a {str(value[_TAG])[:40]} that is none: {error}") from None

    def _untagged(self, value: dict[str, Any], arrays: list[NDArray[Any]]) -> Any:
        match name := value.pop(_TAG):
            case "array":
                return arrays[value["n"]]
            case "float":
                return float(value["is"])
            case "tuple":
                return tuple(self.decode(item, arrays) for item in value["is"])
            case "path":
                return Path(value["is"])
        kind = self._classes[name]
        if issubclass(kind, BaseModel):
            return kind.model_validate(value["is"])
        if issubclass(kind, Enum):
            return kind(value["is"])
        return kind(**{field: self.decode(item, arrays) for field, item in value.items()})

    # --- classes ------------------------------------------------------------------------------------------------
    def _add(self, annotation: Any) -> None:
        """A class and those that its fields name; what JSON has itself is left out."""
        for argument in get_args(annotation):
            self._add(argument)
        if not isinstance(annotation, type):
            return
        if not (is_dataclass(annotation) or issubclass(annotation, Enum | BaseModel)):
            return
        known = self._classes.get(annotation.__name__)
        if known is annotation:
            return
        if known is not None:
            raise TypeError(f"{known} and {annotation} have the same name")
        self._classes[annotation.__name__] = annotation
        if is_dataclass(annotation):
            for hint in get_type_hints(annotation).values():
                self._add(hint)
