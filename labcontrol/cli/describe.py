"""Pydantic models as tables for people."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from rich.markup import escape
from rich.table import Table


def options_table(driver: type[Any]) -> Table:
    """Key, default and meaning of every option of a driver."""
    return fields_table(driver.Options, driver.__name__)


def fields(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Default and meaning of every field of a model, JSON types; a field that is required has no default."""
    told: dict[str, dict[str, Any]] = {}
    for key, field in model.model_fields.items():
        told[key] = {"meaning": field.description or ""}
        if not field.is_required():
            told[key]["default"] = field.get_default(call_default_factory=True)
    return told


def fields_table(model: type[BaseModel], title: str) -> Table:
    """Key, default and meaning of every field of a model."""
    table = Table("option", "default", "meaning", box=None, header_style="bold", title=title)
    for key, field in fields(model).items():
        default = repr(field["default"]) if "default" in field else "required"
        table.add_row(key, escape(default), escape(field["meaning"]))
    return table
