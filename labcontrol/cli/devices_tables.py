"""What `labcontrol devices` shows: places and what fits them, then entries for a bench file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table

from drivers.discovery import Place, ThisComputer
from labcontrol.bench.bench import ROLES
from labcontrol.bench.discover import Discovery, Fit
from labcontrol.config.bench_edit import entry_text

_MOST_NAMES = 6
_ADDRESS_COLUMNS = 40
_TITLES = {"serial port": "serial ports", "VISA resource": "VISA resources", "screen": "screens"}


def found_json(search: ThisComputer, discovery: Discovery, picked: Mapping[str, Fit]) -> dict[str, Any]:
    """The same as JSON types: devices with their drivers, places, entries for a bench file, what was not looked at."""
    return {
        "devices": [
            {"driver": fit.driver, "roles": fit.roles, **dataclasses.asdict(fit.found)} for fit in discovery.fits
        ],
        "places": [
            {"kind": each.kind, "address": each.address, "what": each.what, "in_use": each.in_use, "note": each.note}
            for each in search.places
        ],
        "bench": {
            role: {"driver": fit.driver, "address": fit.found.address, "options": fit.found.options}
            for role, fit in picked.items()
        },
        "not_looked_at": [*search.notes, *(f"{driver}: {trouble}" for driver, trouble in discovery.troubles.items())],
    }


def show_found(console: Console, search: ThisComputer, discovery: Discovery) -> None:
    """Every place with the drivers that fit it, devices that need no place, and what could not be looked at."""
    at_places = {place.address for place in search.places}
    for kind, title in _TITLES.items():
        places = [place for place in search.places if place.kind == kind]
        _show(console, title, [_of_place(place, discovery.fits) for place in places])
    others = [fit for fit in discovery.fits if fit.found.address not in at_places]
    for title, wanted in (("cameras", True), ("other devices", False)):
        _show(console, title, [_of_fit(fit) for fit in others if ("camera" in fit.roles) == wanted], always=wanted)
    notes = [*search.notes, *(f"{driver}: {trouble}" for driver, trouble in discovery.troubles.items())]
    if notes:
        console.print("[bold]not looked at[/]")
        for note in notes:
            console.print(Padding(f"[dim]{escape(note)}[/]", (0, 0, 0, 2)), highlight=False)


def show_entries(console: Console, discovery: Discovery, choices: Mapping[str, Fit], *, printed: bool) -> None:
    """The entries of the devices that are chosen, and how to choose where several may be meant."""
    if printed and choices:
        console.print("\n[bold]for a bench file[/] (or --write FILE)")
        for role, fit in choices.items():
            text = entry_text(role, fit.driver, fit.found.address, fit.found.options, fit.driver_class.Options)
            console.print(f"\n{text}", markup=False, highlight=False, soft_wrap=True)
    for role in ROLES:
        if role not in choices:
            taken = {fit.found.address for fit in choices.values()}
            able = [
                fit
                for fit in discovery.fits
                if role in fit.roles and not fit.found.in_use and fit.found.address not in taken
            ]
            console.print(f"[yellow]{role}[/]: {escape(_how_to_choose(role, able))}", highlight=False, soft_wrap=True)


def _how_to_choose(role: str, able: list[Fit]) -> str:
    if not able:
        return "none found"
    sure = [fit for fit in able if fit.found.sure]
    if not sure and role in ("laser", "detector"):  # of the many ports that it may be behind, one question tells
        return f"may be one of those marked '?'; --identify asks, or name it: --use {role}=DRIVER@ADDRESS"
    wishes = " or ".join(f"--use {role}={_quoted(fit.name)}" for fit in (sure or able)[:_MOST_NAMES])
    return f"choose with {wishes}{' or another' if len(sure or able) > _MOST_NAMES else ''}"


def _show(console: Console, title: str, rows: list[tuple[str, str, str]], *, always: bool = True) -> None:
    if not rows:
        if always:
            console.print(f"[bold]{title}[/]  [dim]none[/]")
        return
    console.print(f"[bold]{title}[/]")
    table = Table(Column(overflow="fold", min_width=_widest(rows)), "", "", box=None, show_header=False, padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    console.print(table, highlight=False)


def _widest(rows: list[tuple[str, str, str]]) -> int:
    """Room for addresses, which people copy."""
    return min(_ADDRESS_COLUMNS, max(len(address) for address, _, _ in rows))


def _of_place(place: Place, fits: list[Fit]) -> tuple[str, str, str]:
    mine = [fit for fit in fits if fit.found.address == place.address]
    drivers = " ".join(_driver(fit) for fit in mine)
    said = next((fit.found.what for fit in mine if fit.found.sure), place.what)
    remarks = [drivers] if drivers else []
    if place.in_use:
        remarks.append(f"[yellow]in use by {escape(place.in_use)}[/]")
    if place.note:
        remarks.append(f"[yellow]{escape(place.note)}[/]")
    if not remarks:
        silence = {None: "no driver fits", b"": "does not answer"}
        remarks.append(f"[dim]{silence.get(place.heard, 'answers as no device that a driver knows')}[/]")
    return escape(place.address), escape(said), "\n".join(remarks)


def _of_fit(fit: Fit) -> tuple[str, str, str]:
    busy = f"\n[yellow]in use by {escape(fit.found.in_use)}[/]" if fit.found.in_use else ""
    return escape(fit.found.address), escape(fit.found.what), _driver(fit) + busy


def _driver(fit: Fit) -> str:
    return f"[green]{fit.driver}[/]" if fit.found.sure else f"{fit.driver}?"


def _quoted(text: str) -> str:
    return f'"{text}"' if any(letter in text for letter in " ()*;&") else text
