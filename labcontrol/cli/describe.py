"""Pydantic models as tables for people."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from rich.markup import escape
from rich.table import Table


def options_table(driver: type[Any]) -> Table:
    """Key, default and meaning of every option of a driver."""
    return fields_table(driver.Options, driver.__name__)


def fields_table(model: type[BaseModel], title: str) -> Table:
    """Key, default and meaning of every field of a model."""
    table = Table("option", "default", "meaning", box=None, header_style="bold", title=title)
    for key, field in model.model_fields.items():
        default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
        table.add_row(key, escape(default), escape(field.description or ""))
    return table
