"""Drivers by name, found through entry points, so that a laboratory adds its own by installing a package.

A package announces a driver in its pyproject.toml::

    [project.entry-points."labcontrol.drivers"]
    my-laser = "my_package.laser:MyLaser"

The class is imported only when the driver is used.
"""

from __future__ import annotations

import difflib
import inspect
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from drivers.interfaces import Device, DriverOptions, Table

GROUP = "labcontrol.drivers"


class UnknownDriverError(LookupError):
    """No installed package announces a driver of this name.

    Parameters
    ----------
    name : str
        What was asked for.
    known : list of str
        Names there are.
    """

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known drivers: {', '.join(known)}."
        super().__init__(f"There is no driver named {name!r}. {hint}")


@cache
def _entry_points() -> dict[str, dict[str, EntryPoint]]:
    """By name, then by what they lead to: two packages may have chosen one name."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, {})[entry.value] = entry
    return found


def driver_names() -> list[str]:
    """List all installed drivers.

    Returns
    -------
    list of str
        Their names, sorted.
    """
    return sorted(_entry_points())


def load_driver(name: str) -> type[Device | Table]:
    """Import a driver by its name.

    Parameters
    ----------
    name : str
        As its package announces it.

    Returns
    -------
    type of Device or Table
        The class.

    Raises
    ------
    UnknownDriverError
        When no package announces it.
    ImportError
        When its own package is broken or needs one that is missing, or two packages announce the name.
    TypeError
        When what is announced is not a driver that can be used.
    """
    try:
        entry, *others = _entry_points()[name].values()
    except KeyError:
        raise UnknownDriverError(name, driver_names()) from None
    if others:
        places = " and ".join(one.value for one in (entry, *others))
        raise ImportError(f"{places} are both announced as {name!r}; remove one of these packages")
    try:
        driver = entry.load()
    except ImportError:
        raise
    except (
        Exception,
        SystemExit,
    ) as error:  # of a package from elsewhere: one that is broken must not take the others with it
        raise ImportError(f"{entry.value} cannot be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(driver, type) and issubclass(driver, Device | Table)):
        raise TypeError(f"The entry point {name!r} ({entry.value}) is not a driver class.")
    if inspect.isabstract(driver):
        raise TypeError(f"{entry.value} does not fill {', '.join(sorted(driver.__abstractmethods__))}.")
    if not (isinstance(driver.Options, type) and issubclass(driver.Options, DriverOptions)):
        raise TypeError(f"{entry.value} has Options that are no subclass of DriverOptions.")
    return driver
