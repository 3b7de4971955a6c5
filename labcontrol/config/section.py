"""The base of every section of a file, and its errors in words a person can act on."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from labcontrol.errors import UserError

# What pydantic's types of finding (int_parsing, string_type, ...) ask for, as a person would say it.
_KINDS = {"int": "a whole number", "float": "a number", "string": "text in quotes", "bool": "true or false"}


@dataclass(frozen=True)
class OneOf:
    """Annotation of a text that must be one of some names; forms and command lines offer them.

    Parameters
    ----------
    names : tuple of str
        What the text may be.
    """

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value not in self.names:
            near = difflib.get_close_matches(value, self.names, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"should be one of {', '.join(self.names)}{hint}")
        return value


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The texts that a field may hold; empty where it may hold others."""
    if get_origin(field.annotation) is Literal:
        return tuple(map(str, get_args(field.annotation)))
    return next((note.names for note in field.metadata if isinstance(note, OneOf)), ())


class Section(BaseModel):
    """A section of a file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


def user_error(error: ValidationError, model: type[BaseModel], source: str) -> UserError:
    """Turn pydantic's findings into one message: where, what was found, what was expected.

    source: the file or option the values came from.
    """
    lines = [_finding(detail, model) for detail in error.errors()]
    findings = lines[0] if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)
    return UserError(f"{source}: {findings}")


def _finding(detail: Any, model: type[BaseModel]) -> str:
    location: Sequence[str | int] = detail["loc"]
    place = ".".join(str(part) for part in location)
    named = f"{place!r} " if place else ""
    found = detail["input"]
    if detail["type"] == "extra_forbidden":
        known = list(_model_at(model, location[:-1]).model_fields)
        return f"unknown key {place!r}. {_hint(str(location[-1]), known)}"
    if detail["type"] == "missing":
        return f"{named}is missing."
    if detail["type"] == "model_type":
        section = _model_at(model, location)
        return (
            f"{named}should be a section with the keys {', '.join(section.model_fields)}; found {reprlib.repr(found)}."
        )
    kind = detail["type"].split("_")[0]
    if kind in _KINDS:
        return f"{named}should be {_KINDS[kind]}; found {reprlib.repr(found)}."
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shown = "" if isinstance(found, dict | BaseModel) else f"; found {reprlib.repr(found)}"
    return f"{named}{message}{shown}."


def _hint(unknown: str, known: list[str]) -> str:
    near = difflib.get_close_matches(unknown, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known here: {', '.join(known)}." if known else "There are no keys here."


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
