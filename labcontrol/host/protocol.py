"""What a client may ask of a host, and what a host says about itself.

Every message has a JSON header and, behind it, the raw bytes of its arrays (`framing`). A client sends
``{"n": 7, "do": "pause", "with": {...}}``: a number for the answer, the name of a request, its fields. The host answers
``{"n": 7, "value": ...}`` or ``{"n": 7, "error": {"kind", "message", "remedy"}}``, and sends events unasked:
``{"event": ...}``.

`Attach` comes first. Without it, and from a client of any version, only `Abort` and `SafeOff` are obeyed: whoever wants
it dark must not need an update for that. Never change what these two look like on the line.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

PROTOCOL_VERSION = 2

SILENCE_S = 5.0
"""Without a word from the client that has the lease, the light goes off after this."""

UNATTENDED_S = 10.0
"""A run with a real laser that was not armed to run unattended is paused in the dark this long after its last client
has gone."""


class HostState(StrEnum):
    """What the table is held for."""

    FREE = "free"
    MANUAL = "manual"
    CALIBRATION = "calibration"
    RUN = "run"


class Message(BaseModel):
    """The base of everything with named fields that travels between client and host."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Request(Message):
    """Something a client asks for.

    Attributes
    ----------
    name : str
        How it is called on the line.
    urgent : bool
        Whether it is obeyed at once, whatever else is going on; others wait for those before them.
    lights : bool
        Whether it may light the table: then it is refused when somebody asked for dark after it was sent.
    """

    name: ClassVar[str]
    urgent: ClassVar[bool] = False
    lights: ClassVar[bool] = False


# --- for every host -------------------------------------------------------------------------------------------------
class Attach(Request):
    """The first request of a client; the answer is a `HostStatus`.

    Parameters
    ----------
    version : int
        `PROTOCOL_VERSION` of the client.
    client : str
        What it is, for people: ``window``, ``terminal``.
    pid : int
        Its process.
    events : bool
        Whether it wants what the job emits, and the log; changes of the `HostStatus` everybody gets.
    attends : bool
        Whether somebody looks at the run through it.
    """

    name = "attach"
    urgent = True

    version: int
    client: str = ""
    pid: int = 0
    events: bool = True
    attends: bool = True


class GetStatus(Request):
    """The answer is a `HostStatus`."""

    name = "status"
    urgent = True


class Welcome(Request):
    """Be sent, as events, what was emitted before and still matters, and then everything that follows."""

    name = "welcome"
    urgent = True


class Alive(Request):
    """The client is there; to be sent more often than every `SILENCE_S`."""

    name = "alive"
    urgent = True


class Begin(Request):
    """Take the table for a job; the answer is what the job says about itself.

    Parameters
    ----------
    job : str
        One of `labcontrol.host.jobs.JOBS`.
    settings : dict
        Fields of the job's `Settings`, as JSON types.
    """

    name = "begin"
    lights = True

    job: str
    settings: dict[str, Any]


class End(Request):
    """Light off, every device closed, the table free. For a job that needs a lease; a run ends by stop or abort."""

    name = "end"


class SafeOff(Request):
    """Emission off now; what is being measured ends, a run is aborted. From any client, in every version."""

    name = "safe-off"
    urgent = True


class Abort(Request):
    """As `SafeOff`, before the next step of a run. From any client, in every version."""

    name = "abort"
    urgent = True


class Note(Request):
    """Log a line in the host's process."""

    name = "note"
    urgent = True

    text: str


# --- for a run -----------------------------------------------------------------------------------------------------
class Pause(Request):
    """Hold before the next step. Answered with whether that changes anything.

    Attributes
    ----------
    dark : bool
        Whether the laser goes off; then what was under way is measured again afterwards.
    """

    name = "pause"
    urgent = True
    dark: bool = False


class Continue(Request):
    """Go on after a pause. Answered with whether that changes anything."""

    name = "continue"
    urgent = True


class Stop(Request):
    """Finish the epoch, measure the result, close. Answered with whether that changes anything."""

    name = "stop"
    urgent = True


# --- what a host says about itself ----------------------------------------------------------------------------------
class HostStatus(Message):
    """What a host does now.

    Parameters
    ----------
    host : str
        Its name.
    pid : int
        Its process.
    version : str
        Of the program.
    state : HostState
        What the table is held for.
    bench : str
        Name of the bench that is held; empty when none is.
    since_unix_s : float
        When it came into this state.
    record : str or None
        Path of the record of a run.
    run_state, reason, epoch, epochs, error, laser_on
        As in `labcontrol.engine.RunStatus`; error is None before there is one. The laser's also without a run.
    power_w : float or None
        Setpoint of the laser; None while it is not known.
    journal : str or None
        Where the guardian of a real laser writes what it does when the host is gone.
    paused : bool
        Whether a run is.
    last : str
        How the job before this state ended, for people.
    unattended : bool
        Whether the run goes on when no client is attached.
    clients : int
        How many follow what it does.
    lease : int or None
        Process of the client that has the lease, for manual control and calibration.
    """

    host: str
    pid: int
    version: str
    state: HostState = HostState.FREE
    bench: str = ""
    since_unix_s: float = 0.0
    record: str | None = None
    run_state: str | None = None
    reason: str = ""
    epoch: int = 0
    epochs: int = 0
    error: float | None = None
    laser_on: bool = False
    power_w: float | None = None
    journal: str | None = None
    paused: bool = False
    last: str = ""
    unattended: bool = False
    clients: int = 0
    lease: int | None = None


class LogLine(Message):
    """A line of the log of the host's process."""

    logger: str
    level: int
    unix_s: float
    text: str


class Gap(Message):
    """The client was too slow: what was emitted meanwhile is in the record only.

    Parameters
    ----------
    events : int
        How many were dropped.
    """

    events: int
