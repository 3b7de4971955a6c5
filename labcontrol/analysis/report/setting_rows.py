"""Configurations, identities and provenance as rows of a report."""

from __future__ import annotations

from typing import Any

from labcontrol.config import with_moved_settings
from labcontrol.formatting import count, power, rounded

Row = tuple[str, str]

_LONGEST_VALUE = 160


def setting_rows(values: dict[str, Any], prefix: str = "") -> list[Row]:
    """Every setting by its dotted name."""
    rows: list[Row] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            rows += setting_rows(value, f"{name}.")
        else:
            rows.append((name, _value(value)))
    return rows


def finding_rows(found: dict[str, Any]) -> list[Row]:
    """What a strategy reports, in words and with as many digits as mean something."""
    return [
        (key.replace("_", " "), rounded(value) if isinstance(value, float) else _value(value))
        for key, value in found.items()
    ]


def task_rows(experiment: dict[str, Any], lengths: tuple[int, int, int]) -> list[Row]:
    """What was learned and how; lengths: of washout, training and test part."""
    task, learning, stop = (experiment.get(key, {}) for key in ("task", "learning", "stop"))
    learning = with_moved_settings(learning)
    washout, train, test = lengths
    strategy = str(learning.get("strategy", ""))
    rows = [
        ("task", f"{task.get('name', '')}: washout {washout}, training {train}, test {test} steps"),
        ("neurons", count(experiment.get("neurons", 0))),
        ("strategy", strategy),
    ]
    rows += [(key.replace("_", " "), _value(value)) for key, value in learning.get("options", {}).items()]
    rows += [("loss that decides", str(learning.get("loss", ""))), ("seed", str(experiment.get("seed", "")))]
    unused = {"plateau_change"} if stop.get("plateau_epochs") is None else set()
    return rows + [
        (f"stop: {key.replace('_', ' ')}", _value(value))
        for key, value in stop.items()
        if value is not None and key not in unused
    ]


def table_rows(config: dict[str, Any], preparations: list[dict[str, Any]]) -> list[Row]:
    """Operating point, and what was measured of the table before learning."""
    experiment, bench = config.get("experiment", {}), config.get("bench", {})
    reservoir = experiment.get("reservoir", {})
    geometry = bench.get("geometry", {})
    rows = [("bench", f"{bench.get('name', '')} ({experiment.get('bench', '')})")]
    if geometry:
        rows.append(("grid", f"{geometry.get('rows')} × {geometry.get('columns')} neurons"))
    if "power_w" in bench.get("laser", {}):
        rows.append(("laser power", power(bench["laser"]["power_w"])))
    if "exposure_s" in bench.get("camera", {}):
        rows.append(("exposure", f"{rounded(bench['camera']['exposure_s'] * 1e3)} ms"))
    for key, name in (
        ("feedback", "feedback β"),
        ("injection", "injection γ"),
        ("phase_offset", "phase offset θ₀"),
        ("phase_step", "second offset, above θ₀"),
        ("phase_share", "share with the second offset"),
    ):
        if key in reservoir:
            unit = "" if key == "phase_share" else " π"
            rows.append((name, f"{reservoir[key]:g}{unit}"))
    for number, preparation in enumerate(preparations):
        again = "" if number == 0 else f" (continuation {number})"
        rows += [(name + again, text) for name, text in _preparation_rows(preparation)]
    return rows


def device_rows(bench: dict[str, Any], devices: dict[str, Any]) -> list[dict[str, str]]:
    """One device a row: role, driver, address, vendor, model, serial number, firmware."""
    rows = []
    for role in dict.fromkeys([*devices, *(key for key, entry in bench.items() if _is_device(entry))]):
        entry, identity = bench.get(role, {}), devices.get(role, {})
        entry = entry if isinstance(entry, dict) else {}
        keys = ("vendor", "model", "serial_number", "firmware")
        rows.append(
            {"role": role, "driver": str(entry.get("driver", "")), "address": str(entry.get("address", ""))}
            | {key: str(identity.get(key, "")) for key in keys}
        )
    return rows


def program_rows(metadata: dict[str, Any]) -> list[Row]:
    """What program, on what computer, made the record."""
    found = metadata.get("provenance", {})
    git = found.get("git") or {}
    rows = [("labcontrol", str(found.get("version", "")))]
    if git.get("revision"):
        changes = git.get("changes_sha256")
        rows.append(("revision", git["revision"] + (f", with local changes {changes[:16]}…" if changes else ", clean")))
    rows += [("Python", str(found.get("python", ""))), ("computer", str(found.get("host", "")))]
    rows += [("system", str(found.get("platform", ""))), ("command", " ".join(map(str, found.get("command", []))))]
    rows += [(name, str(version)) for name, version in found.get("packages", {}).items()]
    return [row for row in rows if row[1]]


def _preparation_rows(preparation: dict[str, Any]) -> list[Row]:
    rows = []
    dark = preparation.get("dark_counts")
    if isinstance(dark, list) and dark:
        rows.append(("dark level, mean over neurons", f"{rounded(sum(dark) / len(dark))} counts"))
    for key, name, scale, unit in (
        ("reference_counts", "reference intensity", 1.0, " counts"),
        ("peak_share", "brightest pixel", 100.0, " % of full scale"),
        ("step_s", "one step of the sequence", 1e3, " ms"),
    ):
        if isinstance(preparation.get(key), int | float):
            rows.append((name, f"{rounded(preparation[key] * scale)}{unit}"))
    return rows


def _is_device(entry: Any) -> bool:
    return isinstance(entry, dict) and "driver" in entry


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and len(str(value)) > _LONGEST_VALUE:
        return f"{len(value)} values, {value[0]} to {value[-1]}"
    return str(value) or "–"
