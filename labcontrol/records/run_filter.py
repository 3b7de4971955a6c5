"""Choosing among runs by words and conditions, as a person types them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from labcontrol.errors import UserError
from labcontrol.records.catalogue import RunSummary

TEXTS = ("name", "state", "task", "strategy", "selection", "acceptance", "loss", "note", "started")
NUMBERS = ("neurons", "steps", "seed", "epochs", "start_error", "error", "test_error")
FIELDS = (*TEXTS, *NUMBERS)
"""What a condition or an order may name."""

_CONDITION = re.compile(r"(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}


def started_text(unix_s: float) -> str:
    """Local date and time, in an order that sorts."""
    return f"{datetime.fromtimestamp(unix_s):%Y-%m-%d %H:%M}"


def chosen(runs: Iterable[RunSummary], conditions: Sequence[str]) -> list[RunSummary]:
    """The runs that meet all conditions.

    A condition is a word that the run's line contains, in capitals or not, or a comparison such as ``neurons>=400``,
    ``error<0.01``, ``selection=greedy``, ``started>=2026-11-20``. Dates are compared as far as they are given.
    Raises UserError for a comparison that means nothing.
    """
    tests = [_test(condition) for condition in conditions]
    return [run for run in runs if all(test(run) for test in tests)]


def in_order(runs: Iterable[RunSummary], field: str) -> list[RunSummary]:
    """Runs by a field of FIELDS, falling with a ``-`` before it; those without a value last. Raises UserError."""
    falling, name = field.startswith("-"), field.removeprefix("-")
    _require_field(name)
    runs = list(runs)
    known = [run for run in runs if _value(run, name) is not None]
    unknown = [run for run in runs if _value(run, name) is None]
    return sorted(known, key=lambda run: _value(run, name), reverse=falling) + unknown


def _test(condition: str) -> Callable[[RunSummary], bool]:
    comparison = _CONDITION.fullmatch(condition.strip())
    if comparison is None:
        word = condition.lower()
        return lambda run: any(word in str(_value(run, name)).lower() for name in FIELDS)
    name, sign, text = comparison.groups()
    _require_field(name)
    compare = _OPERATORS[sign]
    if name in NUMBERS:
        number = _number(condition, text)
        return lambda run: (value := _value(run, name)) is not None and compare(value, number)
    if name == "started":
        return lambda run: compare(str(_value(run, name))[: len(text)], text)
    if sign in ("=", "!="):
        return lambda run: compare(str(_value(run, name)).lower(), text.lower())
    raise UserError(f"{condition!r}: {name} is text and has no order.", f"Write {name}=VALUE or {name}!=VALUE.")


def _value(run: RunSummary, name: str) -> Any:
    if name == "name":
        return run.path.stem
    if name == "started":
        return started_text(run.started_unix_s)
    return getattr(run, name)


def _number(condition: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{condition!r}: {text!r} is no number.", "Write it as in error<0.01.") from None


def _require_field(name: str) -> None:
    if name not in FIELDS:
        raise UserError(f"A run has no {name!r} to compare or sort by.", f"It has {', '.join(FIELDS)}.")
