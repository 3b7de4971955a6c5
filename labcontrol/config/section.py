"""The base of every section of a file, and its errors in words a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from labcontrol.errors import UserError


class Section(BaseModel):
    """A section of a file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def user_error(error: ValidationError, model: type[BaseModel], source: str) -> UserError:
    """Turn pydantic's findings into one message: where, what was found, what was expected.

    source: the file or option the values came from.
    """
    lines = [_finding(detail, model) for detail in error.errors()]
    findings = lines[0] if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)
    return UserError(f"{source}: {findings}")


def _finding(detail: Any, model: type[BaseModel]) -> str:
    location: Sequence[str | int] = detail["loc"]
    place = ".".join(str(part) for part in location) or "the file"
    if detail["type"] == "extra_forbidden":
        known = sorted(_model_at(model, location[:-1]).model_fields)
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."
        return f"unknown key {place!r}. {hint}"
    if detail["type"] == "missing":
        return f"{place!r} is missing."
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    found = detail["input"]
    shown = "" if isinstance(found, dict | BaseModel) else f", found {found!r}"
    return f"{place!r} {message}{shown}."


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel]:
    for part in location:
        field = model.model_fields.get(str(part))
        candidates = _models_in(field.annotation) if field else []
        if not candidates:
            break
        model = candidates[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) in (Union, UnionType):
        return [model for option in get_args(annotation) for model in _models_in(option)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
