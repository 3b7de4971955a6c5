"""The one process that holds the table, and the clients that talk to it.

A host holds the table for one job at a time: manual control, a calibration, a run, or nothing (`HostState`). Windows,
terminals and notebooks attach to it and leave; a run needs none of them. It listens where only its own user can come
in, and ends by itself when it holds nothing and nobody is attached.

For clients, everything is in these few names::

    client = start_host("window")                    # a process that outlives its starter; or, one that is there:
    client = HostClient.connect(hosts()[0], "window")
    client.hear(on_event)                            # every event: HostStatus, what the job emits, Gap, LostHostError
    client.ask(Pause(), then=..., refused=...)       # without waiting: `poll` calls one of the two
    client.poll()                                    # from a timer, several times a second: delivers in this thread
    client.request(GetStatus())                      # with waiting, for terminals
    client.status                                    # the newest HostStatus

A run, with the interface of `labcontrol.engine.Run` and its very events::

    run = RemoteRun.begin(client, RunSettings(experiment=..., bench=..., folder=..., armed_by=..., unattended=...))
    run = RemoteRun.attach(client)                   # the whole curve from the record, then the live tail
    mailbox = run.subscribe(); run.start(); mailbox.drain(); run.pause(); run.wait()

Manual control and calibration are requests of their jobs, see `jobs.manual` and `jobs.calibration`. They hold for the
client that began them while it polls: its silence means dark, and with its end the table is free. `SafeOff` and `Abort`
are obeyed at once, from any client; what asked for light before them does not get it any more.

Modules: `protocol` (requests, `HostState`, `HostStatus`), `framing` and `codec` (bytes), `transport` (sockets and
pipes), `directory` (where hosts are found, locks), `outbox` and `session` (one client), `server` (the host), `jobs`,
`client`, `remote_run`, `start`.
"""

from labcontrol.host.client import HostClient
from labcontrol.host.directory import HostFile, hosts
from labcontrol.host.protocol import HostState, HostStatus
from labcontrol.host.start import start_host

__all__ = ["HostClient", "HostFile", "HostState", "HostStatus", "hosts", "start_host"]
