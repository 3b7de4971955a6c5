"""Errors that are the user's to mend: shown as one message, without a traceback, with exit code 2."""

from __future__ import annotations


class UserError(Exception):
    """Something a person can put right: what was expected, what was found, what to do next."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}".strip())
