"""Errors that are the user's to mend: shown as one message, without a traceback, with exit code 2."""

from __future__ import annotations

from typing import TypeGuard


class UserError(Exception):
    """Something a person can put right: what was expected, what was found, what to do next."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}".strip())


def is_of_the_system(error: BaseException) -> TypeGuard[OSError]:
    """Whether the operating system refused something; HDF5 raises OSErrors of its own, which have no number."""
    return isinstance(error, OSError) and error.errno is not None
