"""Numbers as people read them: significant digits, time spans, powers, counts."""

from __future__ import annotations

import math


def rounded(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent where a person would write none."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 < exponent < 6:
        return f"{value:.{max(0, digits - 1 - exponent)}f}"
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa} × 10{superscript(int(power))}"


def superscript(number: int) -> str:
    """An integer in raised digits."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def duration(seconds: float) -> str:
    """A time span with its two largest units."""
    if not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def power(watts: float) -> str:
    """An optical power in the unit people use for it."""
    scale, unit = power_unit(watts)
    return f"{watts / scale:.3g} {unit}"


def power_unit(watts: float) -> tuple[float, str]:
    """How many watts the unit is that people use for a power of this size, and its name."""
    for scale, unit in ((1.0, "W"), (1e-3, "mW"), (1e-6, "µW"), (1e-9, "nW")):
        if abs(watts) >= scale:
            return scale, unit
    return (1e-9, "nW") if watts else (1e-3, "mW")


def count(number: int) -> str:
    """An integer with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things. plural: of the noun, where it is more than an s at the end."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"
