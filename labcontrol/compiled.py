"""Compilation of inner loops, typed so that the compiled function keeps its signature.

Compiled code is cached on disk. Numba looks only at the file of a function to see whether what it has cached is stale;
but the functions it calls and the constants it uses are compiled into it, and they may have changed in other files.
Here the cached code belongs to the state of all files of the package that use compilation: after an update of the
program the loops are compiled anew. What a compiled function uses must come from such a file.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile with Numba: cached on disk, free of the interpreter lock, IEEE arithmetic (results are repeatable)."""
    return cast("F", _cached(numba.njit(nogil=True)(function)))


def compiled_sum(function: F) -> F:
    """As `compiled`, with sums in any order, in vector registers: last bits may differ between processors."""
    return cast("F", _cached(numba.njit(nogil=True, fastmath={"reassoc", "contract"})(function)))


def _cached(dispatcher: Any) -> Any:
    try:
        dispatcher._cache = _PackageCache(dispatcher.py_func)  # noqa: SLF001 (what `cache=True` does, with our own)
    except RuntimeError:
        _say_uncached()
    return dispatcher


@cache
def _say_uncached() -> None:
    log.warning("no folder for compiled code can be written (see NUMBA_CACHE_DIR); every start compiles anew")


class _PackageCache(FunctionCache):
    """Numba's cache of one function, fresh only while no file that uses compilation has changed."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file = IndexDataCacheFile(  # type: ignore[no-untyped-call]
            self.cache_path, self._impl.filename_base, _sources_hash()
        )

    def load_overload(self, sig: object, target_context: object) -> object:
        found = super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        if found is None:
            _say_first()
        return found


@cache
def _say_first() -> None:
    log.warning("compiling the inner loops, only this once: up to a minute")


@cache
def _sources_hash() -> str:
    texts = (path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
    return hashlib.sha256(b"\0".join(text for text in texts if b"compiled" in text)).hexdigest()
