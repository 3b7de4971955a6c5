"""Which devices are connected, as every installed driver finds its own; and which of them play which role."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from drivers.interfaces import Device, DeviceError, Found, Search
from drivers.registry import driver_names, load_driver
from labcontrol.bench.bench import ROLES
from labcontrol.errors import UserError

log = logging.getLogger(__name__)

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Fit:
    """A driver and something that it can open. roles: those of a bench that it may play."""

    driver: str
    driver_class: type[Device]
    roles: tuple[str, ...]
    found: Found

    @property
    def name(self) -> str:
        """As a person chooses it: ``driver@address``, or another word that tells it from others."""
        found = self.found
        return f"{self.driver}@{found.address or next(reversed([*map(str, found.options.values())]), '')}"


@dataclass
class Discovery:
    """All that was found. troubles: by driver, why it could not look."""

    fits: list[Fit] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)


def discover(search: Search, on_progress: Callable[[str, int, int], None], patience_s: float = PATIENCE_S) -> Discovery:
    """Let every installed driver look for its devices, one after the other.

    on_progress: called with the driver that searches now, how many have searched, and how many there are.
    A library that hangs or fails does not keep the others from searching.
    """
    discovery = Discovery()
    names = driver_names()
    for number, name in enumerate(names):
        on_progress(name, number, len(names))
        try:
            driver = load_driver(name)
            if issubclass(driver, Device) and not driver.on_table:
                found = _within(patience_s, name, lambda driver=driver: list(driver.discover(search)))  # type: ignore[misc]
                discovery.fits += [Fit(name, driver, roles_of(driver, each), each) for each in found]
        except (DeviceError, ImportError) as error:
            message, remedy = getattr(error, "message", str(error)), getattr(error, "remedy", "")
            discovery.troubles[name] = f"{message} {remedy}".strip()
        except Exception as error:  # of a maker's library, or of a driver from elsewhere
            log.debug("looking for devices of %s", name, exc_info=True)
            discovery.troubles[name] = f"unexpected {type(error).__name__}: {error}"
    return discovery


def roles_of(driver: type[Device], found: Found | None = None) -> tuple[str, ...]:
    """The roles of a bench that a driver may play: with a modulator, that may be two."""
    if found is not None and found.role:
        return (found.role,)
    return tuple(role for role, kind in ROLES.items() if issubclass(driver, kind))


def sure_choices(fits: Iterable[Fit]) -> dict[str, Fit]:
    """By role, the only device that is sure, free, and fits no other role."""
    known = [fit for fit in fits if fit.found.sure and not fit.found.in_use and len(fit.roles) == 1]
    return {role: mine[0] for role in ROLES if len(mine := [fit for fit in known if role in fit.roles]) == 1}


def choices(fits: list[Fit], wishes: Iterable[str]) -> dict[str, Fit]:
    """By role, what is sure and what a person asks for. Raises UserError for a wish that cannot be met."""
    wanted = dict(chosen(fits, wish) for wish in wishes)
    by_address: dict[str, str] = {}
    for role, fit in wanted.items():
        address = fit.found.address
        if address and (other := by_address.setdefault(address, role)) != role:
            raise UserError(f"{address} cannot be both {other} and {role}.", "Choose another one for one of them.")
    taken = set(by_address)
    sure = {role: fit for role, fit in sure_choices(fits).items() if fit.found.address not in taken}
    return sure | wanted


def chosen(fits: Iterable[Fit], wish: str) -> tuple[str, Fit]:
    """The role and device that a person asks for as ``ROLE=[DRIVER@]ADDRESS``. Raises UserError.

    A device that was not found is taken, too, where its driver is named.
    """
    role, equals, place = wish.partition("=")
    if not equals or role not in ROLES:
        raise UserError(f"{wish!r} should read ROLE=ADDRESS or ROLE=DRIVER@ADDRESS, with a role of {', '.join(ROLES)}.")
    driver, at, address = place.rpartition("@")
    able = [fit for fit in fits if role in fit.roles and (not at or fit.driver == driver)]
    matching = [fit for fit in able if address in (fit.found.address, *map(str, fit.found.options.values()))]
    if len(matching) == 1:
        return role, matching[0]
    if matching:
        names = ", ".join(f"{role}={fit.name}" for fit in matching)
        raise UserError(f"{wish!r} may be several.", f"Say which: {names}.")
    if at and driver in driver_names():
        kind = load_driver(driver)
        if issubclass(kind, Device) and role in roles_of(kind):
            return role, Fit(driver, kind, (role,), Found(address, "named by you", sure=False))
        raise UserError(f"The driver {driver!r} is not one of a {role}.", "'labcontrol drivers' lists what fits.")
    listed = ", ".join(fit.name for fit in able) or "none"
    raise UserError(
        f"{wish!r} was not found.", f"Found for this role: {listed}. Or name its driver: {role}=DRIVER@ADDRESS."
    )


def _within(patience_s: float, name: str, look: Callable[[], list[Found]]) -> list[Found]:
    """What `look` returns or raises; in a thread, because the library of a maker may never return."""
    done: list[list[Found]] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(look())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name=f"looking for {name}", daemon=True)
    thread.start()
    thread.join(patience_s)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(f"did not come to an end within {patience_s:g} s")
    return done[0]
