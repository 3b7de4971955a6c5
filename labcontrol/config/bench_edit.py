"""Bench files that a person wrote, changed by the program: one device at a time, all other lines as they were."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from labcontrol.config.toml_text import commented_options
from labcontrol.errors import UserError
from labcontrol.whole_files import replacing


def entry_text(role: str, driver: str, address: str, options: Mapping[str, Any], model: type[BaseModel]) -> str:
    """What a bench file says of a device: driver, address, options that are set, and those that must be.

    model: of the driver's options.
    """
    lines = [f"[{role}]", f"driver = {_text(driver)}", f"address = {_text(address)}"]
    set_here = [f"{key} = {_text(value)}" for key, value in options.items()]
    missing = [
        f"# {key} = ...  to be filled in: {model.model_fields[key].description}" for key in missing_keys(model, options)
    ]
    if set_here or missing:
        lines += ["", f"[{role}.options]", *set_here, *missing]
    return "\n".join(lines)


def missing_keys(model: type[BaseModel], options: Mapping[str, Any]) -> list[str]:
    """Options that a driver needs and that are not set."""
    return [key for key, field in model.model_fields.items() if field.is_required() and key not in options]


def with_device(
    text: str, role: str, driver: str, address: str, options: Mapping[str, Any], model: type[BaseModel]
) -> str:
    """The text of a bench file with another device in a role; comments and all that is not about it stay.

    Options stay where the driver stays; of another driver, all are explained anew. Raises UserError for a text that is
    not TOML.
    """
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise UserError(f"The bench file is not a TOML file: {error}.", "Mend it, or name another file.") from None
    section = document.setdefault(role, tomlkit.table())
    if not isinstance(section, Table):
        raise UserError(
            f"{role!r} is no section of its own in the bench file.", f"Write it as [{role}], then [{role}.options]."
        )
    same = section.get("driver") == driver
    section["driver"] = driver
    section["address"] = address
    if same:
        if options:
            section.setdefault("options", tomlkit.table()).update(options)
    else:
        lines = [f"[{role}]", f"[{role}.options]", *commented_options(model, options), ""]
        section["options"] = tomlkit.parse("\n".join(lines))[role]["options"]
    return tomlkit.dumps(document)


def replace_file(path: Path, text: str) -> Path | None:
    """Put a text in the place of a file, whole or not at all; returns where the one before is kept.

    Raises UserError when it cannot be written; the file is then as it was.
    """
    kept = path.with_name(path.name + ".bak") if path.exists() else None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new, new.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if kept is not None:
                shutil.copy(path, kept)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error}.", "It is as it was; name a file that you may write."
        ) from None
    return kept


def _text(value: object) -> str:
    return tomlkit.item(value).as_string()
