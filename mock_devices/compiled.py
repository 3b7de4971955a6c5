"""Compilation of inner loops, typed so that the compiled function keeps its signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile with Numba: cached on disk, free of the interpreter lock, IEEE arithmetic (results are repeatable)."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
