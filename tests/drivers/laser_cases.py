"""What each laser says to each command: the expected dialogues behind the byte-exact tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.interfaces import DriverContext, Identity, Laser
from drivers.lasers.cobolt import CoboltLaser, CoboltOptions
from drivers.lasers.ibeam import IBeamLaser, IBeamOptions
from drivers.lasers.obis import ObisLaser
from drivers.lasers.thorlabs_diode import ThorlabsDiodeLaser, ThorlabsDiodeOptions
from drivers.lasers.wired_laser import SerialLaserOptions
from drivers.transports import Line

FAST = 1e-3

Script = list[tuple[bytes, bytes | None]]


class PassingClock:
    """The computer's clock, on which nobody waits: what is slept is skipped."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def now_s(self) -> float:
        return time.perf_counter() + self._skipped_s

    def sleep(self, seconds: float) -> None:
        self._skipped_s += max(0.0, seconds)


LASER = DriverContext("laser", PassingClock())


@dataclass
class Case:
    """One laser, and what it says. Scripts are commands and replies without their endings.

    opening: from `open` until identity and limits are known; closing: `close`.
    set_power: to 0.03 W. on: `emission_on` with closed interlock and no faults.
    reads: property, question, reply, what it means.
    """

    build: Callable[[Line], Laser]
    ending: bytes
    reply: Callable[[bytes], bytes]
    opening: Script
    identity: Identity
    limits_w: tuple[float, float]
    set_power: Script
    set_power_reply_low: Script
    on: Script
    off: Script
    reads: list[tuple[str, Script, object]]
    status: Script
    status_values: dict[str, object]
    interlock_open: Script
    faulty: Script
    fault_words: str
    refusal: bytes
    power_command: bytes
    closing_extra: Script = field(default_factory=list)

    def wire(self, script: Script) -> Script:
        return [(said + self.ending, b"" if heard is None else self.reply(heard)) for said, heard in script]


def blindly(ending: bytes, *commands: bytes) -> tuple[bytes, None]:
    """Off before anything is asked; nothing that comes back is waited for."""
    return ending.join((commands[0], *commands)), None


def one_line(heard: bytes) -> bytes:
    return heard + b"\r\n"


def handshake(heard: bytes) -> bytes:
    return (heard + b"\r\n" if heard else b"") + (b"" if heard.startswith(b"ERR") else b"OK\r\n")


def prompt_off(heard: bytes) -> bytes:
    return b"\r\n" + (heard + b"\r\n" if heard else b"") + b"[OK]\r\n"


def scpi(heard: bytes) -> bytes:
    return heard + b"\n" if heard else b""


def mended(question: bytes, wrong: bytes, command: bytes, right: bytes) -> Script:
    """A setting that the last user left wrongly: read, set, read again."""
    return [(question, wrong), (command, b""), (question, right)]


NO_ERROR = (b"SYST:ERR?", b'+0,"No error"')


def set_right(question: bytes, wrong: bytes, command: bytes, right: bytes) -> Script:
    """The same over SCPI, where the error queue says whether a command was taken."""
    return [(question, wrong), (command, b""), NO_ERROR, (question, right)]


PROTECTIONS = [(b"OUTP:PROT:%s:TRIP?" % name, b"0") for name in (b"OTEM", b"KEYL", b"VOLT", b"EXT")]

CASES = {
    "cobolt": Case(
        build=lambda line: CoboltLaser(LASER, line, CoboltOptions(timeout_s=FAST, command_spacing_s=0.0)),
        ending=b"\r",
        reply=one_line,
        opening=[
            blindly(b"\r", b"l0", b"@cob0"),
            (b"", None),
            (b"gsn?", b"12345"),
            (b"gfv?", b"6.3.2"),
            (b"gfv?", b"6.3.2"),
            (b"l0", b"OK"),
            (b"l?", b"0"),
            (b"glm?", b"0661-06-01-0050-100"),
            (b"@cobas?", b"1"),
            (b"gam?", b"0"),
            (b"cp", b"OK"),
            (b"gam?", b"1"),
            (b"gdmes?", b"1"),
            (b"sdmes 0", b"OK"),
            (b"gdmes?", b"0"),
            (b"games?", b"1"),
            (b"sames 0", b"OK"),
            (b"games?", b"0"),
            (b"xoom", b"Syntax error: illegal command"),
            (b"@cobas?", b"1"),
            (b"gmlp?", b"100.0"),
            (b"ilk?", b"0"),
            (b"f?", b"0"),
            (b"p?", b"0.0100"),
            (b"pa?", b"0.0000"),
        ],
        identity=Identity("Cobolt", "0661-06-01-0050-100", "12345", "6.3.2"),
        limits_w=(0.0, 0.1),
        set_power=[(b"p 0.030000", b"OK"), (b"p?", b"0.0300")],
        set_power_reply_low=[(b"p 0.030000", b"OK"), (b"p?", b"0.0200")],
        on=[
            (b"ilk?", b"0"),
            (b"f?", b"0"),
            (b"@cob1", b"OK"),
            (b"gom?", b"1"),
            (b"@cobasks?", b"1"),
            (b"gom?", b"2"),
            (b"l?", b"1"),
            (b"p?", b"0.0300"),
            (b"pa?", b"0.0001"),
            (b"gom?", b"2"),
            (b"l?", b"1"),
            (b"p?", b"0.0300"),
            (b"pa?", b"0.0290"),
        ],
        off=[(b"l0", b"OK"), (b"l?", b"0")],
        reads=[
            ("power_w", [(b"pa?", b"0.0299")], 0.0299),
            ("power_setpoint_w", [(b"p?", b"0.0300")], 0.03),
            ("emission", [(b"l?", b"1")], True),
            ("interlock_closed", [(b"ilk?", b"0")], True),
            ("interlock_closed", [(b"ilk?", b"1")], False),
            ("faults", [(b"f?", b"0")], ()),
            ("faults", [(b"f?", b"1")], ("temperature out of range",)),
            ("faults", [(b"f?", b"3")], ("interlock was opened",)),
            ("faults", [(b"f?", b"4")], ("constant power cannot be reached",)),
        ],
        status=[
            (b"l?", b"1"),
            (b"ilk?", b"0"),
            (b"f?", b"0"),
            (b"gom?", b"2"),
            (b"@cobasks?", b"1"),
            (b"rbpt?", b"27.5"),
            (b"hrs?", b"Syntax error: illegal command"),
            (b"pa?", b"0.03"),
            (b"p?", b"0.03"),
        ],
        status_values={
            "emission": True,
            "key_on": True,
            "state": "on",
            "baseplate_temperature_c": 27.5,
            "operating_mode": "1",
        },
        interlock_open=[(b"ilk?", b"1")],
        faulty=[(b"ilk?", b"0"), (b"f?", b"1")],
        fault_words="temperature out of range",
        refusal=b"Syntax error: illegal value",
        power_command=b"p 0.030000",
    ),
    "obis": Case(
        build=lambda line: ObisLaser(LASER, line, SerialLaserOptions(timeout_s=FAST)),
        ending=b"\r\n",
        reply=handshake,
        opening=[
            blindly(b"\r\n", b"SOUR:AM:STAT OFF", b"SOUR1:AM:STAT OFF"),
            (b"", None),
            (b"SYST:COMM:HAND ON", b""),
            (b"SYST1:COMM:HAND ON", b"ERR-241"),
            (b"SYST:COMM:PROM OFF", b""),
            (b"SYST1:COMM:PROM OFF", b"ERR-241"),
            (b"SYST:INF:SNUM?", b"VAL-7"),
            (b"SYST:INF:FVER?", b"V1.0.5"),
            (b"SYST:INF:FVER?", b"V1.0.5"),
            (b"SYST1:INF:MOD?", b"ERR-241"),
            (b"SOUR:AM:STAT OFF", b""),
            (b"SOUR:AM:STAT?", b"OFF"),
            (b"SYST:LOCK?", b"ON"),
            *mended(b"SYST:AUT?", b"ON", b"SYST:AUT OFF", b"OFF"),
            *mended(b"SOUR:AM:SOUR?", b"MIXED", b"SOUR:AM:INT CWP", b"CWP"),
            *mended(b"SOUR:TEMP:APR?", b"OFF", b"SOUR:TEMP:APR ON", b"ON"),
            (b"SYST:CDRH?", b"ON"),
            (b"SOUR:POW:LIM:LOW?", b"0.001"),
            (b"SOUR:POW:LIM:HIGH?", b"0.11000"),
            (b"SYST:LOCK?", b"ON"),
            (b"SYST:FAUL?", b"00000000"),
            (b"SOUR:POW:LEV:IMM:AMPL?", b"0.01"),
            (b"SOUR:POW:LEV?", b"0.0"),
            (b"SYST:INF:MOD?", b"OBIS 660nm 100mW C"),
            (b"SYST:INF:SNUM?", b"VAL-7"),
            (b"SYST:INF:FVER?", b"V1.0.5"),
        ],
        identity=Identity("Coherent", "OBIS 660nm 100mW C", "VAL-7", "V1.0.5"),
        limits_w=(0.001, 0.11),
        set_power=[(b"SOUR:POW:LEV:IMM:AMPL 0.03000", b""), (b"SOUR:POW:LEV:IMM:AMPL?", b"0.03000")],
        set_power_reply_low=[(b"SOUR:POW:LEV:IMM:AMPL 0.03000", b""), (b"SOUR:POW:LEV:IMM:AMPL?", b"0.02")],
        on=[
            (b"SYST:LOCK?", b"ON"),
            (b"SYST:FAUL?", b"00000000"),
            (b"SOUR:AM:STAT ON", b""),
            (b"SOUR:AM:STAT?", b"ON"),
            (b"SYST:STAT?", b"80000010"),
            (b"SOUR:AM:STAT?", b"ON"),
            (b"SYST:STAT?", b"80000102"),
            (b"SOUR:POW:LEV:IMM:AMPL?", b"0.03"),
            (b"SOUR:POW:LEV?", b"0.02990"),
        ],
        off=[(b"SOUR:AM:STAT OFF", b""), (b"SOUR:AM:STAT?", b"OFF")],
        reads=[
            ("power_w", [(b"SOUR:POW:LEV?", b"0.02990")], 0.0299),
            ("power_setpoint_w", [(b"SOUR:POW:LEV:IMM:AMPL?", b"0.03")], 0.03),
            ("emission", [(b"SOUR:AM:STAT?", b"ON")], True),
            ("interlock_closed", [(b"SYST:LOCK?", b"ON")], True),
            ("interlock_closed", [(b"SYST:LOCK?", b"OFF")], False),
            ("faults", [(b"SYST:FAUL?", b"0")], ()),
            (
                "faults",
                [(b"SYST:FAUL?", b"80100021")],
                (
                    "base plate temperature out of range",
                    "diode current too high",
                    "output power above limit",
                    "fault bit 31",
                ),
            ),
        ],
        status=[
            (b"SOUR:AM:STAT?", b"ON"),
            (b"SYST:LOCK?", b"ON"),
            (b"SYST:FAUL?", b"00000000"),
            (b"SYST:STAT?", b"C8000110"),
            (b"SOUR:POW:LEV?", b"0.0"),
            (b"SOUR:POW:LEV:IMM:AMPL?", b"0.03"),
        ],
        status_values={"emission": True, "warmed_up": True, "delayed": True, "operating_mode": "CWP"},
        interlock_open=[(b"SYST:LOCK?", b"OFF")],
        faulty=[(b"SYST:LOCK?", b"ON"), (b"SYST:FAUL?", b"00000002")],
        fault_words="diode temperature out of range",
        refusal=b"ERR-220",
        power_command=b"SOUR:POW:LEV:IMM:AMPL 0.03000",
    ),
    "ibeam": Case(
        build=lambda line: IBeamLaser(LASER, line, IBeamOptions(timeout_s=FAST)),
        ending=b"\r\n",
        reply=prompt_off,
        opening=[
            blindly(b"\r\n", b"laser off"),
            (b"", None),
            (b"echo off", b"echo off"),
            (b"prom off", b""),
            (b"talk usual", b""),
            (b"show serial", b"SN: iBEAM-SMART-640-S-G1-15601"),
            (b"version", b"iBPs-001A01-05"),
            (b"version", b"iBPs-001A01-05"),
            (b"laser off", b""),
            (b"status laser", b"OFF"),
            (b"show level power", b"CH1, PWR: 5.000 mW\r\nCH2, PWR: 0 uW"),
            *mended(b"status channel 1", b"ON", b"disable 1", b"OFF"),
            *mended(b"status channel 2", b"OFF", b"enable 2", b"ON"),
            (b"disable ext", b""),
            *mended(b"status fine", b"ON", b"fine off", b"OFF"),
            (b"sh sat", b"Satellite data:\r\n  Pmax:125 mW\r\n  CH2 setp:0 mW"),
            (b"sta clip", b"GOOD"),
            (b"show level power", b"CH1, PWR: 5.000 mW\r\nCH2, PWR: 10 mW"),
            (b"show power", b"PIC  = 000000 uW  "),
        ],
        identity=Identity("TOPTICA", "iBEAM-SMART-640-S-G1", "15601", "iBPs-001A01-05"),
        limits_w=(0.0, 0.125),
        set_power=[
            (b"channel 2 power 30000 micro", b""),
            (b"show level power", b"CH1, PWR: 0 uW\r\nCH2, PWR: 30.000 mW"),
        ],
        set_power_reply_low=[(b"channel 2 power 30000 micro", b""), (b"show level power", b"CH2, PWR: 20.000 mW")],
        on=[
            (b"sta clip", b"GOOD"),
            (b"laser on", b"%SYS-W-045, temperature has not settled"),
            (b"status laser", b"ON"),
            (b"status laser", b"ON"),
            (b"show level power", b"CH2, PWR: 30.000 mW"),
            (b"show power", b"PIC  = 029900 uW  "),
        ],
        off=[(b"laser off", b""), (b"status laser", b"OFF")],
        reads=[
            ("power_w", [(b"show power", b"PIC  = 029900 uW  ")], 0.0299),
            ("power_w", [(b"show power", b"%SYS-I-077, scaled\r\nPIC  = 1.5 mW")], 0.0015),
            ("power_setpoint_w", [(b"show level power", b"CH2, PWR: 30 mW\r\nCH1, PWR: 5 uW")], 0.03),
            ("emission", [(b"status laser", b"ON")], True),
            ("interlock_closed", [], True),
            ("faults", [(b"sta clip", b"PASS")], ()),
            ("faults", [(b"sta clip", b"FAIL")], ("the clip test failed",)),
        ],
        status=[
            (b"status laser", b"ON"),
            (b"sta clip", b"GOOD"),
            (b"show power", b"PIC  = 029900 uW  "),
            (b"show level power", b"CH2, PWR: 30.000 mW"),
            (b"show temperature", b"TEMP = 025.0  C  "),
            (b"show temperature system", b"TEMP = 029.1  C  "),
        ],
        status_values={
            "emission": True,
            "diode_temperature_c": 25.0,
            "system_temperature_c": 29.1,
            "channel": 2,
            "channel_1": "OFF",
        },
        interlock_open=[],
        faulty=[(b"sta clip", b"FAIL")],
        fault_words="the clip test failed",
        refusal=b"%SYS-E-005, value out of range",
        power_command=b"channel 2 power 30000 micro",
        closing_extra=[(b"prom on", b"")],
    ),
    "thorlabs": Case(
        build=lambda line: ThorlabsDiodeLaser(
            LASER,
            line,
            ThorlabsDiodeOptions(
                timeout_s=FAST, threshold_a=0.05, slope_w_per_a=0.8, photodiode=True, temperature_c=25.0
            ),
        ),
        ending=b"\n",
        reply=scpi,
        opening=[
            blindly(b"\n", b"OUTP OFF"),
            (b"", None),
            (b"*ESE 100", b""),
            (b"*ESE?", b"100"),
            (b"*ESE 101", b""),
            (b"*ESE?", b"101"),
            (b"*ESE 0", b""),
            (b"*CLS", b""),
            (b"OUTP OFF", b""),
            NO_ERROR,
            (b"OUTP?", b"0"),
            (b"*IDN?", b"Thorlabs,ITC4001,M00400001,1.8.0"),
            *set_right(b"SOUR:FUNC:MODE?", b"POW", b"SOUR:FUNC:MODE CURR", b"CURR"),
            *set_right(b"SOUR:AM?", b"1", b"SOUR:AM 0", b"0"),
            (b"SOUR:CURR:LIM?", b"1.7500000E-01"),
            *set_right(b"SOUR:FUNC:SHAP?", b"PULS", b"SOUR:FUNC:SHAP DC", b"DC"),
            (b"OUTP:PROT:EXT:MODE?", b"PROT"),
            *set_right(b"UNIT:TEMP?", b"K", b"UNIT:TEMP CEL", b"C"),
            *set_right(b"SOUR2:TEMP?", b"2.0E+01", b"SOUR2:TEMP 25.000", b"2.5E+01"),
            *set_right(b"OUTP2?", b"0", b"OUTP2 ON", b"1"),
            (b"SOUR:CURR:LIM?", b"1.7500000E-01"),
            (b"OUTP:PROT:INTL:TRIP?", b"0"),
            *PROTECTIONS,
            (b"OUTP2?", b"1"),
            (b"SOUR:CURR?", b"0.06"),
            (b"MEAS:POW2?", b"0.0"),
            (b"*IDN?", b"Thorlabs,ITC4001,M00400001,1.8.0"),
        ],
        identity=Identity("Thorlabs", "ITC4001", "M00400001", "1.8.0"),
        limits_w=(0.0, 0.1),
        set_power=[(b"SOUR:CURR 0.087500", b""), NO_ERROR, (b"SOUR:CURR?", b"8.7500000E-02")],
        set_power_reply_low=[(b"SOUR:CURR 0.087500", b""), NO_ERROR, (b"SOUR:CURR?", b"7.5E-02")],
        on=[
            (b"OUTP:PROT:INTL:TRIP?", b"0"),
            *PROTECTIONS,
            (b"OUTP2?", b"1"),
            (b"SOUR2:TEMP?", b"2.5E+01"),
            (b"MEAS:TEMP?", b"2.7E+01"),
            (b"MEAS:TEMP?", b"2.52E+01"),
            (b"OUTP ON", b""),
            NO_ERROR,
            (b"OUTP?", b"1"),
            (b"SOUR:CURR?", b"8.75E-02"),
            (b"MEAS:POW2?", b"2.9E-02"),
        ],
        off=[(b"OUTP OFF", b""), NO_ERROR, (b"OUTP?", b"0")],
        reads=[
            ("power_w", [(b"MEAS:POW2?", b"2.99E-02")], 0.0299),
            ("power_setpoint_w", [(b"SOUR:CURR?", b"8.75E-02")], 0.03),
            ("power_setpoint_w", [(b"SOUR:CURR?", b"1E-02")], 0.0),
            ("emission", [(b"OUTP?", b"1")], True),
            ("interlock_closed", [(b"OUTP:PROT:INTL:TRIP?", b"0")], True),
            ("interlock_closed", [(b"OUTP:PROT:INTL:TRIP?", b"1")], False),
            ("faults", [*PROTECTIONS, (b"OUTP2?", b"1")], ()),
            (
                "faults",
                [*PROTECTIONS[:1], (b"OUTP:PROT:KEYL:TRIP?", b"1"), *PROTECTIONS[2:], (b"OUTP2?", b"0")],
                ("key switch is locked", "temperature control is off"),
            ),
        ],
        status=[
            (b"OUTP?", b"1"),
            (b"OUTP:PROT:INTL:TRIP?", b"0"),
            *PROTECTIONS,
            (b"OUTP2?", b"1"),
            (b"MEAS:CURR?", b"8.7E-02"),
            (b"SOUR:CURR?", b"8.75E-02"),
            (b"SOUR:CURR:LIM?", b"1.75E-01"),
            (b"MEAS:POW2?", b"2.9E-02"),
            (b"MEAS:TEMP?", b"2.5E+01"),
        ],
        status_values={"emission": True, "current_a": 0.087, "current_limit_a": 0.175, "temperature_c": 25.0},
        interlock_open=[(b"OUTP:PROT:INTL:TRIP?", b"1")],
        faulty=[
            (b"OUTP:PROT:INTL:TRIP?", b"0"),
            (b"OUTP:PROT:OTEM:TRIP?", b"1"),
            *PROTECTIONS[1:],
            (b"OUTP2?", b"1"),
        ],
        fault_words="over temperature",
        refusal=b"",
        power_command=b"SOUR:CURR 0.087500",
    ),
}
