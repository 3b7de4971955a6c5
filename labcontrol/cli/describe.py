"""Pydantic models as tables for people."""

from __future__ import annotations

from typing import Any

from rich.table import Table


def options_table(driver: type[Any]) -> Table:
    """Key, default and meaning of every option of a driver."""
    table = Table("option", "default", "meaning", box=None, header_style="bold", title=driver.__name__)
    for key, field in driver.Options.model_fields.items():
        default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
        table.add_row(key, default, field.description or "")
    return table
