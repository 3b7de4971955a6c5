"""Models as TOML files that explain themselves: above every key its meaning and range.

The fields' descriptions are the only source, so that examples, saved experiments and validation agree.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_WIDTH = 110
_HOW_TO = "A line '# key = value' is not in force; remove its '# ' to set the key."
HEADER = re.compile(r"\[([\w.]+)\]")
ENTRY = re.compile(r"(?:# )?([a-z][\w.]*) = ")  # of a key, also of one that is not in force
_LIMIT_WORDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def commented_toml(
    model: BaseModel,
    options: Mapping[str, BaseModel] | None = None,
    notes: Mapping[str, list[str]] | None = None,
) -> str:
    """The model as the text of a TOML file; reading it back gives the same values.

    options: the checked `options` of a section by the section's name, for example of a driver by its role. Where
    given, every key of them is explained, and those the section does not set stand there with their default, as
    comments.
    notes: further lines of comment by section or key (``laser``, ``laser.options.timeout_s``), put below its meaning;
    those under an empty key head the file.
    """
    known = notes or {}
    head = [*known[""], "#"] if "" in known else _comment(_summary(model))
    lines = [*head, *_comment(_HOW_TO), "", *_with_notes(_section(model, "", options or {}), known)]
    return "\n".join(lines) + "\n"


def commented_options(options: type[BaseModel], chosen: Mapping[str, Any]) -> list[str]:
    """Lines that explain every key of a driver's options; those not chosen are comments, with their default.

    chosen: values that are set, not checked here: a required one may be missing and is then to be filled in.
    """
    return list(_options(options.model_construct(**chosen), chosen, ""))


def _with_notes(lines: Iterable[str], notes: Mapping[str, list[str]]) -> Iterator[str]:
    section = ""
    for line in lines:
        if header := HEADER.fullmatch(line):
            section = header[1] + "."
            yield from notes.get(header[1], [])
        elif entry := ENTRY.match(line):
            yield from notes.get(section + entry[1], [])
        yield line


def _section(section: BaseModel, path: str, options: Mapping[str, BaseModel]) -> Iterator[str]:
    """Keys first, then the sections below: in TOML a key belongs to the header above it."""
    fields = type(section).model_fields
    values = {key: getattr(section, key) for key in fields}
    below = {key: value for key, value in values.items() if isinstance(value, BaseModel | dict)}
    for key, value in values.items():
        if key not in below:
            yield from _entry(key, value, fields[key])
    for key, value in below.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, BaseModel):
            yield from ["", *_comment(_summary(value)), f"[{name}]", *_section(value, name, options)]
        elif value or path in options:
            yield from ["", *_comment(fields[key].description or ""), f"[{name}]"]
            known = options.get(path)
            yield from _options(known, value, "") if known else _entries(value)


def _entry(key: str, value: object, field: FieldInfo) -> Iterator[str]:
    yield from _comment(_meaning(field, value))
    yield f"# {key} = {_example(field)}" if value is None else f"{key} = {_value(value)}"


def _options(known: BaseModel, chosen: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Every key of a driver's options; a comment where the file leaves the default."""
    for key, field in type(known).model_fields.items():
        value, name = getattr(known, key, None), prefix + key  # a required one may not be there yet
        if isinstance(value, BaseModel):
            yield from ["", *_comment(f"-- {name}: {_summary(value)}")]
            yield from _options(value, chosen.get(key, {}), f"{name}.")
        elif key in chosen:
            yield from _entry(name, chosen[key], field)
        else:
            yield from _comment(_meaning(field, value))
            yield f"# {name} = {_example(field) if value is None else _value(value)}"


def _entries(values: Mapping[str, Any]) -> Iterator[str]:
    return (f"{tomlkit.key(key).as_string()} = {_value(value)}" for key, value in values.items())


def _summary(model: BaseModel) -> str:
    """The first paragraph of the class's docstring."""
    return " ".join((type(model).__doc__ or "").split("\n\n")[0].split())


def _meaning(field: FieldInfo, value: object) -> str:
    """Description of a key; what it may be, and its default where that is something else."""
    facts = list(_limits(field))
    if get_origin(field.annotation) is Literal:
        facts.append("one of " + ", ".join(map(_value, get_args(field.annotation))))
    if value is None:
        facts.append("to be filled in" if field.is_required() else "not set here")
    elif not field.is_required() and field.default_factory is None and field.default not in (None, value):
        facts.append(f"default {_value(field.default)}")
    description = field.description or ""
    return f"{description} ({', '.join(facts)})" if facts else description


def _limits(field: FieldInfo) -> Iterator[str]:
    limits = {name: getattr(item, name) for item in field.metadata for name in _LIMIT_WORDS if hasattr(item, name)}
    if {"ge", "le"} <= limits.keys():
        yield f"{limits['ge']} to {limits['le']}"
    else:
        yield from (f"{_LIMIT_WORDS[name]} {bound}" for name, bound in limits.items())


def _example(field: FieldInfo) -> str:
    return _value(field.examples[0]) if field.examples else "..."


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _value(value: object) -> str:
    """A value as TOML; long arrays go over several lines."""
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, dict):
        return f"{{{', '.join(_entries(value))}}}"
    if not isinstance(value, list | tuple):
        return tomlkit.item(value).as_string()
    items = [_value(item) for item in value]
    line = f"[{', '.join(items)}]"
    if len(line) <= _WIDTH:
        return line
    if line.startswith("[{"):  # a table within a line must not be broken
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    return "[\n" + textwrap.fill(", ".join(items), _WIDTH, initial_indent="    ", subsequent_indent="    ") + ",\n]"
