"""After precompiling in the dark nothing is left to compile while there is light."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

# In a process of its own, where nothing has been loaded yet. What is compiled for the simulated light does not count.
RUN = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    from numba.core.dispatcher import Dispatcher
    from small_runs import experiment, small_run
    from labcontrol.bench import Bench
    from labcontrol.engine.precompile import precompile
    from labcontrol.engine.session import Session

    def compiled():
        modules = [module for name, module in sys.modules.items() if name.startswith("labcontrol.")]
        functions = [value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)]
        return {{(f.py_func.__name__, signature) for f in functions for signature in f.signatures}}

    before_light = []
    run, light_on = Session.run, Bench.light_on

    def precompiled_run(session, recorded=None):
        precompile(session._experiment, session._reservoir.map)
        return run(session, recorded)

    def seen_light_on(bench):
        before_light.append(compiled())
        light_on(bench)

    Session.run, Bench.light_on = precompiled_run, seen_light_on
    for learning in {learnings!r}:
        before_light.clear()
        small_run(Path({folder_of_runs!r}), experiment(learning=learning)).execute()
        print(learning, sorted(map(str, compiled() - before_light[0])))
    """
)
LEARNINGS = [
    {},
    {"strategy": "noise-aware"},
    {"strategy": "speculative"},
    {"strategy": "multiplexed-identification"},
    {"strategy": "quadratic-identification"},
    {"strategy": "cma-es"},
    {"selection": "uniform", "loss": "mse"},
]


def test_nothing_is_compiled_while_there_is_light(tmp_path: Path) -> None:
    text = RUN.format(folder=str(Path(__file__).parent), folder_of_runs=str(tmp_path), learnings=LEARNINGS)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [f"{learning} []" for learning in LEARNINGS], done.stderr
