"""The laser guardian: a process of its own that holds the laser, and with it the permission to emit.

The application talks to it over a pipe; when it falls silent, is killed, or when the light is not as it must be, the
guardian switches off. See docs/decisions/0020-laser-guardian.md.
"""

from labcontrol.guardian.guarded_laser import GuardedLaser
from labcontrol.guardian.messages import Limits, Transition, read_journal

__all__ = ["GuardedLaser", "Limits", "Transition", "read_journal"]
