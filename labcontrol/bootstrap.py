"""From a fresh clone to a running program in one command, with nothing but Python.

    python3 -m labcontrol.bootstrap run [options of 'labcontrol run']
    python3 -m labcontrol.bootstrap test [options of pytest]
    python3 -m labcontrol.bootstrap setup      (what both need, and no more)
    python3 -m labcontrol.bootstrap setup --with basler,alp      (the program, and what these devices need)

The first call makes the environment .venv in the clone, installs the program there and, on Debian and its relatives,
the system libraries Qt needs; later calls see that nothing changed and start at once. On Windows write 'py' instead of
'python3'.
"""
# Standard library only, and only syntax that an old Python can read, so that it can say that it is too old.

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"labcontrol needs Python 3.11 or newer; this is Python {sys.version_info[0]}.{sys.version_info[1]} "
        f"({sys.executable}). Install a newer one and start again with it, for example: "
        "python3.11 -m labcontrol.bootstrap run"
    )

CLONE = Path(__file__).resolve().parent.parent
ENVIRONMENT = CLONE / ".venv"
STAMP = ENVIRONMENT / "labcontrol-bootstrap.json"
_SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
_SUFFIX = ".exe" if os.name == "nt" else ""
PYTHON = _SCRIPTS / f"python{_SUFFIX}"
LABCONTROL = _SCRIPTS / f"labcontrol{_SUFFIX}"

# What emulated instruments need: a compiler, an X server with several screens, a camera on the network.
_INSTRUMENT_PACKAGES = (
    "gcc libc6-dev xserver-xorg-core xserver-xorg-video-dummy x11-xserver-utils "
    "aravis-tools gir1.2-aravis-0.8 python3-gi"
)
# Each process of the tests opens its windows on a virtual display of its own (pytest-xvfb) and clicks there.
_DISPLAY_PACKAGES = ("xvfb", "xdotool")
# Tests use all cores. A process that has run its share takes over half of what another one still has to do. One more
# process than cores is no faster (687 s for 704), and then a guardian or a fake camera comes too late now and then.
_PYTEST = ("-m", "pytest", "--numprocesses=auto", "--dist=worksteal")


class SetUpError(Exception):
    """Something is missing that this program may not or cannot install; the message names the remedy."""


def main(arguments: Sequence[str]) -> int:
    """Set up what the command needs, then hand over to it. Returns the exit code; 2 when the set-up failed."""
    command, *rest = arguments or [""]
    try:
        if command == "run":
            install_program(extras=())
            return _hand_over([str(LABCONTROL), "run", *rest, *_without_window(rest)])
        if command == "setup" and rest:
            install_program(extras=_extras(rest))
            _say(f"ready; all commands: {LABCONTROL} --help")
            return 0
        if command in ("test", "setup"):
            install_program(extras=("test",))
            _provide_display_for_tests()
            if sys.platform.startswith("linux"):
                _provide(_INSTRUMENT_PACKAGES.split(), "testing drivers against emulated instruments")
            if command == "test":
                return _hand_over([str(PYTHON), *_PYTEST, *rest])
            _say(f"ready; all commands: {LABCONTROL} --help")
            return 0
    except SetUpError as error:
        _say(f"Error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted; the next call continues the set-up")
        return 130
    _say((__doc__ or "").strip())
    return 0 if command in ("-h", "--help") else 2


def install_program(extras: Sequence[str]) -> None:
    """Bring .venv up to date: made for this Python and this folder, holding what pyproject.toml names.

    extras: of pyproject.toml, beside those installed earlier. Raises SetUpError.
    """
    project = CLONE / "pyproject.toml"
    if not project.is_file():
        raise SetUpError(f"{CLONE} is not a clone of the project (no pyproject.toml). Use 'labcontrol' directly.")
    made = [sys.version, str(CLONE)]
    project_hash = hashlib.sha256(project.read_bytes()).hexdigest()
    stamp = _read_stamp()
    if stamp.get("made") != made or not PYTHON.exists():
        _make_environment()
        stamp = {}
    installed = stamp.get("extras", [])
    if stamp.get("project") == project_hash and set(extras) <= set(installed):
        return
    extras = sorted({*installed, *extras})
    _say("installing the program and the packages it needs into .venv (only now; takes some minutes)")
    verbosity = [] if sys.stderr.isatty() else ["--quiet"]
    target = f".[{','.join(extras)}]" if extras else "."
    # Python compiles what is imported, when it is imported first; most of what is installed never is.
    options = ["--disable-pip-version-check", "--no-compile", *verbosity]
    if _call([str(PYTHON), "-m", "pip", "install", *options, "--editable", target]):
        raise SetUpError(
            "the packages could not be installed; pip says why above. The first call needs the internet "
            "(behind a proxy, set HTTPS_PROXY) and about 1 GB of disk."
        )
    STAMP.write_text(json.dumps({"made": made, "project": project_hash, "extras": extras}), encoding="utf-8")


def _extras(options: Sequence[str]) -> "list[str]":
    """The extras of pyproject.toml after --with. Raises SetUpError."""
    import tomllib  # not in a Python that is too old, and said so above

    known = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = options[1].split(",") if len(options) == 2 and options[0] == "--with" else []
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise SetUpError(
            f"expected --with and extras with commas between, such as --with basler,alp; found {' '.join(options)}. "
            f"There are {', '.join(known)}."
        )
    return names


def _read_stamp() -> "dict[str, Any]":
    try:
        return dict(json.loads(STAMP.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _make_environment() -> None:
    if importlib.util.find_spec("ensurepip") is None:  # Debian ships it apart
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        if not _install_system_packages([package]):
            raise SetUpError(
                f"this Python ({sys.executable}) cannot make environments: its module ensurepip is missing. "
                f"On Debian or Ubuntu: sudo apt-get install {package}"
            )
    _say(f"making a Python environment in {ENVIRONMENT}")
    # One made for another Python or folder would be a mixture; one that was left half-made is completed.
    afresh = ["--clear"] if STAMP.exists() or not PYTHON.exists() else []
    if _call([sys.executable, "-m", "venv", *afresh, str(ENVIRONMENT)]):
        raise SetUpError(f"no environment could be made in {ENVIRONMENT}; the reason stands above.")


# Qt's system libraries and displays; only Linux lacks them


def _without_window(arguments: Sequence[str]) -> "list[str]":
    """What to add to the arguments of 'run' so that it starts although Qt cannot: nothing where Qt can."""
    from labcontrol.gui.availability import DEBIAN_PACKAGES, has_display

    if not sys.platform.startswith("linux") or not has_display() or {"--headless", "--json"} & set(arguments):
        return []
    if _provide(DEBIAN_PACKAGES.split(), "the window") or "--window" in arguments:
        return []
    _say("going on without a window, as with --headless")
    return ["--headless"]


def _provide_display_for_tests() -> None:
    """The system libraries Qt needs, and Xvfb, which gives the windows of the tests a display."""
    from labcontrol.gui.availability import DEBIAN_PACKAGES, has_display

    if not sys.platform.startswith("linux"):
        return
    _provide([*DEBIAN_PACKAGES.split(), *_DISPLAY_PACKAGES], "testing the window")
    if not has_display() and not shutil.which("Xvfb"):
        _say("there is neither a display nor Xvfb: the tests draw the window off-screen")


def _provide(packages: Sequence[str], purpose: str) -> bool:
    """Whether the Debian packages are there, perhaps since now. On other systems the program itself looks."""
    missing = _not_installed(packages) if shutil.which("dpkg-query") else []
    if not missing:
        return True
    _say(f"{purpose} needs system packages that are missing: {' '.join(missing)}")
    if _install_system_packages(missing):
        return True
    _say(f"they could not be installed; please do: sudo apt-get install {' '.join(missing)}")
    return False


def _not_installed(packages: Sequence[str]) -> "list[str]":
    """Those of the Debian packages that are not installed; Ubuntu gave some the suffix t64."""
    names = [name for package in packages for name in (package, f"{package}t64")]
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names]
    known = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    present = {line.split()[0] for line in known.splitlines() if line.endswith(" installed")}
    return [package for package in packages if not present & {package, f"{package}t64"}]


def _install_system_packages(packages: Sequence[str]) -> bool:
    """Install Debian packages where there is apt and the right to use it without being asked for a password."""
    if not shutil.which("apt-get"):
        return False
    administrator = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if administrator and not (shutil.which("sudo") and _call([*administrator, "true"], quiet=True) == 0):
        return False
    _say(f"installing system packages: {' '.join(packages)}")
    apt = [*administrator, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    _call([*apt, "update"], quiet=True)
    return _call([*apt, "install", "--yes", "--no-install-recommends", *packages], quiet=True) == 0


# Processes and words


def _call(command: Sequence[str], quiet: bool = False) -> int:
    """Run a step of the set-up; what it prints goes to standard error, which leaves standard output to the program."""
    return subprocess.call(command, cwd=CLONE, stdout=subprocess.DEVNULL if quiet else sys.stderr)


def _hand_over(command: Sequence[str]) -> int:
    """Become the command; on Windows, where no process can, wait for it and pass its exit code on."""
    if os.name == "posix":
        os.execvp(command[0], list(command))
    return run_and_wait(command)


def run_and_wait(command: Sequence[str]) -> int:
    """The exit code of a command. Ctrl-C is the command's affair: it ends when it has left everything clean."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        with subprocess.Popen(command) as process:
            return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
